"""Keeps torch._dynamo unimported while PyTorch's reference implementations run: it costs more than a second."""

from __future__ import annotations

import functools
import sys


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

    def probe() -> None: ...

    wrapper = torch._disable_dynamo(probe).__code__
    for module in (torch._refs, torch._refs.nn.functional, torch._refs.special):
        for function in list(vars(module).values()):
            while (inner := getattr(function, "__wrapped__", None)) is not None:
                if getattr(function, "__code__", None) is wrapper:
                    inner.__dict__.setdefault("__dynamo_disable", inner)
                function = inner
