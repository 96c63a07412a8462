"""From photographs of products to a small Keras network. Needs TensorFlow; never installed on a device."""
