"""From a trained `.keras` model to a verified int8 model bundle. Needs TensorFlow; never installed on a device."""
