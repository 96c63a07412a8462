"""A bundle on the disk: drafted, written in one step, described, signed and checked whole."""
