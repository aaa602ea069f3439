"""Views: what only moves elements. Triton reshapes, permutes, joins and splits powers of two; the rest is gathered."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Integer, expand
from xdsl.ir import SSAValue

from helion_ir.dialects.tile import compute as tile
from helion_ir.dialects.triton import compute as triton
from helion_ir.dialects.types import TileType, i1, i32, tile_type
from helion_ir.index.expr import FloorDiv, Lt, Max, Min, Mod, operand
from helion_ir.index.text import expr_text
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers
from helion_ir.passes.reshape_groups import groups_of, logical
from helion_ir.passes.scope import physical

LANE = operand(0)


def _type(value: SSAValue) -> TileType:
    assert isinstance(value.type, TileType)
    return value.type


def padded(dim: Expr) -> bool:
    """Whether an extent is a constant that is no power of two, so that lanes beyond it are inactive."""
    return physical(dim) != dim


def taken(lower: Lowering, value: SSAValue, dim: int, extent: Expr, index: Expr) -> SSAValue:
    """The elements of `value` at `index`, an expression of the lane, along `dim`, whose extent becomes `extent`.

    Indices are clamped to the elements there are, since what is read beyond them is undefined.
    """
    dims = list(_type(value).dims)
    last = dims[dim] - 1
    dims[dim] = extent
    if last == 0:
        return lower.broadcast(value, dims)
    lanes = lower.add(triton.ArangeOp(tile_type((extent,), i32)))
    line = lower.apply(Min(Max(index, Integer(0)), last), [lanes], (extent,))
    return gathered(lower, value, dim, lower.broadcast(lower.expand(line, dim, len(dims)), dims))


def gathered(lower: Lowering, value: SSAValue, dim: int, index: SSAValue) -> SSAValue:
    """`tl.gather`: the index has the value's extents but along `dim`, and is within them.

    Of fewer elements than the index has along `dim`, it is repeated first: Triton finds no layout for some such gathers.
    """
    dims, extent = _type(value).dims, _type(index).dims[dim]
    if extent.is_Integer and dims[dim].is_Integer and int(extent) > int(dims[dim]) > 1:
        times = Integer(int(extent) // int(dims[dim]))
        value = lower.add(triton.ExpandDimsOp(value, [dim]))
        value = lower.broadcast(value, [*dims[:dim], times, *dims[dim:]])
        value = lower.reshape(value, [*dims[:dim], extent, *dims[dim + 1 :]])
    type_ = tile_type(_type(index).dims, _type(value).element_type)
    return lower.add(triton.CallOp("tl.gather", [value, index], type_, {"axis": str(dim)}))


@lowers(tile.BroadcastOp)
def broadcast(lower: Lowering, op: tile.BroadcastOp) -> Sequence[SSAValue]:
    return (lower.broadcast(lower.get(op.operand), lower.dims(op.result.type)),)


@lowers(tile.PermuteOp)
def permute(lower: Lowering, op: tile.PermuteOp) -> Sequence[SSAValue]:
    return (lower.add(triton.PermuteOp(lower.get(op.operand), op.order.data)),)


# ---- reshape --------------------------------------------------------------------------------------------------------


@lowers(tile.ReshapeOp)
def reshape(lower: Lowering, op: tile.ReshapeOp) -> Sequence[SSAValue]:
    source, result = _type(op.operand).dims, _type(op.result).dims
    value, dims = lower.get(op.operand), lower.dims(op.result.type)
    if source == result:
        return (value,)
    kept = tuple(d for d in source if d != 1)
    if kept == source and kept == tuple(d for d in result if d != 1) and kept:  # unsqueeze
        return (lower.add(triton.ExpandDimsOp(value, [i for i, d in enumerate(result) if d == 1])),)
    groups = groups_of(source, result)
    if not any(_remaps(a, b) for a, b in groups):
        return (lower.reshape(value, dims),)
    value = lower.reshape(value, [_product(a) for a, _ in groups])
    for i, (a, b) in enumerate(groups):
        if _remaps(a, b):
            if any(not d.is_Integer for d in (*a, *b)):
                raise _no_power(f"reshaping a tile of shape {_texts(source)} to {_texts(result)}")
            value = taken(lower, value, i, _product(b), _position(a, b))
    return (lower.reshape(value, dims),)


def _texts(dims: Sequence[Expr]) -> str:
    return f"[{', '.join(expr_text(d) for d in dims)}]"


def _no_power(what: str) -> Exception:
    from helion_ir.exc import BackendUnsupported

    return BackendUnsupported(
        f"{what}: an extent is no power of two, and merges with one that a block size decides; keep the dimensions apart, "
        "as in v.sum((0, 1)) in the place of v.flatten().sum()"
    )


def _product(dims: Sequence[Expr]) -> Expr:
    return logical([physical(d) for d in dims])


def _remaps(source: Sequence[Expr], result: Sequence[Expr]) -> bool:
    """Whether elements change place in the padded tile: they stay where only what leads is padded, as in [5, 2] to 10."""
    if list(source) == list(result) or not any(padded(d) for d in (*source, *result)):
        return False
    inner = any(padded(d) for d in (*source[1:], *result[1:]))
    return inner or expand(_product(source)) != expand(_product(result))  # pyright: ignore


def _position(source: Sequence[Expr], result: Sequence[Expr]) -> Expr:
    """Where in the padded source the element stands that goes to a lane of the padded result."""
    linear = _relinearized(LANE, [physical(d) for d in result], result)
    return _relinearized(linear, source, [physical(d) for d in source])


def _relinearized(index: Expr, dims: Sequence[Expr], strides_of: Sequence[Expr]) -> Expr:
    """The coordinates of `index` in row-major `dims`, as an index in `strides_of`."""
    out: Expr = Integer(0)
    for k, d in enumerate(dims):
        at = FloorDiv(index, logical(dims[k + 1 :]))
        out = out + (Mod(at, d) if k else at) * logical(strides_of[k + 1 :])
    return out


# ---- parts ----------------------------------------------------------------------------------------------------------


@lowers(tile.SliceOp)
def slice_(lower: Lowering, op: tile.SliceOp) -> Sequence[SSAValue]:
    dim, start, step = op.dim.value.data, op.start.data, op.step.data
    extent, count = _type(op.operand).dims[dim], _type(op.result).dims[dim]
    value, wanted = lower.get(op.operand), lower.dims(op.result.type)[dim]
    if start == 0 and step == 1 and _type(value).dims[dim] == wanted:
        return (value,)  # what is cut off becomes padding
    halves = not padded(extent) and (count * 2 == extent or count == FloorDiv(extent, Integer(2)))
    if halves and ((step == 1 and start in (0, count)) or (step == 2 and start in (0, 1))):
        return (_half(lower, value, dim, wanted, by_pairs=step == 2, second=start != 0),)
    return (taken(lower, value, dim, wanted, start + step * LANE),)


def _half(lower: Lowering, value: SSAValue, dim: int, half: Expr, by_pairs: bool, second: bool) -> SSAValue:
    """A first or second half, or every second element, which tl.split gives without leaving registers."""
    dims, rank = list(_type(value).dims), _type(value).rank
    pair = [half, Integer(2)] if by_pairs else [Integer(2), half]
    place = dim + 1 if by_pairs else dim
    order = [*[i for i in range(rank + 1) if i != place], place]
    wide = lower.reshape(value, [*dims[:dim], *pair, *dims[dim + 1 :]])
    parts = triton.SplitOp(lower.add(triton.PermuteOp(wide, order)))
    lower.add(parts)
    return parts.results[1 if second else 0]


@lowers(tile.FlipOp)
def flip(lower: Lowering, op: tile.FlipOp) -> Sequence[SSAValue]:
    value, logical = lower.get(op.operand), _type(op.operand).dims
    for dim in op.flipped.data:
        value = taken(lower, value, dim, _type(value).dims[dim], logical[dim] - 1 - LANE)
    return (value,)


@lowers(tile.CatOp)
def concatenate(lower: Lowering, op: tile.CatOp) -> Sequence[SSAValue]:
    """Two tiles of one shape are joined in a new last dimension, which moves to where it belongs; else lanes choose."""
    dim, dims = op.dim.value.data, lower.dims(op.result.type)
    values = [lower.get(a) for a in op.arguments]
    logical = [_type(a).dims[dim] for a in op.arguments]
    if len(values) == 1:
        return values
    if len(values) == 2 and logical[0] == logical[1] and not padded(logical[0]):
        joined, rank = lower.add(triton.JoinOp(*values)), len(dims)
        order = [*range(dim), rank, *range(dim, rank)]
        return (lower.reshape(lower.add(triton.PermuteOp(joined, order)), dims),)
    extent = dims[dim]
    lanes = lower.add(triton.ArangeOp(tile_type((extent,), i32)))
    end: Expr = sum(logical, Integer(0))
    out: SSAValue | None = None
    for value, size in zip(reversed(values), reversed(logical)):
        begin = end - size
        part = taken(lower, value, dim, extent, LANE - begin)
        if out is None:
            out = part
        else:
            before = lower.apply(Lt(LANE, end), [lanes], (extent,), i1)
            before = lower.broadcast(lower.expand(before, dim, len(dims)), dims)
            out = lower.call("tl.where", [before, part, out], _type(part).element_type)
        end = begin
    assert out is not None
    return (out,)


@lowers(tile.GatherOp)
def gather(lower: Lowering, op: tile.GatherOp) -> Sequence[SSAValue]:
    from helion_ir.exc import BackendUnsupported

    value, index, dim = lower.get(op.operand), lower.cast(lower.get(op.index), i32), op.dim.value.data
    source, dims = _type(value).dims, _type(index).dims
    if any(a != b for i, (a, b) in enumerate(zip(source, dims)) if i != dim):
        raise BackendUnsupported(
            f"torch.gather of a tile of shape {list(_type(op.operand).dims)} with an index of shape "
            f"{list(_type(op.index).dims)}: only dimension {dim} may differ"
        )
    # Inactive lanes may hold any index.
    safe = lower.apply(Min(Max(LANE, Integer(0)), source[dim] - 1), [index], dims)
    return (gathered(lower, value, dim, safe),)
