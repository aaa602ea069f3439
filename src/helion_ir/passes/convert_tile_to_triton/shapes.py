"""Constants, views, reductions, scans and products."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Integer
from xdsl.ir import Attribute, Region, SSAValue

from helion_ir.dialects.tile import compute as tile
from helion_ir.dialects.tile.control import MaskOp
from helion_ir.dialects.triton import compute as triton
from helion_ir.dialects.types import TileType, bf16, f8e4m3, f8e5m2, f32, f64, i1, i8, i32, is_float, tile_type
from helion_ir.index.expr import FloorDiv, operand
from helion_ir.passes.convert_tile_to_triton.arithmetic import to_element
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers
from helion_ir.passes.scope import physical


def _type(value: SSAValue) -> TileType:
    assert isinstance(value.type, TileType)
    return value.type


def _unsupported(text: str) -> Exception:
    from helion_ir.exc import BackendUnsupported

    return BackendUnsupported(text)


@lowers(tile.FullOp)
def full(lower: Lowering, op: tile.FullOp) -> Sequence[SSAValue]:
    type_ = _type(op.result)
    made = lower.type(type_)
    if type_.element_type in (bf16, f8e4m3, f8e5m2):
        wide = lower.add(triton.FullOp(op.value, tile_type(lower.dims(type_), f32)))
        return (to_element(lower, wide, type_.element_type),)
    return (lower.add(triton.FullOp(op.value, made)),)


@lowers(tile.IotaOp)
def iota(lower: Lowering, op: tile.IotaOp) -> Sequence[SSAValue]:
    dims = lower.dims(op.result.type)
    lanes = lower.add(triton.ArangeOp(tile_type(dims, i32)))
    made = lower.apply(op.start.data + op.step.data * operand(0), [lanes], dims)
    return (to_element(lower, made, _type(op.result).element_type),)


# ---- views ----------------------------------------------------------------------------------------------------------


@lowers(tile.BroadcastOp)
def broadcast(lower: Lowering, op: tile.BroadcastOp) -> Sequence[SSAValue]:
    return (lower.broadcast(lower.get(op.operand), lower.dims(op.result.type)),)


@lowers(tile.ReshapeOp)
def reshape(lower: Lowering, op: tile.ReshapeOp) -> Sequence[SSAValue]:
    source, result = _type(op.operand).dims, _type(op.result).dims
    value = lower.get(op.operand)
    if source == result:
        return (value,)
    kept = tuple(d for d in source if d != 1)
    if kept == tuple(d for d in result if d != 1):  # squeeze and unsqueeze
        if kept == source and kept:
            return (lower.add(triton.ExpandDimsOp(value, _ones(result))),)
        return (lower.reshape(value, lower.dims(op.result.type)),)
    if any(physical(d) != d for d in (*source, *result)):
        raise _unsupported(f"reshaping a tile of shape {list(source)} to {list(result)}: an extent is no power of two")
    return (lower.reshape(value, result),)


def _ones(dims: Sequence[Expr]) -> list[int]:
    return [i for i, d in enumerate(dims) if d == 1]


@lowers(tile.PermuteOp)
def permute(lower: Lowering, op: tile.PermuteOp) -> Sequence[SSAValue]:
    return (lower.add(triton.PermuteOp(lower.get(op.operand), op.order.data)),)


@lowers(tile.SliceOp)
def slice_(lower: Lowering, op: tile.SliceOp) -> Sequence[SSAValue]:
    """A first or second half, or every second element, along one dimension: Triton can only split pairs."""
    source, result = _type(op.operand).dims, _type(op.result).dims
    dim, start, step = op.dim.value.data, op.start.data, op.step.data
    extent, half = source[dim], result[dim]
    value, rank = lower.get(op.operand), len(source)
    if half * 2 != extent and half != FloorDiv(extent, Integer(2)):
        raise _unsupported(f"a slice of {half} of {extent} elements; only halves can be taken of a tile")
    dims = list(source)
    if step == 1 and start in (0, half):
        wide = [*dims[:dim], Integer(2), half, *dims[dim + 1 :]]
        order = [*range(dim), *range(dim + 1, rank + 1), dim]
        second = start == half
    elif step == 2 and start in (0, 1):
        wide = [*dims[:dim], half, Integer(2), *dims[dim + 1 :]]
        order = [*range(dim + 1), *range(dim + 2, rank + 1), dim + 1]
        second = start == 1
    else:
        raise _unsupported(f"a slice from {start} in steps of {step}; only halves can be taken of a tile")
    pairs = lower.add(triton.PermuteOp(lower.reshape(value, wide), order))
    parts = triton.SplitOp(pairs)
    lower.add(parts)
    return (parts.results[1 if second else 0],)


@lowers(tile.FlipOp)
def flip(lower: Lowering, op: tile.FlipOp) -> Sequence[SSAValue]:
    value = lower.get(op.operand)
    for dim in op.flipped.data:
        value = lower.call("tl.flip", [value], dim=str(dim))
    return (value,)


@lowers(tile.CatOp)
def concatenate(lower: Lowering, op: tile.CatOp) -> Sequence[SSAValue]:
    """Two tiles of one shape: joined in a new last dimension, which then moves to where it belongs."""
    if len(op.arguments) != 2 or _type(op.arguments[0]).dims != _type(op.arguments[1]).dims:
        raise _unsupported(f"concatenating {len(op.arguments)} tiles; two of one shape can be")
    lhs, rhs = (lower.get(a) for a in op.arguments)
    dim, rank = op.dim.value.data, _type(op.result).rank
    joined = lower.add(triton.JoinOp(lhs, rhs))
    order = [*range(dim), rank, *range(dim, rank)]
    return (lower.reshape(lower.add(triton.PermuteOp(joined, order)), lower.dims(op.result.type)),)


# ---- lanes mix --------------------------------------------------------------------------------------------------------


@lowers(tile.ReduceOp)
def reduce(lower: Lowering, op: tile.ReduceOp) -> Sequence[SSAValue]:
    value, kind = lower.get(op.operand), op.kind.data
    wanted = _type(op.result).element_type
    for axis in sorted(op.dims, reverse=True):
        value = _reduce_one(lower, value, kind, axis)
    return (to_element(lower, value, wanted),)


def _reduce_one(lower: Lowering, value: SSAValue, kind: str, axis: int) -> SSAValue:
    element = _type(value).element_type
    if kind in ("argmax", "argmin"):
        dims = _type(value).dims
        lanes = lower.add(triton.ArangeOp(tile_type((dims[axis],), i32)))
        index = lower.broadcast(lower.expand(lanes, axis, len(dims)), dims)
        if element == bf16:
            value = to_element(lower, value, f32)
        return lower.add(triton.ArgReduceOp(f"plain.{kind}_nan", value, index, axis))
    if kind in ("any", "all"):
        wide = lower.cast(value, i32)
        made = lower.add(triton.ReduceOp("tl.max" if kind == "any" else "tl.min", wide, axis))
        return lower.binary("!=", made, lower.full(0, made), i1)
    narrow = is_float(element) and element not in (f32, f64)
    if narrow:  # devices would add and compare in 16 bits
        value = to_element(lower, value, f32)
    elif element in (i1, i8):  # Triton widens small integers by itself; say so
        value = lower.cast(value, i32)
    floats = is_float(element)
    combine = {
        "sum": "tl.sum",
        "prod": "plain.mul2",
        "max": "plain.fmax_nan" if floats else "tl.max",  # tl.max drops NaN
        "min": "plain.fmin_nan" if floats else "tl.min",
    }[kind]
    return to_element(lower, lower.add(triton.ReduceOp(combine, value, axis)), element)


@lowers(tile.ScanOp)
def scan(lower: Lowering, op: tile.ScanOp) -> Sequence[SSAValue]:
    element = _type(op.operand).element_type
    value = lower.get(op.operand)
    if is_float(element) and element not in (f32, f64):
        value = to_element(lower, value, f32)
    floats = is_float(element)
    combine = {
        "sum": "tl.cumsum",
        "prod": "tl.cumprod",
        "max": "plain.fmax_nan" if floats else "plain.max2",
        "min": "plain.fmin_nan" if floats else "plain.min2",
    }[op.kind.data]
    made = lower.add(triton.ScanOp(combine, value, op.dim.value.data, bool(op.reverse.value.data)))
    return (to_element(lower, made, element),)


@lowers(tile.CustomReduceOp)
def custom_reduce(lower: Lowering, op: tile.CustomReduceOp) -> Sequence[SSAValue]:
    values = [lower.get(a) for a in op.arguments]
    body = _combine(lower, op.combine, values)
    made = triton.CustomReduceOp(values, op.dim.value.data, body, [lower.type(r.type) for r in op.results])
    lower.add(made)
    return list(made.results)


@lowers(tile.CustomScanOp)
def custom_scan(lower: Lowering, op: tile.CustomScanOp) -> Sequence[SSAValue]:
    values = [lower.get(a) for a in op.arguments]
    body = _combine(lower, op.combine, values)
    made = triton.CustomScanOp(values, op.dim.value.data, bool(op.reverse.value.data), body)
    lower.add(made)
    return list(made.results)


def _combine(lower: Lowering, region: Region, values: Sequence[SSAValue]) -> Region:
    scalars: list[Attribute] = [tile_type((), _type(v).element_type) for v in values]
    return lower.region(region.block, [*scalars, *scalars])


@lowers(tile.FillOp)
def fill(lower: Lowering, op: tile.FillOp) -> Sequence[SSAValue]:
    value, hint = lower.get(op.operand), op.result.name_hint

    def build(mask: SSAValue) -> Sequence[SSAValue]:
        other = lower.full(op.value.data, value)
        wide = lower.broadcast(mask, _type(value).dims)
        return [lower.call("tl.where", [wide, value, other], _type(value).element_type)]

    if isinstance(mask := op.mask.owner, MaskOp):
        return lower.choose(
            mask.partial.data, {1: lambda: build(lower.mask(mask)), 0: lambda: [value]}, [value.type], hint
        )  # fmt: skip
    return build(lower.get(op.mask))


# ---- products -----------------------------------------------------------------------------------------------------------


@lowers(tile.DotOp)
def dot(lower: Lowering, op: tile.DotOp) -> Sequence[SSAValue]:
    lhs, rhs, acc = (lower.get(v) for v in (op.lhs, op.rhs, op.acc))
    precision = op.precision.data
    if precision not in lower.target.dot_precisions:
        precision = lower.target.dot_precisions[0]
    if not lower.target.rounds_bf16:  # the interpreter multiplies the bits of 16- and 8-bit floats
        lhs, rhs = (
            to_element(lower, v, f32) if _type(v).element_type in (bf16, f8e4m3, f8e5m2) else v for v in (lhs, rhs)
        )
    a, b, c = (_type(v).dims for v in (lhs, rhs, acc))
    if len(a) == 3 and a[0] == 1:  # a batch of one is a plain product, which tensor cores do
        lhs, rhs, flat = lower.reshape(lhs, a[1:]), lower.reshape(rhs, b[1:]), lower.reshape(acc, c[1:])
        made = lower.add(triton.DotOp(lhs, rhs, flat, precision))
        return (lower.reshape(made, c),)
    return (lower.add(triton.DotOp(lhs, rhs, acc, precision)),)


@lowers(tile.GatherOp)
def gather(lower: Lowering, op: tile.GatherOp) -> Sequence[SSAValue]:
    value, index = lower.get(op.operand), lower.cast(lower.get(op.index), i32)
    type_ = tile_type(_type(index).dims, _type(value).element_type)
    made = lower.add(triton.CallOp("tl.gather", [value, index], type_, {"axis": str(op.dim.value.data)}))
    return (made,)


@lowers(tile.RandomOp)
def random(lower: Lowering, op: tile.RandomOp) -> Sequence[SSAValue]:
    seed, offset = lower.get(op.seed), lower.get(op.offset)
    type_ = tile_type(_type(offset).dims, f32)
    made = lower.add(triton.CallOp("tl.rand", [seed, offset], type_, {}))
    return (to_element(lower, made, _type(op.result).element_type),)
