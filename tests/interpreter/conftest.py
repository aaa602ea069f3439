"""Small textual modules around one kernel, run on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from helion_ir.dialects.context import module_text, parse_module
from helion_ir.dialects.types import ELEMENTS
from helion_ir.interpreter import run_module

RunKernel = Callable[..., None]


@pytest.fixture
def ref() -> Callable[[torch.Tensor], str]:
    """The text of a tensor's type in the tile dialect."""
    return lambda t: f"!tile.ref<{list(t.shape)}, {element_text(t.dtype)}, strides = {list(t.stride())}>"


@pytest.fixture
def element() -> Callable[[torch.dtype], str]:
    """The text of an element type."""
    return element_text


def element_text(dtype: torch.dtype) -> str:
    return str(ELEMENTS[str(dtype).removeprefix("torch.")])


@pytest.fixture
def run_kernel() -> RunKernel:
    """Run the only kernel of a text, named @k, with these arguments."""

    def run(text: str, *args: Any, assignment: Mapping[str, Any] | None = None, target: str = "cpu") -> None:
        names = ", ".join(f'"a{i}"' for i in range(len(args)))
        module = parse_module(
            f'builtin.module attributes {{helion_ir.target = "{target}"}} {{\n'
            f"host.func @f [{names}] {{ host.launch @k [{names}] }}\n{text}\n}}",
            "kernel.mlir",
        )
        module.verify()
        # What runs is what the text says after a round trip, as with a dump.
        run_module(parse_module(module_text(module)), args, assignment)

    return run
