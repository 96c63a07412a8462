"""A training run: start at `fit`, then `stages` and `loop`."""
