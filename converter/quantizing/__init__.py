"""From float to int8: in a process of its own, the error of each layer, and what helps a network that loses."""
