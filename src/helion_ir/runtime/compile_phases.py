"""The phases of compilation: timed (`HELION_MEASURE_COMPILE_TIME=1`) and logged (`HELION_LOGS=all`)."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOG = logging.getLogger(__name__)
SPENT: dict[str, tuple[int, float]] = {}
"""By phase: how often it ran, and the seconds in it without those of phases inside of it."""
_inside: list[float] = []


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Count and log what runs inside as a phase of compilation.

    >>> with phase("trace"):
    ...     pass
    """
    started = time.perf_counter()
    _inside.append(0.0)
    try:
        yield
    finally:
        whole = time.perf_counter() - started
        own = whole - _inside.pop()
        if _inside:
            _inside[-1] += whole
        count, seconds = SPENT.get(name, (0, 0.0))
        SPENT[name] = count + 1, seconds + own
        LOG.info("%s took %.1f ms", name, own * 1e3)


def report() -> str:
    """A line for each phase, in the order of their first end."""
    return "\n".join(f"{name:<8}{count:>6} times{seconds:>9.3f} s" for name, (count, seconds) in SPENT.items())


def follow_environment() -> None:
    """Do what `HELION_LOGS` and `HELION_MEASURE_COMPILE_TIME` say. Raises ValueError for a bad value of the latter.

    `HELION_LOGS` names loggers, with commas between: `all`, or modules as in `runtime.compile_phases`, whose messages from
    INFO on are shown on stderr, and with a `+` before the name those from DEBUG on.
    """
    from helion_ir.runtime.settings import parse_bool

    for word in filter(None, (w.strip() for w in os.environ.get("HELION_LOGS", "").split(","))):
        name = word.removeprefix("+").removeprefix("helion_ir.").removeprefix("helion.")
        logger = logging.getLogger("helion_ir" if name == "all" else f"helion_ir.{name}")
        logger.setLevel(logging.DEBUG if word.startswith("+") else logging.INFO)
        package = logging.getLogger("helion_ir")
        if not package.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("[%(name)s] %(levelname)s: %(message)s"))
            package.addHandler(handler)
            package.propagate = False
    if parse_bool(os.environ.get("HELION_MEASURE_COMPILE_TIME") or "0"):
        atexit.register(lambda: print(report(), file=sys.stderr))


follow_environment()
