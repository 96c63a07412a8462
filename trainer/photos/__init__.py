"""Where photographs come from, what is known about them, and who is held out. No TensorFlow here."""
