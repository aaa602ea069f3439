"""Kernels to copy from, each with its reference, its cases and its benchmark."""
