"""The networks, their weights and heads."""
