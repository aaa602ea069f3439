"""Index expressions: construction, text, ranges, divisibility and folding rules. No torch, no triton, no xDSL."""
