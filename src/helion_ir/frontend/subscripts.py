"""Tensors of the host in device code: metadata, and subscripts that become loads, stores and atomics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue

from helion_ir import exc
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.tile.binary import AddOp
from helion_ir.dialects.tile.compute import FullOp, IotaOp, ReshapeOp
from helion_ir.dialects.tile.memory import AtomicOp, LoadOp, StoreOp
from helion_ir.dialects.tile.ranges import BeginOp, EndOp, ShiftOp
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import Condition, DeviceTile, is_size

if TYPE_CHECKING:
    from sympy import Expr

    from helion_ir.frontend.trace import Trace


class HostTensor:
    """A tensor of the host as device code sees it: it can be asked about its shape and subscripted, nothing else.

    Attributes:
        name: The kernel's parameter.
        like: A tensor of the same shape, strides and dtype, for metadata.
        value: The SSA value of the parameter.
    """

    def __init__(self, trace: Trace, name: str, like: torch.Tensor, value: SSAValue):
        self.trace, self.name, self.like, self.value = trace, name, like, value
        self.dtype, self.device = like.dtype, trace.device_of(like)
        self.shape, self.ndim = like.shape, like.ndim

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def stride(self, dim: int | None = None) -> Any:
        return self.like.stride() if dim is None else self.like.stride(dim)

    def numel(self) -> Any:
        return self.like.numel()

    def dim(self) -> int:
        return self.ndim

    def element_size(self) -> int:
        return self.like.element_size()

    def is_contiguous(self) -> bool:
        return self.like.is_contiguous()

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> TileTensor:
        return load(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        store(self, index, value)

    def __repr__(self) -> str:
        return f"host tensor {self.name}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(torch.Tensor, name):
            raise AttributeError(f"'{name}'")
        if name == "__bool__" or not callable(getattr(torch.Tensor, name)) or name in _VIEWS:
            raise exc.BackendUnsupported(
                f"{self.name}.{name} is not supported in device code; make the view on the host, before the loop"
            )
        raise self.direct()

    def direct(self) -> exc.HostTensorDirectUsage:
        index = ", ".join(["..."]) if self.ndim == 0 else ", ".join(["tile"] + [":"] * (self.ndim - 1))
        return exc.HostTensorDirectUsage(
            f"'{self.name}' is a tensor of the host; load what is needed of it first, such as {self.name}[{index}]"
        )

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        for a in (*args, *(kwargs or {}).values()):
            for x in a if isinstance(a, list | tuple) else (a,):
                if isinstance(x, HostTensor):
                    raise x.direct()
        raise exc.HostTensorDirectUsage()


_VIEWS = {"view", "reshape", "transpose", "permute", "t", "expand", "unsqueeze", "squeeze", "flatten", "contiguous"}


def _direct(self: HostTensor, *_: Any) -> Any:
    raise self.direct()


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    setattr(HostTensor, f"__{_name}__", _direct)
    setattr(HostTensor, f"__r{_name}__", _direct)
for _name in ("neg", "pos", "abs", "invert", "lt", "le", "gt", "ge", "bool", "float", "int"):
    setattr(HostTensor, f"__{_name}__", _direct)


@dataclass
class Access:
    """A subscript, resolved: one operand a dimension of the tensor, and the shapes on the way to what the author sees."""

    subscripts: list[SSAValue]
    dims: list[Size]
    """What the access itself has."""
    kept: list[Size]
    """With 1 for each None and for each extent of 1 that a larger tile indexes."""
    shown: list[Size]
    """With such tiles' block sizes."""

    @property
    def spread(self) -> bool:
        return any(a is not b for a, b in zip(self.kept, self.shown))


