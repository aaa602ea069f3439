"""One SSA value dressed as a tensor, so that PyTorch's functions accept it."""

from __future__ import annotations

from typing import Any

import torch
from xdsl.ir import Block, SSAValue

from helion_ir.exc import BaseError, NotAllowedOnDevice, NotInsideKernel, TypeInferenceError
from helion_ir.frontend.sizes import Size


class Storage:
    """What a tile and its views share: how often it was changed in place."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


class TileTensor(torch.Tensor):
    """A tile of a kernel. It owns no memory and has no strides worth reading.

    Attributes:
        dims: its extents; the same objects as long as an extent is passed on, so that they compare by identity first.
        home_block: the block it was made in. An in-place operation in another block would be lost where that ends.
        is_view: whether it shows another tile's elements; in-place operations on it are refused.
        loaded_from: the tensor that it was loaded from, as the author named it; "" if it was computed.
        unused: the error for an in-place operation on it, as long as nothing has used what that made of it.
    """

    dims: list[Size]
    home_block: Block | None
    is_view: bool
    loaded_from: str
    unused: BaseError | None
    _ssa: SSAValue
    _shared: Storage
    _seen: int

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore

    @staticmethod
    def __new__(
        cls,
        value: SSAValue,
        dims: list[Size],
        dtype: torch.dtype,
        device: torch.device,
        home_block: Block | None = None,
        base: TileTensor | None = None,
    ) -> TileTensor:
        self = torch.Tensor._make_wrapper_subclass(cls, dims, dtype=dtype, device=device)
        self.dims = dims
        self.home_block = home_block
        self.is_view = base is not None
        self.loaded_from, self.unused = "", None
        self._ssa = value
        self._shared = base._shared if base is not None else Storage()
        self._seen = self._shared.version
        return self

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    @property
    def value(self) -> SSAValue:
        """The SSA value. Raises NotAllowedOnDevice for a view of a tile that has been changed in place since."""
        if self._seen != self._shared.version:
            raise NotAllowedOnDevice(
                "this is a view of a tile that was changed in place after the view was taken; "
                "take the view again, or write `x = x + ...` in place of the in-place operation"
            )
        self.unused = None
        return self._ssa

    def named(self, name: str) -> None:
        """Let the IR's text call the value as the author does, which is no use of it."""
        if self._ssa.name_hint is None:
            self._ssa.name_hint = name

    def assign(self, value: SSAValue) -> None:
        """Become another value, as in-place operations do; views taken before go stale."""
        self._shared.version += 1
        self._seen = self._shared.version
        self._ssa = value

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        raise NotInsideKernel(f"{func} on a tile outside of a kernel")

    def __format__(self, spec: str) -> str:
        raise TypeInferenceError(
            "a value of the kernel is not known while it is compiled, so it cannot be a part of a string; "
            'print shows values after a literal string: print("name", value)'
        )

    def __repr__(self, **kwargs: Any) -> str:  # torch's printer would dispatch
        return f"TileTensor({self._ssa.type})"
