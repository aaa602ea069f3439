"""Who carries out the functions of this package: the tracer on the host, the tracer on the device, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from helion_ir.exc import NotInsideKernel


class Implementation(Protocol):
    """Carries out language functions; which, depends on where the kernel is being run or traced."""

    def function(self, name: str) -> Callable[..., Any]:
        """What `hl.<name>` does here. Raises an error of helion_ir.exc where it may not be called."""
        ...


_current: ContextVar[Implementation | None] = ContextVar("helion_ir_language", default=None)


@contextmanager
def using(implementation: Implementation | None) -> Iterator[None]:
    """Within the block, functions of the language go to `implementation`."""
    token = _current.set(implementation)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Implementation | None:
    """The implementation in use, None outside of kernels."""
    return _current.get()


def implementation(name: str) -> Callable[..., Any]:
    """What carries out `hl.<name>`. Raises NotInsideKernel outside of kernels."""
    found = _current.get()
    if found is None:
        raise NotInsideKernel(f"hl.{name} can be called inside a kernel only")
    return found.function(name)