def resolve(tensor: HostTensor, index: Any, *, stored: bool = False, spread: bool = True) -> Access:
    """The access that `tensor[index]` means, to load or to store. Raises RankMismatch, InvalidIndexingType and their kin.

    Without `spread` a tile along an extent of 1 is a tile of zeros, rather than one 0 whose element is repeated.
    """
    items = list(index) if isinstance(index, list | tuple) else [index]
    items = _expanded(tensor, items)
    access, axis, grouped = Access([], [], [], []), 0, [i for i in items if isinstance(i, TileTensor) and i.ndim >= 2]
    placed = False
    for item in items:
        if item is None:
            access.kept.append(1)
            access.shown.append(1)
            continue
        extent = tensor.shape[axis]
        if isinstance(item, DeviceTile) and _single(tensor, extent, item, stored):
            # every lane reads the one element there is
            lanes: list[Size] = [] if spread else [item.block]
            access.subscripts.append(tensor.trace.cap.full(0, lanes, tensor.trace.index_dtype))
            access.dims.extend(lanes)
            access.kept.append(1 if spread else item.block)
            access.shown.append(item.block)
            axis += 1
            continue
        value, dims = _subscript(tensor, axis, item)
        access.subscripts.append(value)
        if isinstance(item, TileTensor) and item.ndim >= 2:
            dims = [] if placed else _group(tensor, grouped)
            placed = True
        for shape in (access.dims, access.kept, access.shown):
            shape.extend(dims)
        axis += 1
    return access


def _single(tensor: HostTensor, extent: Size, tile: DeviceTile, stored: bool) -> bool:
    """Whether a tile runs along a dimension of extent 1, so that all of its lanes mean the one element there is.

    Where only a call says, and the tile's loop does not visibly end with the dimension, the kernel depends on it. To be
    stored by all lanes is an error, of which only a loop that certainly goes on is accused.
    """
    if isinstance(tile.block, int) and tile.block == 1:
        return False
    if is_size(tile.upper) and tensor.trace.sizes.equal(tile.upper, extent):
        return False
    if stored:
        # A loop whose end is not known here may have but the one iteration.
        return extent == 1 and isinstance(tile.upper, int) and tile.upper > 1
    if isinstance(extent, int):
        return extent == 1
    return tensor.trace.arguments.is_one(extent)


def _expanded(tensor: HostTensor, items: list[Any]) -> list[Any]:
    """Without `...`, with the trailing `:` that were left out."""
    used = sum(i is not None and i is not Ellipsis for i in items)
    dots = sum(i is Ellipsis for i in items)
    if used > tensor.ndim:
        raise exc.RankMismatch(f"{used} subscripts for '{tensor.name}', which has {tensor.ndim} dimensions")
    if dots > 1:
        raise exc.TypeInferenceError("a subscript can have one `...` only")
    missing: list[Any] = [slice(None)] * (tensor.ndim - used)
    if not dots:
        return items + missing
    at = next(n for n, i in enumerate(items) if i is Ellipsis)
    return items[:at] + missing + items[at + 1 :]


def _constant(trace: Trace, value: int) -> SSAValue:
    return trace.cap.emit(FullOp(value, trace.index_type))


def _group(tensor: HostTensor, tiles: Sequence[TileTensor]) -> list[Size]:
    """The shape that index tensors of two and more dimensions broadcast to."""
    rank = max(t.ndim for t in tiles)
    out: list[Size] = []
    for i in range(-rank, 0):
        extents = [t.dims[i] for t in tiles if t.ndim >= -i]
        extent = next((e for e in extents if not (isinstance(e, int) and e == 1)), extents[0])
        for other in extents:
            if not (isinstance(other, int) and other == 1) and not tensor.trace.sizes.equal(other, extent):
                raise exc.ShapeMismatch(f"index tensors of shapes {[t.dims for t in tiles]} do not broadcast")
        out.append(extent)
    return out


