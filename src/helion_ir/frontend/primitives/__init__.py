"""Emitters, by family. Importing this package fills the table."""

from helion_ir.frontend.primitives import creation, pointwise, products, random, reductions, scans, views
from helion_ir.frontend.primitives.registry import EMITTERS

__all__ = ["EMITTERS", "creation", "pointwise", "products", "random", "reductions", "scans", "views"]
