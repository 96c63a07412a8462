"""What a network is worth, and how that is shown."""
