"""Kernels that people write in Triton by hand, as the peers that generated ones are timed against."""
