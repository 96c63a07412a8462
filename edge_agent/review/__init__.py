"""Crops that the model was not sure of, kept on the device under a quota, for a person to say what they show."""