def _subscript(tensor: HostTensor, axis: int, item: Any) -> tuple[SSAValue, list[Size]]:
    """The operand for one dimension, and the dimensions it gives."""
    trace, cap = tensor.trace, tensor.trace.cap
    if isinstance(item, list | tuple) and len(item) == 1:
        item = item[0]
    match item:
        case DeviceTile():
            return item.value, [item.block]
        case slice():
            return _slice(tensor, axis, item)
        case HostTensor() if item.ndim == 0:
            return _subscript(tensor, axis, load(item, ()))
        case TileTensor():
            if item.dtype == torch.bool:
                raise exc.DataDependentOutputShapeNotSupported(
                    "a bool tensor cannot be a subscript: the result's shape would depend on data; use hl.load(extra_mask=)"
                )
            if item.dtype.is_floating_point:
                raise exc.InvalidIndexingType(f"a subscript must be of an integer dtype, this is {item.dtype}")
            if item.ndim == 1 and (of_tile := trace.range_of(item)) is not None:
                return of_tile, list(item.dims)
            return cap.cast(item.value, item.dtype if item.dtype in (torch.int32, torch.int64) else torch.int32), (
                list(item.dims) if item.ndim else []
            )
        case bool() | Condition() | float() | str():
            raise exc.InvalidIndexingType(f"{item!r} cannot be a subscript")
        case int():
            extent = tensor.shape[axis]
            if item >= 0:
                return _constant(trace, item), []
            return (_constant(trace, extent + item) if isinstance(extent, int) else cap.scalar(extent + item)), []
        case SymInt():
            return cap.scalar(item), []
        case list() | tuple():
            if any(isinstance(i, DeviceTile) for i in item):
                raise exc.OverpackedTile(
                    f"a tuple of tiles stands inside the subscript of '{tensor.name}'; unpack it, as in x[*tiles, i]"
                )
            raise exc.InvalidIndexingType("a list cannot be a subscript; use hl.arange or a tensor")
        case _:
            raise exc.InvalidIndexingType(f"{type(item).__name__} cannot be a subscript of '{tensor.name}'")


def _slice(tensor: HostTensor, axis: int, item: slice) -> tuple[SSAValue, list[Size]]:
    trace, cap = tensor.trace, tensor.trace.cap
    extent = tensor.shape[axis]
    start, stop, step = item.start, item.stop, 1 if item.step is None else item.step
    label = trace.axis_label(tensor, axis, extent)
    if isinstance(start, TileTensor) or isinstance(stop, TileTensor):
        return _moving_slice(tensor, start, stop, step, label)
    if not isinstance(step, int) or step <= 0:
        raise exc.InvalidSliceStep(f"the step of a slice must be a positive constant, not {step}")
    if all(b is None or isinstance(b, int) for b in (start, stop)) and isinstance(extent, int):
        low, high, _ = slice(start, stop, step).indices(extent)
        high = max(low, high)
    else:
        low = 0 if start is None else extent + start if isinstance(start, int) and start < 0 else start
        high = extent if stop is None else extent + stop if isinstance(stop, int) and stop < 0 else stop
    if step == 1:
        value = trace.axis(label, trace.sizes.expr(low), trace.sizes.expr(high))
        return value, [trace.sizes.exact(high - low)]
    length = trace.sizes.exact(trace.sizes.cdiv(high - low, step))
    type_ = cap.type_of([length], trace.index_dtype)
    iota = IotaOp(expr_attr(trace.sizes.expr(low)), expr_attr(step), type_)
    return cap.emit(iota), [length]


