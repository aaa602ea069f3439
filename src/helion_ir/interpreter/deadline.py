"""A limit on the time that interpreting may take, looked at wherever it goes round."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from contextvars import ContextVar

from helion_ir.interpreter.errors import InterpreterError

_END: ContextVar[float] = ContextVar("end", default=math.inf)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interpreting that goes on for longer, inside, ends with an InterpreterError."""
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


def check() -> None:
    """Raise InterpreterError where the time is over."""
    if time.monotonic() > _END.get():
        raise InterpreterError("stopped, since its time is over")
