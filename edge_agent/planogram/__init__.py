"""The shelves of `agent.toml`, edited by a program: `edit` changes the text, `file` keeps it, `saving` does it all."""
