"""PyTorch calls on tiles become ops of the tile dialect, one dispatch at a time, with no graph in between."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import SymBool, SymFloat, SymInt
from torch.utils._python_dispatch import TorchDispatchMode
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, LocationAttr, StringAttr
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.tile.compute import BroadcastOp, FullOp
from helion_ir.dialects.tile.elementwise import BY_FUNCTION, CastOp
from helion_ir.dialects.types import TileType, i32, i64, is_float, tile_type
from helion_ir.exc import (
    BackendUnsupported,
    HostTensorDirectUsage,
    NotAllowedOnDevice,
    ShapeMismatch,
    TypeInferenceError,
)
from helion_ir.frontend import polynomial
from helion_ir.frontend.dtypes import element_of
from helion_ir.frontend.dynamo import without_dynamo
from helion_ir.frontend.polynomial import Poly
from helion_ir.frontend.signed_sizes import divides_negative, with_signs
from helion_ir.frontend.size_node import FloatTree, Leaf
from helion_ir.frontend.sizes import BlockSizes, Size
from helion_ir.frontend.source import place_of_instruction
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from sympy import Expr

Number = int | float | bool | SymInt | SymFloat | SymBool
aten = torch.ops.aten


class Capture(TorchDispatchMode):
    """While active, every PyTorch call on tiles appends ops to `block`.

    A call is tried, in order, as: an emitter of `primitives`, a decomposition of ours, the functional form of an
    in-place operation, PyTorch's own composition in C++, its Python decompositions. Whatever these call comes back here.

    Attributes:
        block: where ops are appended; the walker of statements moves it.
        statement: the location of ops that no expression of the author's is running for, such as stores.
        dot_precision: of `tile.dot` on f32 operands.
        random: makes the tiles of PyTorch's random functions.
        before_add: called with each op before it is added; may add others and replace its operands.

    >>> sizes = BlockSizes()
    >>> with Capture(sizes, torch.device("cpu"), lambda code: False) as capture:
    ...     tile = torch.zeros([sizes.symbol(knob("tile_m.block_size")), 4]) + 1
    """

    def __init__(
        self, sizes: BlockSizes, device: torch.device | str, is_author: Callable[[types.CodeType], bool]
    ) -> None:
        super().__init__()
        from helion_ir.frontend import diagonals, order_statistics  # noqa: F401  (register)
        from helion_ir.frontend.decompositions import OWN, decomposition_table
        from helion_ir.frontend.primitives import EMITTERS

        without_dynamo()
        self.sizes, self.device = sizes, torch.device(device)
        self.block = Block()
        self.statement: LocationAttr | None = None
        self.dot_precision = "tf32"
        self.random: Any = None
        self.before_add: Callable[[Operation], None] = lambda op: None
        self._is_author = functools.cache(is_author)
        self._emitters, self._own, self._table = EMITTERS, OWN, decomposition_table()
        self._locations: dict[tuple[types.CodeType, int], FileLineColLoc] = {}
        self._running: list[Any] = []
        self._changed: list[TileTensor] = []
        self._entered = 0
        self._guards = ExitStack()

    # torch wraps every dispatch in torch._dynamo.disable otherwise, whose first use takes more than a second.
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __enter__(self) -> Capture:
        if self._entered == 0:
            # Below autograd composite functions such as matmul arrive whole instead of as what they decompose into.
            self._guards.enter_context(torch.no_grad())
            self._guards.enter_context(torch._C._AutoDispatchBelowAutograd())
            self._guards.enter_context(torch._C._DisableAutocast())
        self._entered += 1
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._entered -= 1
        if self._entered == 0:
            self._guards.close()

    # ---- emission ----

    def add(self, op: Operation) -> Operation:
        """Append `op` at the end of `block`, with the location of the author's running expression."""
        if (location := self.location()) is not None:
            op.location = location
        self.before_add(op)
        self.block.add_op(op)
        return op

    def emit(self, op: Operation) -> SSAValue:
        """Append `op`; its first result."""
        return self.add(op).results[0]

    def tile(
        self, value: SSAValue, dims: Sequence[Size], dtype: torch.dtype, base: TileTensor | None = None
    ) -> TileTensor:
        """The tensor of an SSA value. `base` is the tile whose elements it shows, for views."""
        return TileTensor(value, list(dims), dtype, self.device, self.block, base)

    def location(self) -> LocationAttr | None:
        """File, line and column of the author's innermost running expression, else `statement`."""
        if (frame := self._authors_frame()) is None:
            return self.statement
        key = (frame.f_code, frame.f_lasti)
        if (found := self._locations.get(key)) is None:
            line, _, column, _ = list(frame.f_code.co_positions())[frame.f_lasti // 2]
            found = self._locations[key] = FileLineColLoc(
                StringAttr(frame.f_code.co_filename), IntAttr(line or frame.f_lineno), IntAttr((column or 0) + 1)
            )
        return found

    def _authors_frame(self) -> types.FrameType | None:
        frame = sys._getframe(2)
        while frame is not None and not self._is_author(frame.f_code):
            frame = frame.f_back
        return frame

    # ---- types ----

    def type_of(self, dims: Sequence[Size], dtype: torch.dtype) -> TileType:
        """The tile type of these extents."""
        return tile_type(tuple([d if type(d) is int else self.sizes.expr(d) for d in dims]), element_of(dtype))

    def dims_of(self, exprs: Sequence[Expr]) -> list[Size]:
        """The extents of a tile type as sizes: `dims_of(value.type.dims)`."""
        return [self.sizes.exact(self.sizes.symbol(e)) for e in exprs]

    def extents(self, shape: Sequence[Size]) -> list[Size]:
        """A shape given by a caller as extents; halves of block sizes become exact and are required to be."""
        return [s if type(s) is int else self.sizes.exact(s) for s in shape]

    def exprs(self, dims: Sequence[Size]) -> tuple[Expr | int, ...]:
        return tuple([d if type(d) is int else self.sizes.expr(d) for d in dims])

    def same_dims(self, a: Sequence[Size], b: Sequence[Size]) -> bool:
        """Whether two shapes are equal for every block size."""
        return len(a) == len(b) and all(self.sizes.equal(x, y) for x, y in zip(a, b))

    # ---- operands ----

    def cast(self, value: SSAValue, dtype: torch.dtype) -> SSAValue:
        """`value` converted, if it is of another type."""
        assert isinstance(value.type, TileType)
        element = element_of(dtype)
        return value if value.type.element_type == element else self.emit(CastOp(value, element))

    def broadcast(self, value: SSAValue, dims: Sequence[Size]) -> SSAValue:
        """`value` with extents of 1 repeated and leading ones added, if its shape is another."""
        assert isinstance(value.type, TileType)
        wanted = self.exprs(dims)
        return value if value.type.dims == wanted else self.emit(BroadcastOp(value, wanted))

    def full(self, number: float | int | bool, dims: Sequence[Size], dtype: torch.dtype) -> SSAValue:
        """A constant tile; the number is converted as PyTorch does."""
        if dtype == torch.bool:
            number = bool(number)
        elif not is_float(element_of(dtype)):
            info = torch.iinfo(dtype)
            number = (int(number) - info.min) % (info.max - info.min + 1) + info.min
        return self.emit(FullOp(number, self.type_of(dims, dtype)))

    def operand(self, x: TileTensor | torch.Tensor | Number, dtype: torch.dtype, dims: Sequence[Size]) -> SSAValue:
        """`x`, a tile or a number, as a value of this dtype and shape. Raises HostTensorDirectUsage for host tensors."""
        if isinstance(x, TileTensor):
            value = x.value
            if x.dtype != dtype:
                value = self.cast(value, dtype)
            return value if x.dims is dims else self.broadcast(value, dims)
        if isinstance(x, torch.Tensor):
            if x.ndim:
                raise HostTensorDirectUsage()
            x = x.item()
        if isinstance(x, SymInt):
            x = self.sizes.plain(x)
        if isinstance(x, SymInt):
            return self.broadcast(self.cast(self.scalar(x), dtype), dims)
        if isinstance(x, SymFloat):
            return self.broadcast(self._float_scalar(self.sizes.tree(x), dtype), dims)
        return self.full(bool(x) if isinstance(x, SymBool) else x, dims, dtype)

    def scalar(self, x: int | SymInt | TileTensor) -> SSAValue:
        """An integer as a rank-0 value: i32, or i64 where it may not fit."""
        if isinstance(x, TileTensor):
            if x.dims:
                raise ShapeMismatch(f"a scalar is needed, this is a tile of shape {list(x.dims)}")
            return x.value
        return self.size(self.sizes.poly(x))

    def size(self, poly: Poly) -> SSAValue:
        """A size as a rank-0 value: i32, or i64 where it may not fit."""
        operands: list[SSAValue] = []
        if divides_negative(poly):
            poly = with_signs(self, poly, operands)
        low, high = polynomial.bounds(poly)
        element = i32 if -(1 << 31) <= low and high < 1 << 31 else i64
        return self.emit(ApplyOp(self.sizes.expr_of(poly), operands, tile_type((), element)))

    def _float_scalar(self, tree: Leaf, dtype: torch.dtype) -> SSAValue:
        """Float arithmetic on sizes, in f64 as Python does it and rounded once."""
        if isinstance(tree, Poly):
            return self.cast(self.size(tree), dtype)
        if isinstance(tree, float):
            return self.full(tree, (), dtype)
        assert isinstance(tree, FloatTree)
        args = [self._float_scalar(a, torch.float64) for a in tree.args]
        return self.cast(self.emit(BY_FUNCTION[tree.function](*args)), dtype)  # pyright: ignore

    # ---- dispatch ----

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if _only_real_tensors(args):
            return func(*args, **kwargs)
        if (emitter := self._emitters.get(func)) is not None:
            return emitter(self, func, args, kwargs)
        self._running.append(func)
        try:
            with self:
                return self._decompose(func, args, kwargs)
        finally:
            self._running.pop()

    def _decompose(self, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if (own := self._own.get(func)) is not None:
            return own(*args, **kwargs)
        if (functional := _functional_form(func)) is not None:
            target = self._writable(args[0])
            return self.write(target, functional(*args, **kwargs), any_dtype=func in _CONVERTING)
        if _is_composite(func):
            return func.decompose(*args, **kwargs)
        if (decomposition := self._table.get(func)) is not None:
            out = decomposition(*args, **kwargs)
            if out is not NotImplemented:
                return out
        raise self.unsupported()

    def unsupported(self, why: str = "") -> Exception:
        """The error for the operator that is running, named as the author called it."""
        outer, inner = _name(self._running[0]), _name(self._running[-1])
        needs = "" if inner == outer else f" (it needs {inner})"
        return BackendUnsupported(f"{outer} is not supported on tiles{needs}{why and ': ' + why}")

    def _writable(self, target: torch.Tensor) -> TileTensor:
        """`target`, if a change to it could be seen through every name of the tile."""
        if not isinstance(target, TileTensor):
            raise NotAllowedOnDevice("device code cannot change a tensor of the host in place; store by a subscript")
        if target.is_view:
            raise NotAllowedOnDevice("a view of a tile cannot be changed in place; assign the result to a name")
        if target.home_block is not self.block:
            raise NotAllowedOnDevice(
                "this tile was made outside of the loop or branch; write `x = x + ...`, so that it is carried"
            )
        return target

    def write(self, target: TileTensor, new: TileTensor, *, any_dtype: bool = False) -> TileTensor:
        """What `target.op_(…)` does once the new value is known; returns `target`, which keeps its dtype.

        Raises ShapeMismatch, and TypeInferenceError for a float result in an integer tile.
        """
        if not self.same_dims(new.dims, target.dims):
            raise ShapeMismatch(f"the result has shape {list(new.dims)}, the tile changed in place {list(target.dims)}")
        if new.dtype != target.dtype and not any_dtype and not torch.can_cast(new.dtype, target.dtype):
            raise TypeInferenceError(f"a result of {new.dtype} cannot be stored in place in a tile of {target.dtype}")
        target.assign(self.cast(new.value, target.dtype))
        if target.loaded_from:
            if not any(t is target for t in self._changed):
                self._changed.append(target)
            target.unused = self._unused(target.loaded_from)
        return target

    def _unused(self, tensor: str) -> NotAllowedOnDevice:
        """The error for the in-place operation that is running, should nobody use what it makes of a loaded tile."""
        method = _name(self._running[0]).rsplit(".", 1)[-1]
        if method.endswith("_"):
            said, instead = method, "the value" if method in _REPLACING else f"{tensor}[...].{method[:-1]}(...)"
        else:
            said, instead = f"{method}(..., out=...)", f"{method}(...)"
        error = NotAllowedOnDevice(
            f"`{said}` changes the tile that was loaded and not the tensor '{tensor}', and nothing uses the tile "
            f"afterwards; to change the tensor write `{tensor}[...] = {instead}`"
        )
        if (frame := self._authors_frame()) is not None:
            error.at(place_of_instruction(frame.f_code, frame.f_lasti))
        return error

    def check_changed(self) -> None:
        """Raise NotAllowedOnDevice for the first in-place operation on a loaded tile whose result nothing uses.

        In PyTorch it would write the tensor; here it would be dropped without a word.
        """
        changed, self._changed = self._changed, []
        for tile in changed:
            if tile.unused is not None:
                raise tile.unused


_CONVERTING = {aten.copy_.default, aten.fill_.Scalar, aten.fill_.Tensor, aten.zero_.default}
_REPLACING = {"copy_", "fill_", "zero_"}


def _only_real_tensors(args: tuple) -> bool:
    """Whether the call is on tensors that exist, such as `torch.tensor(3.0)`, and on no tile."""
    real = False
    for a in args:
        for x in a if isinstance(a, list | tuple) else (a,):
            if isinstance(x, TileTensor):
                return False
            real = real or isinstance(x, torch.Tensor)
    return real


def _name(func: Any) -> str:
    return str(func._schema.name).replace("::", ".")


@functools.cache
def _is_composite(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


@functools.cache
def _functional_form(func: Any) -> Any:
    """aten.add_.Tensor -> aten.add.Tensor, or None."""
    name = func._schema.name.split("::")[1]
    if not func._schema.is_mutable or not name.endswith("_"):
        return None
    packet = getattr(aten, name[:-1], None)
    return getattr(packet, func._overloadname, None) if packet is not None else None
