"""A simulated store: a drawn shelf, its shoppers and its light, so that the whole chain runs without any hardware."""
