"""Tensors of the host while tracing: shapes, strides and dtypes without data, on the device they will have."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from helion_ir import exc
from helion_ir.frontend.source import is_author_file, place_of_instruction
from helion_ir.frontend.values import is_size

if TYPE_CHECKING:
    from helion_ir.frontend.host import Host


ALLOCATIONS = (
    torch.empty, torch.zeros, torch.ones, torch.full, torch.empty_strided, torch.empty_like, torch.zeros_like,
    torch.ones_like, torch.full_like, torch.Tensor.new_empty, torch.Tensor.new_zeros, torch.Tensor.new_ones,
    torch.Tensor.new_full, torch.clone, torch.Tensor.clone, torch.arange,
)  # fmt: skip
"""Functions whose result is memory of its own, whatever their arguments."""


class WithoutData(TorchFunctionMode):
    """Within it tensors are made without data and say they are on the kernel's device."""

    def __init__(self, host: Host):
        super().__init__()
        self.host = host
        self.device = host.trace.device_of(None)
        self.constructors = _device_constructors()

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if func == torch.Tensor.device.__get__:  # pyright: ignore
            return self.device
        if func == torch.Tensor.is_cuda.__get__:  # pyright: ignore
            return self.device.type == "cuda"
        if (
            func is torch.Tensor.is_contiguous
            and args[0].is_meta
            and len(args) == 1
            and not kwargs
            and _symbolic(args[0])
        ):
            return self.host.trace.alignment.contiguous(args[0], self.host.trace.arguments.specialized)
        if func is torch.Tensor.item:
            return self.host.items.item(args[0])
        if func is torch.Tensor.tolist:
            return self.host.items.tolist(args[0])
        if func in (torch.Tensor.cuda, torch.Tensor.cpu):
            self._elsewhere("cuda" if func is torch.Tensor.cuda else "cpu")
            return args[0]
        for named in (kwargs.get("device"), *(args[1:2] if func is torch.Tensor.to else ())):
            if named is not None and _names_device(named):
                self._elsewhere(torch.device(named).type)
        if func is torch.Tensor.to:
            args = tuple(a for a in args if not _names_device(a))
            if len(args) == 1 and not set(kwargs) - {"device", "non_blocking"}:
                return args[0]
        if func in _RESHAPES and args[0].is_meta and _symbolic(args[0]):
            return self._reshaped(func, args[0], args[1:], kwargs)
        if kwargs.get("device") is not None or func in self.constructors:
            kwargs["device"] = "meta"
        kwargs.pop("pin_memory", None)
        result = func(*args, **kwargs)
        if _computes(func, args, result):
            self._warn_unfused(func)
        if func in ALLOCATIONS and isinstance(result, torch.Tensor):
            self.host.trace.alignment.allocated(result)
        return result

    def _elsewhere(self, kind: str) -> None:
        """Warn of a tensor on another kind of device than the kernel's."""
        if kind not in (self.device.type, "meta") and (place := self._place()) is not None:
            self.host.trace.warn(
                exc.WrongDevice, place, f"a tensor on {kind}, where the kernel runs on {self.device.type}"
            )

    def _warn_unfused(self, func: Any) -> None:
        place = self._place()
        if place is None:
            return
        own = self.host.node.lineno <= place.line <= (self.host.node.end_lineno or 0) and place.file == self.host.file
        kind = exc.TensorOperationInWrapper if own else exc.TensorOperationsInHostCall
        name = getattr(func, "__name__", "this operation").strip("_")
        where = "outside of the device loops" if own else "in a function called outside of the device loops"
        self.host.trace.warn(kind, place, f"{name} {where} is not fused: it runs by itself at every call")

    @staticmethod
    def _place() -> exc.Place | None:
        """The author's innermost running line."""
        frame = sys._getframe(2)
        while frame is not None and not is_author_file(frame.f_code.co_filename):
            frame = frame.f_back
        return None if frame is None else place_of_instruction(frame.f_code, frame.f_lasti)

    def _reshaped(self, func: Any, tensor: torch.Tensor, shape: tuple, kwargs: dict[str, Any]) -> torch.Tensor:
        """A view of another shape, which PyTorch computes without data for constant sizes only."""
        if len(shape) == 1 and isinstance(shape[0], tuple | list):
            shape = tuple(shape[0])
        trace = self.host.trace
        if (
            kwargs
            or not all(is_size(n) for n in shape)
            or not trace.alignment.contiguous(tensor, trace.arguments.specialized)
        ):
            return func(tensor, *shape, **kwargs)
        known = math.prod([n for n in shape if not _inferred(n)])
        total = math.prod(tensor.shape)
        if any(_inferred(n) for n in shape):
            rest = trace.sizes.quotient(total, known)
            if rest is None:
                raise exc.ShapeSpecializingCall(
                    f"whether {known} divides the {total} elements of a tensor is not known"
                )
            shape = tuple(rest if _inferred(n) else n for n in shape)
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        return torch.as_strided(tensor, shape, strides, tensor.storage_offset())


_ALLOCATES = re.compile(
    "like|new|broadcast|promote|view|reshape|expand|permute|strided|transpose|contiguous|unsqueeze|squeeze|zero|rand|"
    "full|fill|empty|ones|arange|eye|linspace|tensor|clone|detach"
)
"""Functions that make tensors or show them otherwise; nobody expects them to be fused."""


def _computes(func: Any, args: tuple, result: Any) -> bool:
    """Whether a call computes elements out of others: no allocation, no view, no question."""
    if not isinstance(result, torch.Tensor) or _ALLOCATES.search(getattr(func, "__name__", "")):
        return False
    given = [a for a in args if isinstance(a, torch.Tensor)]
    return bool(given) and result._base is None and result is not given[0]


def _symbolic(tensor: torch.Tensor) -> bool:
    return any(isinstance(n, SymInt) for n in tensor.shape)


_RESHAPES = (torch.Tensor.view, torch.Tensor.reshape, torch.reshape)


def _inferred(n: Any) -> bool:
    return isinstance(n, int) and n == -1


def _names_device(value: Any) -> bool:
    return isinstance(value, torch.device | str)
