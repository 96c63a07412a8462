"""Which photographs calibrate a network and which judge it, and whether the ones look like the others."""
