"""The files that register implementations."""

from __future__ import annotations

import importlib

FAMILIES = (
    "combine",
    "control",
    "elementwise",
    "inline",
    "memory",
    "mixing",
    "philox",
    "ranges",
    "scaled",
    "stack",
    "triton_compute",
    "triton_memory",
    "views",
)


def load() -> None:
    """Import every file that registers implementations."""
    for family in FAMILIES:
        importlib.import_module(f"helion_ir.interpreter.{family}")
