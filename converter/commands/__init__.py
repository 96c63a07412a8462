"""The commands of `shelf-convert`, a file each."""
