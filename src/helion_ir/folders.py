"""Where files of helion-ir's own are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$HELION_IR_CACHE_DIR`, else `$HELION_CACHE_DIR/helion_ir`, else `~/.cache/helion_ir`; it need not exist."""
    if own := os.environ.get("HELION_IR_CACHE_DIR"):
        return Path(own).expanduser()
    shared = os.environ.get("HELION_CACHE_DIR")
    return Path(shared or "~/.cache").expanduser() / "helion_ir"
