"""ops.kernels."""
