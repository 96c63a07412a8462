"""From photographs to what a network is shown: decoding, augmentation, batches. No TensorFlow here."""
