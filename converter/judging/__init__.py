"""What int8 costs: answers on held-out photographs, the gate, latency, and the page that shows it."""
