"""The way to the broker. Start at publish.py."""
