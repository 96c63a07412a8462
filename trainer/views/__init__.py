"""From photographs to what a network is shown: augmentation, mixing, batches. No TensorFlow here."""
