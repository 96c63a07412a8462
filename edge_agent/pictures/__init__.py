"""Is a camera's picture one to count in? Start at picture.py."""
