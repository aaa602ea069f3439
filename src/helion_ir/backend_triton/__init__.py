"""From the triton dialect to Triton: printing, compiling without a device, loading, and the library of plain functions."""
