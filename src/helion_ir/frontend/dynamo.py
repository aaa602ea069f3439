"""Keeps torch._dynamo unimported while PyTorch's reference implementations run: it costs more than a second."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any


@functools.cache
def without_dynamo() -> None:
    """Let PyTorch's references run without importing dynamo.

    Their type promotion wrapper is decorated with `torch._disable_dynamo`, whose first call imports torch._dynamo. It
    looks for an answer in `fn.__dynamo_disable` first, so one is put there. Nothing is done when dynamo is loaded.
    """
    if "torch._dynamo" in sys.modules:
        return
    import torch
    import torch._refs.nn.functional
    import torch._refs.special
    from torch._decomp import decomposition_table

    def probe() -> None: ...

    wrapper = torch._disable_dynamo(probe).__code__  # pyright: ignore
    modules = (torch._refs, torch._refs.nn.functional, torch._refs.special)
    pending: list[Any] = [*decomposition_table.values(), *[f for m in modules for f in vars(m).values()]]
    seen: set[int] = set()
    while pending:
        function = pending.pop()
        if id(function) in seen or not isinstance(function, types.FunctionType):
            continue
        seen.add(id(function))
        pending.append(getattr(function, "__wrapped__", None))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            # `__wrapped__` may have been overwritten by a further `functools.wraps`; the closure is what is called
            if name in ("fn", "prim") and not _is_empty(cell):
                if name == "fn" and function.__code__ is wrapper:
                    cell.cell_contents.__dict__.setdefault("__dynamo_disable", cell.cell_contents)
                pending.append(cell.cell_contents)


def _is_empty(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False
