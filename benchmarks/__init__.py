"""Where the numbers in the documentation come from; each module is a command (`python -m benchmarks.codegen`)."""
