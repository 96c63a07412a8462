"""What changes an agent while it runs: commands, and another configuration."""
