"""Python in, tile dialect out: `trace` is the way in."""

from helion_ir.frontend.trace import trace

__all__ = ["trace"]
