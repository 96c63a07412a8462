"""The commands of `shelf-train`, a file each; `trainer.cli` puts them together."""
