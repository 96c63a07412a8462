"""Where a bundle can run: processors with and without int8 kernels, the Edge TPU, a GPU."""
