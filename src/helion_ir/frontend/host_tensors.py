"""Tensors of the host while tracing: shapes, strides and dtypes without data, on the device they will have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from helion_ir import exc
from helion_ir.frontend.values import is_size

if TYPE_CHECKING:
    from helion_ir.frontend.host import Host


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
            return self.host.item(args[0])
        if func is torch.Tensor.tolist:
            raise exc.StatementNotSupported("tolist() is not supported in a kernel; use item() for single elements")
        if func in (torch.Tensor.cuda, torch.Tensor.cpu):
            return args[0]
        if func is torch.Tensor.to:
            args = tuple(a for a in args if not _names_device(a))
            if len(args) == 1 and not set(kwargs) - {"device", "non_blocking"}:
                return args[0]
        if func in _RESHAPES and args[0].is_meta and _symbolic(args[0]):
            return self._reshaped(func, args[0], args[1:], kwargs)
        if kwargs.get("device") is not None or func in self.constructors:
            kwargs["device"] = "meta"
        kwargs.pop("pin_memory", None)
        return func(*args, **kwargs)

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


def _symbolic(tensor: torch.Tensor) -> bool:
    return any(isinstance(n, SymInt) for n in tensor.shape)


_RESHAPES = (torch.Tensor.view, torch.Tensor.reshape, torch.reshape)


def _inferred(n: Any) -> bool:
    return isinstance(n, int) and n == -1


def _names_device(value: Any) -> bool:
    return isinstance(value, torch.device | str)
