"""Element types of the IR and PyTorch's dtypes, and PyTorch's promotion between them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import SymBool, SymFloat, SymInt
from xdsl.ir import Attribute

from helion_ir.dialects.types import DTYPE_NAMES, ELEMENTS
from helion_ir.exc import BackendUnsupported

ELEMENT: dict[torch.dtype, Attribute] = {getattr(torch, name): element for name, element in ELEMENTS.items()}
DTYPE: dict[Attribute, torch.dtype] = {element: getattr(torch, name) for element, name in DTYPE_NAMES.items()}

_NARROW = {torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2}


def element_of(dtype: torch.dtype) -> Attribute:
    """The element type of a dtype. Raises BackendUnsupported for one that no kernel can hold, such as complex64."""
    if (element := ELEMENT.get(dtype)) is None:
        raise BackendUnsupported(f"{dtype} is not supported in a kernel")
    return element


def dtype_of(element: Attribute) -> torch.dtype:
    """The dtype of an element type."""
    return DTYPE[element]


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """What arithmetic on `dtype` is done in: float32 for floats of 16 and 8 bits, else itself."""
    return torch.float32 if dtype in _NARROW else dtype


@functools.cache
def _promoted(kinds: tuple) -> torch.dtype:
    """PyTorch's answer for operands given as (dtype, has dimensions) or Python number types, asked of real tensors."""
    probes = [k(1) if isinstance(k, type) else torch.ones((1,) if k[1] else (), dtype=k[0]) for k in kinds]
    if len(probes) == 1:
        return torch.result_type(probes[0], probes[0])
    out = torch.result_type(probes[0], probes[1])
    for i in range(2, len(probes)):
        # categories do not associate: keep the dimensioned operands' dtype in front of numbers
        ranked = isinstance(kinds[i], tuple) and kinds[i][1] or any(isinstance(k, tuple) and k[1] for k in kinds[:i])
        out = torch.result_type(torch.ones((1,) if ranked else (), dtype=out), probes[i])
    return out


def _kind(x: object) -> object:
    if isinstance(x, torch.Tensor):
        return x.dtype, x.ndim > 0
    if isinstance(x, bool | SymBool):
        return bool
    return int if isinstance(x, int | SymInt) else float if isinstance(x, float | SymFloat) else type(x)


def result_type(operands: Sequence[object]) -> torch.dtype:
    """The dtype that PyTorch promotes tiles and numbers to."""
    return _promoted(tuple(_kind(x) for x in operands))
