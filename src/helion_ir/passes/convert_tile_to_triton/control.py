"""Loops, branches and ranges."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Block, Operation, Region, SSAValue

from helion_ir.dialects import knob
from helion_ir.dialects.editing import name_after
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.tile import control as tile
from helion_ir.dialects.triton import control as triton
from helion_ir.dialects.types import SCALAR_I32, SCALAR_I64, RangeType, i64
from helion_ir.index.expr import FloorDiv, Max, Min, operand, substitute
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, Range, lowers
from helion_ir.passes.loop_knobs import loop_options, static_option
from helion_ir.passes.scope import exceeds_int32


@lowers(triton.ProgramLoopOp)
def program_loop(lower: Lowering, op: triton.ProgramLoopOp) -> Sequence[SSAValue]:
    symbols = [lower.get(s) for s in op.symbols]
    body = lower.region(op.body.block, [SCALAR_I32] * len(op.body.block.args))
    made = triton.ProgramLoopOp(op.total.data, op.kind, body, symbols=symbols)
    made.properties.update(op.properties)
    lower.add(made)
    return ()


@lowers(tile.BlockOp)
def block(lower: Lowering, op: tile.BlockOp) -> Sequence[SSAValue]:
    assert isinstance(op.result.type, RangeType)
    symbols = [lower.get(s) for s in op.symbols]
    shifted = {operand(i): operand(i + 1) for i in range(len(symbols))}
    first = operand(0) * op.result.type.block.data + substitute(op.lower.data, shifted)
    wide = exceeds_int32(op.upper.data, lower.wide_scalars)
    offset = lower.apply(first, [lower.cast(lower.get(op.position), i64) if wide else lower.get(op.position), *symbols])
    name_after(offset, op.result, "block", ".begin")
    lower.define_range(op.result, offset)
    return ()


@lowers(tile.AxisOp)
def axis(lower: Lowering, op: tile.AxisOp) -> Sequence[SSAValue]:
    offset = lower.apply(op.lower.data, [])
    lower.define_range(op.result, offset)
    return ()


@lowers(tile.PartOp)
def part(lower: Lowering, op: tile.PartOp) -> Sequence[SSAValue]:
    assert isinstance(op.result.type, RangeType)
    symbols = [lower.get(s) for s in op.symbols]
    at = substitute(op.at.data, {operand(i): operand(i + 1) for i in range(len(symbols))})
    base = lower.ranges[op.range].offset
    offset = lower.apply(operand(0) + at * op.result.type.block.data, [base, *symbols])
    name_after(offset, op.result, "part", ".begin")
    lower.define_range(op.result, offset)
    return ()


@lowers(tile.ShiftOp)
def shift(lower: Lowering, op: tile.ShiftOp) -> Sequence[SSAValue]:
    base, k = lower.ranges[op.range], lower.get(op.offset)
    moved = operand(0) + operand(1)
    index = lower.apply(moved, [base.index, k], (base.block,))
    first = lower.apply(moved, [base.offset, k])
    lower.ranges[op.result] = Range(first, index, base.bounds, base.block, base.active, base.first)
    return ()


@lowers(tile.BeginOp)
def begin(lower: Lowering, op: tile.BeginOp) -> Sequence[SSAValue]:
    return (lower.ranges[op.range].offset,)


@lowers(tile.EndOp)
def end(lower: Lowering, op: tile.EndOp) -> Sequence[SSAValue]:
    r = lower.ranges[op.range]
    symbols = [lower.get(s) for s in r.bounds.symbols]
    upper = substitute(r.bounds.upper, {operand(i): operand(i + 1) for i in range(len(symbols))})
    return (lower.apply(Min(operand(0) + r.block, upper), [r.offset, *symbols]),)


@lowers(tile.IdOp)
def position(lower: Lowering, op: tile.IdOp) -> Sequence[SSAValue]:
    r = lower.ranges[op.range]
    return (lower.apply(FloorDiv(operand(0), r.block), [r.offset]),)


@lowers(tile.IndexOp)
def index(lower: Lowering, op: tile.IndexOp) -> Sequence[SSAValue]:
    return (lower.cast(lower.ranges[op.range].index, op.result.type.element_type),)  # pyright: ignore


@lowers(ApplyOp)
def apply(lower: Lowering, op: ApplyOp) -> Sequence[SSAValue]:
    arguments = [lower.get(a) for a in op.arguments]
    return (lower.add(ApplyOp(op.expr.data, arguments, lower.type(op.result.type))),)


@lowers(tile.MaskOp)
def mask(lower: Lowering, op: tile.MaskOp) -> Sequence[SSAValue]:
    return ()  # lowered where it is used


@lowers(tile.ForOp)
def loop(lower: Lowering, op: tile.ForOp) -> Sequence[SSAValue]:
    source = op.body.block
    variable = source.args[0]
    symbols = [lower.get(s) for s in op.symbols]
    step = variable.type.block if isinstance(variable.type, RangeType) else op.step or expr_attr(1)
    wide = any(s.type == SCALAR_I64 for s in symbols) or exceeds_int32(op.upper.data, lower.wide_scalars)
    iv_type = SCALAR_I64 if wide else SCALAR_I32

    def ranges(body: Block) -> None:
        if isinstance(variable.type, RangeType):
            name_after(body.args[0], variable, op.label.data, ".begin")
            lower.define_range(variable, body.args[0])

    inits = [lower.get(a) for a in op.iter_args]
    body = lower.region(source, [iv_type, *[i.type for i in inits]], ranges)
    options = loop_options(lower.domains, op.label.data)
    static = static_option(lower.domains, op.label.data)
    upper = op.upper.data
    if symbols and "loop_unroll_factor" in options:
        # MLIR counts the iterations of a loop that is unrolled in part with an unsigned division: of a range that ends
        # before it begins there are a great many, and the loop for those left over runs once more.
        upper = Max(op.lower.data, upper)
    made = triton.ForOp(op.lower.data, upper, step.data, inits, body, symbols, options, static)
    lower.add(made)
    return list(made.results)


@lowers(tile.IfOp)
def branch(lower: Lowering, op: tile.IfOp) -> Sequence[SSAValue]:
    types = [lower.type(r.type) for r in op.results]
    then, orelse = (lower.region(r.block, []) for r in (op.then, op.orelse))
    made = triton.IfOp(lower.get(op.condition), then, orelse, types)
    lower.add(made)
    return list(made.results)


@lowers(tile.WhileOp)
def while_loop(lower: Lowering, op: tile.WhileOp) -> Sequence[SSAValue]:
    inits = [lower.get(i) for i in op.inits]
    types = [i.type for i in inits]
    made = triton.WhileOp(inits, lower.region(op.before.block, types), lower.region(op.after.block, types))
    lower.add(made)
    return list(made.results)


@lowers(tile.ConditionOp)
def condition(lower: Lowering, op: tile.ConditionOp) -> Sequence[SSAValue]:
    lower.add(triton.ConditionOp(lower.get(op.condition), *[lower.get(a) for a in op.arguments]))
    return ()


@lowers(tile.YieldOp)
def yield_(lower: Lowering, op: tile.YieldOp) -> Sequence[SSAValue]:
    lower.add(triton.YieldOp(*[lower.get(a) for a in op.arguments]))
    return ()


@lowers(knob.YieldOp)
def knob_yield(lower: Lowering, op: knob.YieldOp) -> Sequence[SSAValue]:
    lower.add(knob.YieldOp(*[lower.get(a) for a in op.arguments]))
    return ()


@lowers(knob.ChooseOp)
def choose(lower: Lowering, op: knob.ChooseOp) -> Sequence[SSAValue]:
    regions: list[Region] = [lower.region(r.block, []) for r in op.alternatives]
    types = [lower.type(r.type) for r in op.results]
    made: Operation = knob.ChooseOp(op.selector, [c.data for c in op.cases], regions, types)
    lower.add(made)
    return list(made.results)
