"""How a worker spent its time, as it tells whoever asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Parts:
    """Seconds by part of one piece of work.

    >>> parts = Parts()
    >>> with parts.of("load"):
    ...     pass
    >>> list(parts.seconds)
    ['load']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """What happens inside counts as this part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 5)
