"""What the device needs, whether it is there, and what to do about what isn't. Start at check.py, then doctor.py."""
