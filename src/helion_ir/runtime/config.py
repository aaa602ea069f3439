"""`Config`, under the name it has in Helion. The class is the tuner's, which the runtime builds on."""

from helion_ir.autotuner.config import Config

__all__ = ["Config"]
