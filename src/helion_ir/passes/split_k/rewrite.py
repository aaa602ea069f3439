"""The two ways to add up the parts of a split loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr, Integer, Symbol
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.host import BindOp
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import SCALAR_I32, RangeType, TileType
from helion_ir.index.expr import CeilDiv, Min, knob, knobs_of, operand
from helion_ir.passes.base import Pass
from helion_ir.passes.dce import remove_dead
from helion_ir.passes.partial_sums import (
    CopyWithout,
    add_buffer,
    add_instead,
    insert,
    release,
    replace,
    site_name,
    unused_name,
    zero_before,
)
from helion_ir.passes.scope import INT32_MAX
from helion_ir.passes.split_k.site import Place, Site
from helion_ir.passes.split_phases import SplitPhases


class SumKnob(NamedTuple):
    """The block size of a range in the first launch, and in the second."""

    old: str
    new: str


def sum_knob(argument: SSAValue) -> SumKnob | None:
    """The knobs of a range's blocks; None where the size is no knob."""
    if not isinstance(argument.type, RangeType) or not isinstance(argument.type.block.data, Symbol):
        return None
    (name,) = knobs_of(argument.type.block.data)
    return SumKnob(name, name.removesuffix(".block_size") + ".sum_block_size")


def add_atomically(owner: Pass, site: Site, split: Expr) -> None:
    """Each program adds its part to the output, which the host has set to zero, unless the author did."""
    assert site.atomic is not None
    root = _parts(owner, site, split, ())
    add_instead(owner, next(op for op in root.body.block.ops if isinstance(op, memory.StoreOp)))
    zero_before(owner, site, site.atomic.ref)
    replace(owner, site.root, [root])


def sum_in_second_launch(owner: Pass, module: ModuleOp, site: Site, split: Expr, most: int) -> None:
    """Each program stores its part; those of a second launch add the parts and do the rest."""
    count = unused_name(site, "_split_k")
    insert(owner, BindOp(count, expr_attr(split)), site.launch)
    before = len(site.launch.arguments)
    buffers = [_buffer(owner, site, p, i, (count, split), most) if p else None for i, p in enumerate(site.places)]
    stores = [op for op in site.root.body.block.ops if isinstance(op, memory.StoreOp)]
    first = _parts(owner, site, split, stores)
    last = first.body.block.args[-1]
    copies = _arguments(site.root, first)
    loop = next(op for op in first.body.block.ops if isinstance(op, control.ForOp))
    at = Block()
    for buffer, place, result in zip(buffers, site.places, loop.results):
        if buffer is not None and place is not None:
            copied = [copies.get(s, s) for s in place.subscripts]
            subscripts = [last, *_subscripts(_axes(copied, site, first), place.leading, at)]
            at.add_op(memory.StoreOp(site_name(buffer), result, buffer, subscripts))
    _move(at, first.body.block)
    second = _sums(site, buffers, split)
    for made in (first, second):
        owner.located(site.root, [made])
        remove_dead(made.body)
    replace(owner, site.root, [first, control.BarrierOp(), second])
    added = site.launch.arguments.data[before:]
    SplitPhases().split(site.kernel, module)
    release(owner, module, added)


def _arguments(root: control.ParallelOp, copy: control.ParallelOp) -> dict[SSAValue, SSAValue]:
    return dict(zip(root.body.block.args, copy.body.block.args))


def _axes(values: Sequence[SSAValue], site: Site, copy: control.ParallelOp) -> list[SSAValue]:
    """Axes of the root by those of its copy."""
    old = [op for op in site.root.body.block.ops if isinstance(op, control.AxisOp)]
    new = [op for op in copy.body.block.ops if isinstance(op, control.AxisOp)]
    known = {o.result: n.result for o, n in zip(old, new)}
    return [known.get(v, v) for v in values]  # pyright: ignore[reportArgumentType, reportCallIssue]


def _parts(owner: Pass, site: Site, split: Expr, without: Sequence[Operation]) -> control.ParallelOp:
    """The root loop with one more dimension, in which a program runs its part of the loop."""
    root, source = site.root, site.root.body.block
    body = Block(arg_types=[*[a.type for a in source.args], SCALAR_I32])
    copier = CopyWithout([*without, site.loop])
    for old, new in zip(source.args, body.args):
        new.name_hint = old.name_hint
        copier.values[old] = new
    part = body.args[-1]
    part.name_hint = "part"
    for op in source.ops:
        if op is site.loop:
            body.add_ops(_part_of(site, part, split, copier))
        elif op not in copier.without:
            body.add_op(copier.op(op))
    lower, upper = [b.data for b in root.lower], [b.data for b in root.upper]
    made = control.ParallelOp(root.label.data, [*lower, Integer(0)], [*upper, split], Region(body))
    if root.schedule is not None:
        made.schedule = root.schedule
    made.location = root.location
    owner.located(root, [made])
    return made


