"""Making IR without Python looking for garbage meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Python's collector rests inside of it.

    What a pass makes stays, and so does all of PyTorch, through which every full collection looks: the collections that
    fell into the lowering of a kernel took a quarter of its time on average, and 200 ms where one was full.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
