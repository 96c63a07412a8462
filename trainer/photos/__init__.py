"""Where photographs come from, how they are decoded, what is known of them, who is held out. No TensorFlow here."""
