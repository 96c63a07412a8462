"""Quantization-aware fine-tuning: a network learns to live with int8 before it is converted."""
