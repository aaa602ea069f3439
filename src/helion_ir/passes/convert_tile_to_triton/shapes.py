"""Constants, reductions, scans and products."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Integer
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, Operation, Region, SSAValue

from helion_ir.dialects.tile import compute as tile
from helion_ir.dialects.tile.control import MaskOp
from helion_ir.dialects.triton import compute as triton
from helion_ir.dialects.types import (
    TileType,
    bf16,
    bit_width,
    f8e4m3,
    f8e5m2,
    f16,
    f32,
    f64,
    i1,
    i32,
    is_float,
    tile_type,
    u8,
)
from helion_ir.exc import BackendUnsupported
from helion_ir.index.expr import Le, Lt, operand, scalars_of
from helion_ir.index.facts import decide
from helion_ir.index.text import expr_text
from helion_ir.passes.carried_reductions import is_moved, is_sum_of_loop
from helion_ir.passes.convert_tile_to_triton.arithmetic import to_element
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers
from helion_ir.passes.convert_tile_to_triton.views import LANE, taken
from helion_ir.targets.faults import is_miscompiled


def _type(value: SSAValue) -> TileType:
    assert isinstance(value.type, TileType)
    return value.type


@lowers(tile.FullOp)
def full(lower: Lowering, op: tile.FullOp) -> Sequence[SSAValue]:
    made = lower.type(op.result.type)
    assert isinstance(made, TileType)
    return (lower.full_of(op.value, made),)


@lowers(tile.IotaOp)
def iota(lower: Lowering, op: tile.IotaOp) -> Sequence[SSAValue]:
    dims = lower.dims(op.result.type)
    lanes = lower.add(triton.ArangeOp(tile_type(dims, i32)))
    made = lower.apply(op.start.data + op.step.data * operand(0), [lanes], dims)
    return (to_element(lower, made, _type(op.result).element_type),)


# ---- lanes mix --------------------------------------------------------------------------------------------------------


@lowers(tile.ReduceOp)
def reduce(lower: Lowering, op: tile.ReduceOp) -> Sequence[SSAValue]:
    value, kind = lower.get(op.operand), op.kind.data
    wanted = _type(op.result).element_type
    axes = sorted(op.dims, reverse=True)
    if _stays_in_loop(lower, op):
        value, axes = _last_first(lower, value), [*(axis + 1 for axis in axes[1:]), 0]
    for axis in axes:
        value = _reduce_one(lower, value, kind, axis)
    return (to_element(lower, value, wanted),)


def _stays_in_loop(lower: Lowering, op: tile.ReduceOp | tile.CustomReduceOp) -> bool:
    """Whether Triton would be wrong to move this reduction out of its loop, which it does with those of a last dimension."""
    construct = "loop that yields what is made of a reduction"
    return is_moved(op) and not is_sum_of_loop(op) and is_miscompiled(construct, lower.target.arch)


def _last_first(lower: Lowering, value: SSAValue) -> SSAValue:
    last = _type(value).rank - 1
    return lower.add(triton.PermuteOp(value, [last, *range(last)]))


def _reduce_one(lower: Lowering, value: SSAValue, kind: str, axis: int) -> SSAValue:
    element = _type(value).element_type
    if kind in ("argmax", "argmin"):
        dims = _type(value).dims
        lanes = lower.add(triton.ArangeOp(tile_type((dims[axis],), i32)))
        index = lower.broadcast(lower.expand(lanes, axis, len(dims)), dims)
        value = _wide(lower, value)
        return lower.add(triton.ArgReduceOp(f"plain.{kind}_nan", value, index, axis))
    if kind in ("any", "all"):
        wide = lower.cast(value, i32)
        made = lower.add(triton.ReduceOp("tl.max" if kind == "any" else "tl.min", wide, axis))
        return lower.binary("!=", made, lower.full(0, made), i1)
    value = _wide(lower, value)
    floats = is_float(element)
    combine = {
        "sum": "tl.sum",
        "prod": "plain.mul2",
        "max": "plain.fmax_nan" if floats else "tl.max",  # tl.max drops NaN
        "min": "plain.fmin_nan" if floats else "tl.min",
    }[kind]
    return to_element(lower, lower.add(triton.ReduceOp(combine, value, axis)), element)


def _wide(lower: Lowering, value: SSAValue) -> SSAValue:
    """Small elements in 32 bits: devices would add and compare floats in 16, and Triton widens integers by itself."""
    element = _type(value).element_type
    if is_float(element):
        return value if element in (f32, f64) else to_element(lower, value, f32)
    return lower.cast(value, i32) if isinstance(element, IntegerType) and element.width.data < 32 else value


@lowers(tile.ScanOp)
def scan(lower: Lowering, op: tile.ScanOp) -> Sequence[SSAValue]:
    element = _type(op.operand).element_type
    value = _wide(lower, lower.get(op.operand))
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
    values, dim = [lower.get(a) for a in op.arguments], op.dim.value.data
    if _stays_in_loop(lower, op):
        values, dim = [_last_first(lower, v) for v in values], 0
    body = _combine(lower, op.combine, values)
    made = triton.CustomReduceOp(values, dim, body, [lower.type(r.type) for r in op.results])
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

    def build(mask: SSAValue | None) -> Sequence[SSAValue]:
        if mask is None:
            return [value]
        other = lower.full(op.value.data, value)
        wide = lower.broadcast(mask, _type(value).dims)
        return [lower.call("tl.where", [wide, value, other], _type(value).element_type)]

    if isinstance(mask := op.mask.owner, MaskOp):
        return lower.by_mask(mask, build, [value.type], hint)
    return build(lower.get(op.mask))


# ---- products -----------------------------------------------------------------------------------------------------------


@lowers(tile.DotOp)
def dot(lower: Lowering, op: tile.DotOp) -> Sequence[SSAValue]:
    lhs, rhs, acc = (lower.get(v) for v in (op.lhs, op.rhs, op.acc))
    if u8 in (_type(lhs).element_type, _type(rhs).element_type):
        raise BackendUnsupported("a matrix product of uint8 tiles: Triton multiplies int8; convert the operands")
    precision = op.precision.data
    if precision not in lower.target.dot_precisions:
        precision = lower.target.dot_precisions[0]
    if not lower.target.rounds_bf16:  # the interpreter multiplies the bits of 16- and 8-bit floats
        lhs, rhs = (
            to_element(lower, v, f32) if _type(v).element_type in (bf16, f8e4m3, f8e5m2) else v for v in (lhs, rhs)
        )
    elif _is_miscompiled(lower, op):  # every 8-bit number is one of 16 bits
        lhs, rhs = to_element(lower, lhs, f16), to_element(lower, rhs, f16)
    lhs, rhs = _deep_enough(lower, lhs, rhs)
    a, b, c = (_type(v).dims for v in (lhs, rhs, acc))
    if len(a) == 3 and a[0] == 1:  # a batch of one is a plain product, which tensor cores do
        lhs, rhs, flat = lower.reshape(lhs, a[1:]), lower.reshape(rhs, b[1:]), lower.reshape(acc, c[1:])
        made = lower.add(triton.DotOp(lhs, rhs, flat, precision))
        return (lower.reshape(made, c),)
    return (lower.add(triton.DotOp(lhs, rhs, acc, precision)),)


def _is_miscompiled(lower: Lowering, op: tile.DotOp) -> bool:
    """Whether Triton gets this product wrong: of 8-bit floats, the left operand computed from another product."""
    if not {_type(op.lhs).element_type, _type(op.rhs).element_type} <= {f8e4m3, f8e5m2}:
        return False
    if not is_miscompiled("8-bit product of what is computed", lower.target.arch):
        return False
    waiting, seen = [op.lhs], set[SSAValue]()
    while waiting:
        value = waiting.pop()
        owner = value.owner
        if value in seen or not isinstance(owner, Operation):
            continue
        seen.add(value)
        if isinstance(owner, tile.DotOp):
            return True
        waiting += owner.operands
    return False


def _deep_enough(lower: Lowering, lhs: SSAValue, rhs: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Operands with as many terms as tensor cores add up at least: zeros are appended to a constant extent, and block
    sizes that are too small are ruled out."""
    rank, element = _type(lhs).rank, _type(lhs).element_type
    least = lower.target.dot_min_k8 if bit_width(element) == 8 else lower.target.dot_min[2]
    terms = _type(lhs).dims[-1]
    if terms.is_Integer:
        if terms < least:
            lhs = _lengthened(lower, lhs, rank - 1, Integer(least))
            rhs = _lengthened(lower, rhs, rank - 2, Integer(least))
    # What only a call fixes no knob can make larger; Triton refuses the calls in which it is too small.
    elif not scalars_of(terms) and (enough := decide(Le(Integer(least), terms), lower.domains)) != 1:
        reason = f"a matrix product adds up {expr_text(terms)} terms, which must be at least {least}"
        if enough == 0:
            raise BackendUnsupported(reason)
        lower.require(enough, reason)
    return lhs, rhs


def _lengthened(lower: Lowering, value: SSAValue, dim: int, extent: Expr) -> SSAValue:
    """`value` with zeros behind its elements along `dim`."""
    here = _type(value).dims[dim]
    long = taken(lower, value, dim, extent, LANE)
    dims = _type(long).dims
    lanes = lower.add(triton.ArangeOp(tile_type((extent,), i32)))
    there = lower.expand(lower.apply(Lt(LANE, here), [lanes], (extent,), i1), dim, len(dims))
    return lower.call(
        "tl.where", [lower.broadcast(there, dims), long, lower.full(0, long)], _type(long).element_type
    )  # fmt: skip


@lowers(tile.RandomOp)
def random(lower: Lowering, op: tile.RandomOp) -> Sequence[SSAValue]:
    seed, offset = lower.get(op.seed), lower.get(op.offset)
    type_ = tile_type(_type(offset).dims, f32)
    made = lower.add(triton.CallOp("tl.rand", [seed, offset], type_, {}))
    return (to_element(lower, made, _type(op.result).element_type),)
