"""A stand-in for a GPU: tensors that say they are on one, compute on the CPU, and refuse to meet tensors of the CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_map

# Meta, since PyTorch without a GPU indexes no tensor that says it is on one.
DEVICE = torch.device("meta")
FACTORIES = {torch.arange, torch.empty, torch.full, torch.ones, torch.tensor, torch.zeros}


class DeviceTensor(torch.Tensor):
    """A tensor of `DEVICE` whose elements are in `inner`, a tensor of the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> DeviceTensor:
        out = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype, device=DEVICE
        )
        out.inner = inner
        return out

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        to_cpu = (
            function is torch.ops.aten._to_copy.default and torch.device(kwargs.get("device", DEVICE)).type == "cpu"
        )
        if "device" in kwargs:
            kwargs["device"] = "cpu"
        out = function(*tree_map(_inner, args), **tree_map(_inner, kwargs))
        if to_cpu:
            return out
        out = tree_map(lambda x: cls(x) if isinstance(x, torch.Tensor) else x, out)
        return return_and_correct_aliasing(function, args, kwargs, out)

    def __repr__(self) -> str:  # pyright: ignore
        return f"DeviceTensor({self.inner})"


def _inner(x: Any) -> Any:
    if isinstance(x, DeviceTensor):
        return x.inner
    # As a GPU does, it takes a number that is a tensor of the CPU.
    if isinstance(x, torch.Tensor) and x.ndim:
        raise AssertionError(f"a tensor of the CPU, {list(x.shape)}, where all are on {DEVICE}")
    return x


class Device(TorchFunctionMode):
    """What is made within says where; the device has no function `lacks`."""

    def __init__(self, lacks: Any = None):
        super().__init__()
        self.lacks = lacks

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is self.lacks and any(isinstance(a, DeviceTensor) for a in args):
            raise NotImplementedError(f"{function.__name__} of a device")
        if function is torch.Tensor.to and DEVICE in args and not isinstance(args[0], DeviceTensor):
            return DeviceTensor(args[0].clone())
        if function is torch.Tensor.item:
            return _inner(args[0]).item()
        if function is torch.where:  # with numbers among its arguments PyTorch takes the way of meta tensors
            return DeviceTensor(torch.where(*[_inner(a) for a in args]))
        if function not in FACTORIES:
            return function(*args, **kwargs)
        if kwargs.get("device") is None:
            raise AssertionError(f"{function.__name__}{args} does not say on which device")
        there = torch.device(kwargs.pop("device")).type == DEVICE.type
        made = function(*args, **kwargs)
        return DeviceTensor(made) if there else made
