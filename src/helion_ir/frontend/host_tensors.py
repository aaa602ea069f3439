"""Tensors of the host while tracing: shapes, strides and dtypes without data, on the device they will have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from helion_ir import exc

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
        if kwargs.get("device") is not None or func in self.constructors:
            kwargs["device"] = "meta"
        kwargs.pop("pin_memory", None)
        return func(*args, **kwargs)


def _names_device(value: Any) -> bool:
    return isinstance(value, torch.device | str)
