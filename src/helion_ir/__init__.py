"""helion-ir: PyTorch with tiles, compiled through a multi-level IR."""