def _moving_slice(tensor: HostTensor, start: Any, stop: Any, step: int, label: str) -> tuple[SSAValue, list[Size]]:
    """A slice between scalars of the kernel: `t.begin : t.end` is the tile, `i : i + 4` has a known length."""
    trace, cap = tensor.trace, tensor.trace.cap
    if step != 1:
        raise exc.InvalidSliceStep("a slice between values of the kernel cannot have a step")
    if isinstance(start, TileTensor) and isinstance(stop, TileTensor):
        a, b = start.value.owner, stop.value.owner
        if isinstance(a, BeginOp) and isinstance(b, EndOp) and a.range is b.range:
            type_ = a.range.type
            return a.range, cap.dims_of([type_.block.data])  # pyright: ignore
        if (length := _distance(a, b)) is not None:
            size = trace.sizes.exact(trace.sizes.symbol(length))
            axis = trace.axis(label, trace.sizes.expr(0), trace.sizes.expr(size))
            return cap.emit(ShiftOp(axis, start.value)), [size]
    raise exc.TensorSliceBound(
        "the length of this slice is not known at compile time; write `i : i + length` with a constant length, "
        "or loop over hl.tile(begin, end)"
    )


def _distance(a: Operation | Any, b: Operation | Any) -> Expr | None:
    """L where b computes a + L."""
    if not isinstance(b, AddOp):
        return None
    for base, added in ((b.lhs, b.rhs), (b.rhs, b.lhs)):
        owner = added.owner
        if _same(base.owner, a):
            if isinstance(owner, ApplyOp) and not owner.arguments:
                return owner.expr.data
            if isinstance(owner, FullOp):
                from sympy import Integer

                return Integer(int(owner.value.data))
    return None


def _same(a: Any, b: Any) -> bool:
    """Whether two ops compute the same value: they are one, or pure and alike down to their operands."""
    if a is b:
        return True
    if not isinstance(a, Operation) or not isinstance(b, Operation) or type(a) is not type(b):
        return False
    if a.regions or isinstance(a, LoadOp | AtomicOp) or a.properties != b.properties:
        return False
    return [r.type for r in a.results] == [r.type for r in b.results] and all(
        x is y or _same(x.owner, y.owner) for x, y in zip(a.operands, b.operands, strict=True)
    )


# ---- accesses -------------------------------------------------------------------------------------------------------


def load(tensor: HostTensor, index: Any, mask: Any = None, eviction: str | None = None) -> TileTensor:
    """`tensor[index]`, with an optional mask and eviction policy."""
    trace, cap = tensor.trace, tensor.trace.cap
    trace.order.reads(tensor.like)
    access = resolve(tensor, index)
    if access.spread and trace.jagged.mask(access.shown, mask) is not None:
        # Lanes that share an element differ by the mask, so each has an address of its own.
        access = resolve(tensor, index, spread=False)
    op = LoadOp(
        trace.site("load", tensor.name), tensor.value, access.subscripts, cap.type_of(access.dims, tensor.dtype),
        _mask(tensor, access, mask), eviction=None if eviction is None else StringAttr(eviction.removeprefix("evict_")),
    )  # fmt: skip
    value = cap.emit(op)
    if len(access.kept) != len(access.dims):
        value = cap.emit(ReshapeOp(value, cap.exprs(access.kept)))
    if access.spread:
        value = cap.broadcast(value, access.shown)
    tile = cap.tile(value, access.shown, tensor.dtype)
    tile.loaded_from = tensor.name
    return tile


def _mask(tensor: HostTensor, access: Access, mask: Any) -> SSAValue | None:
    mask = tensor.trace.jagged.mask(access.shown, mask)
    if mask is None:
        return None
    if not isinstance(mask, TileTensor):
        raise exc.InvalidAPIUsage("extra_mask must be a device tensor of bools")
    if access.spread:
        raise exc.BackendUnsupported("extra_mask on a dimension of extent 1 indexed by a larger tile is not supported")
    return fitted(tensor, access, mask, torch.bool, "the mask")