def _part_of(site: Site, part: SSAValue, split: Expr, copier: CopyWithout) -> list[Operation]:
    """The loop over the tiles of one part."""
    loop, block = site.loop, site.block
    lower, upper = loop.lower.data, loop.upper.data
    chunk = CeilDiv(CeilDiv(Integer(site.size), block), split) * block
    begin = ApplyOp(lower + operand(0) * chunk, [part], SCALAR_I32)
    end = ApplyOp(Min(lower + operand(0) * chunk + chunk, upper), [part], SCALAR_I32)
    begin.result.name_hint, end.result.name_hint = "first", "last"
    copied = copier.op(loop)
    assert isinstance(copied, control.ForOp)
    body = copied.detach_region(copied.body)
    made = control.ForOp(
        loop.label.data, operand(0), operand(1), copied.iter_args, body, [begin.result, end.result]
    )  # fmt: skip
    if loop.schedule is not None:
        made.schedule = loop.schedule
    made.location = loop.location
    for old, new in zip(loop.results, made.results):
        new.name_hint = old.name_hint
        copier.values[old] = new
    return [begin, end, made]


def _buffer(owner: Pass, site: Site, place: Place, position: int, split: tuple[str, Expr], most: int) -> SSAValue:
    """A parameter of the kernel for the parts of one carried value."""
    extents = [split[1], *map(Integer, place.extents)]
    wide = most * math.prod(place.extents) > INT32_MAX
    return add_buffer(owner, site, position, extents, [split[0], *map(str, place.extents)], wide=wide)


def _sums(site: Site, buffers: Sequence[SSAValue | None], split: Expr) -> control.ParallelOp:
    """The root loop of the second launch."""
    root, source = site.root, site.root.body.block
    pairs = [p for a in source.args if (p := sum_knob(a)) is not None and _has_own(site, p)]
    copier = CopyWithout([site.loop], {knob(p.old): knob(p.new) for p in pairs})
    body = Block(arg_types=[copier.attr(a.type) for a in source.args])
    for old, new in zip(source.args, body.args):
        new.name_hint = old.name_hint
        copier.values[old] = new
    for op in source.ops:
        if op is site.loop:
            for made in _sum_of(site, buffers, split, copier, body):
                made.location = site.loop.location
        else:
            body.add_op(copier.op(op))
    lower, upper = [b.data for b in root.lower], [b.data for b in root.upper]
    second = control.ParallelOp(f"{root.label.data}.sum", lower, upper, Region(body))
    if root.schedule is not None:
        second.schedule = root.schedule
    second.location = root.location
    return second


def _has_own(site: Site, pair: SumKnob) -> bool:
    module = site.kernel.parent_op()
    assert isinstance(module, ModuleOp)
    from helion_ir.dialects.knob import declarations

    return any(d.sym_name.data == pair.new for d in declarations(module))


def _sum_of(
    site: Site, buffers: Sequence[SSAValue | None], split: Expr, copier: CopyWithout, block: Block
) -> list[Operation]:
    """A loop over the parts, which adds them in order."""
    label = f"{site.root.label.data}.parts"
    used = [(b, p, r) for b, p, r in zip(buffers, site.places, site.loop.results) if b is not None and p is not None]
    types: list[Attribute] = [copier.attr(r.type) for _, _, r in used]
    inits = [compute.FullOp(0, t) for t in types if isinstance(t, TileType)]
    body = Block(arg_types=[SCALAR_I32, *types])
    part, *carried = body.args
    part.name_hint = "part"
    sums: list[SSAValue] = []
    for (buffer, place, result), argument in zip(used, carried):
        subscripts = [part, *_subscripts([copier.values[s] for s in place.subscripts], place.leading, body)]
        loaded = memory.LoadOp(site_name(buffer), buffer, subscripts, argument.type)
        added = elementwise.AddOp(argument, loaded.result)
        body.add_ops([loaded, added])
        sums.append(added.result)
        argument.name_hint = added.result.name_hint = result.name_hint
    body.add_op(control.YieldOp(*sums))
    loop = control.ForOp(label, 0, split, [i.result for i in inits], Region(body))
    for (_, _, old), new in zip(used, loop.results):
        new.name_hint = old.name_hint
        copier.values[old] = new
    block.add_ops([*inits, loop])
    return [*inits, loop]


def _subscripts(values: Sequence[SSAValue], leading: int, block: Block) -> list[SSAValue]:
    """Values as subscripts that give the tile its dimensions and no more: of ranges of one index the index."""
    out: list[SSAValue] = []
    for i, value in enumerate(values):
        if i < leading and isinstance(value.type, RangeType):
            begin = control.BeginOp(value)
            block.add_op(begin)
            value = begin.result
        out.append(value)
    return out


def _move(source: Block, target: Block) -> None:
    for op in list(source.ops):
        op.detach()
        target.add_op(op)