def fitted(tensor: HostTensor, access: Access, value: Any, dtype: torch.dtype, what: str) -> SSAValue:
    """A value as the access takes it: converted, broadcast to what the author sees, new axes dropped."""
    trace, cap = tensor.trace, tensor.trace.cap
    if isinstance(value, TileTensor) and value.ndim:
        while value.ndim > len(access.shown) and isinstance(value.dims[0], int) and value.dims[0] == 1:
            value = value.squeeze(0)
        if value.ndim != len(access.shown):
            raise exc.RankMismatch(
                f"{what} has shape {list(value.dims)}, but the subscript of '{tensor.name}' selects {access.shown}; "
                "add the missing dimension with [None, :] or [:, None], or keepdim=True"
            )
        for have, want in zip(value.dims, access.shown):
            if not (isinstance(have, int) and have == 1) and not trace.sizes.equal(have, want):
                raise exc.ShapeMismatch(
                    f"{what} has shape {list(value.dims)}, but the subscript of '{tensor.name}' selects {access.shown}: "
                    f"{have} is not {want}"
                )
    out = cap.operand(value, dtype, access.shown)
    if len(access.kept) != len(access.dims):
        out = cap.emit(ReshapeOp(out, cap.exprs(access.dims)))
    return out


def _value(tensor: HostTensor, value: Any) -> Any:
    """What may be stored: a tile or a number; a scalar tensor of the host is loaded."""
    match value:
        case HostTensor():
            return load(value, (Ellipsis,))
        case Condition():
            return tensor.trace.evaluator.as_tile(value)
        case torch.Tensor() | bool() | int() | float() | SymInt() | torch.SymFloat():
            return value
        case DeviceTile():
            raise exc.IncorrectTileUsage("a tile cannot be stored; use tile.index for its indices")
        case _:
            raise exc.RequiresTensorInAssignment(
                f"a device tensor or a number must be stored into '{tensor.name}', not {type(value).__name__}"
            )


def store(tensor: HostTensor, index: Any, value: Any, mask: Any = None) -> None:
    """`tensor[index] = value`, with an optional mask."""
    trace, cap = tensor.trace, tensor.trace.cap
    value = _value(tensor, value)
    trace.order.writes(tensor.like)
    access = resolve(tensor, index, stored=True)
    if access.spread:
        raise exc.ShapeMismatch(f"every lane of a tile would store into a dimension of '{tensor.name}' with extent 1")
    out = fitted(tensor, access, value, tensor.dtype, "the value")
    guard = _mask(tensor, access, mask)
    cap.add(StoreOp(trace.site("store", tensor.name), out, tensor.value, access.subscripts, guard))


def atomic(tensor: Any, kind: str, index: Any, values: Sequence[Any], sem: str) -> TileTensor:
    """An atomic operation; returns the previous contents."""
    if not isinstance(tensor, HostTensor):
        raise exc.AtomicOnDeviceTensor()
    if sem not in ("relaxed", "acquire", "release", "acq_rel"):
        raise exc.InvalidAPIUsage(f'sem must be "relaxed", "acquire", "release" or "acq_rel", not {sem!r}')
    trace, cap = tensor.trace, tensor.trace.cap
    if kind in ("and", "or", "xor") and tensor.dtype.is_floating_point:
        raise exc.InvalidAPIUsage(f"atomic_{kind} needs integers, '{tensor.name}' is {tensor.dtype}")
    values = [_value(tensor, v) for v in values]
    trace.order.writes(tensor.like)
    access = resolve(tensor, index, stored=True)
    if access.spread:
        raise exc.ShapeMismatch(f"every lane of a tile would add into a dimension of '{tensor.name}' with extent 1")
    operands = [fitted(tensor, access, v, tensor.dtype, "the value") for v in values]
    result = cap.type_of(access.dims, tensor.dtype)
    op = AtomicOp(
        trace.site("atomic", tensor.name), kind, sem, operands, tensor.value, access.subscripts,
        _mask(tensor, access, None), result_type=result,
    )  # fmt: skip
    value = cap.emit(op)
    if len(access.kept) != len(access.dims):
        value = cap.emit(ReshapeOp(value, cap.exprs(access.kept)))
    return cap.tile(value, access.shown, tensor.dtype)
