"""Emitter of program loops: which of the launched programs run which blocks."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DictionaryAttr
from xdsl.ir import Attribute

from helion_ir.backend_triton.emitting import Grid, KernelPrinter, emitter
from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.spelling import call_text, is_atom
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.triton.control import KernelOp, ProgramLoopOp, total_parameter


@emitter(ProgramLoopOp)
def emit_program_loop(p: KernelPrinter, op: ProgramLoopOp) -> None:
    loops = _siblings(op)
    position = loops.index(op)
    kind = p.value(op.kind)
    if op is loops[0]:
        p.grids[p.kernel] = _grid(loops, kind)
    elif p.grids[p.kernel].kind != kind:
        raise TritonPrintError(f"{p.kernel}: its program loops are of two kinds")
    if kind == "xyz":
        _on_axes(p, op, alone=len(loops) == 1)
        return
    if kind == "flat" and op.symbols:
        raise TritonPrintError(f"{p.kernel}: a grid whose size is known on the device alone needs persistent programs")
    totals = [_total(p, loop, i) for i, loop in enumerate(loops)]
    pid = p.define(op.body.block.args[0])
    shared = p.names[loops[0].body.block.args[0]]
    if kind == "flat":
        _flat(p, op, pid, f"{shared}_program", totals, position)
        return
    bounds = {"persistent_blocked": _blocked, "persistent_interleaved": _interleaved}
    if kind not in bounds:
        raise TritonPrintError(f"{p.kernel}: no such kind of program loop: {kind!r}")
    range_head(p, pid, bounds[kind](p, shared, totals, position), range_options(p, op.options))
    p.nested(op.body.block)


def range_options(p: KernelPrinter, options: DictionaryAttr | Attribute | None) -> list[str]:
    """The keyword arguments of a tl.range."""
    if options is None:
        return []
    return [f"{k}={p.literal(v)}" for k, v in options.data.items()]  # pyright: ignore


def range_head(p: KernelPrinter, iv: str, bounds: list[str], options: list[str]) -> None:
    """`for iv in tl.range(…):`"""
    p.line(call_text(f"for {iv} in tl.range", bounds + options, p.indent) + ":")


def _siblings(op: ProgramLoopOp) -> list[ProgramLoopOp]:
    block = op.parent_block()
    assert block is not None
    return [o for o in ops_of(block) if isinstance(o, ProgramLoopOp)]


def _grid(loops: Sequence[ProgramLoopOp], kind: object) -> Grid:
    first = loops[0]
    axes = () if first.axes is None else first.axes.data
    return Grid(
        tuple(loop.total for loop in loops),
        kind,  # pyright: ignore[reportArgumentType] - the printer gives a knob's value
        first.multiplier,
        first.reserved,
        axes,
        any(loop.symbols for loop in loops),
    )


def _total(p: KernelPrinter, op: ProgramLoopOp, position: int) -> str:
    """How many blocks a loop has: a parameter's name, or what the kernel computes."""
    kernel, name = op.parent_op(), total_parameter(position)
    if isinstance(kernel, KernelOp):
        scalars = () if kernel.scalars is None else kernel.scalars.data
        if name in kernel.constexprs.data or name in scalars:
            return name
    return p.expr(op.total, [p.name(s) for s in op.symbols])


def _sum(terms: Sequence[str]) -> str:
    return " + ".join(t if is_atom(t) else f"({t})" for t in terms)


def _flat(p: KernelPrinter, op: ProgramLoopOp, pid: str, program: str, totals: list[str], position: int) -> None:
    if len(totals) == 1:
        p.line(f"{pid} = tl.program_id(0)")
        p.block(op.body.block)
        return
    if position == 0:
        p.line(f"{program} = tl.program_id(0)")
    start, end = _sum(totals[:position]), _sum(totals[: position + 1])
    after, before = f"{program} >= {start}", f"{program} < {end}"
    last = position == len(totals) - 1
    p.line(f"if {before if position == 0 else after if last else f'({after}) & ({before})'}:")
    outer, p.indent = p.indent, p.indent + "    "
    p.line(f"{pid} = {program}" if position == 0 else f"{pid} = {program} - {_sum([start])}")
    p.block(op.body.block)
    p.indent = outer


def _blocked(p: KernelPrinter, shared: str, totals: list[str], position: int) -> list[str]:
    """A contiguous share of all blocks, of which each loop runs its part."""
    share, first = f"{shared}_share", f"{shared}_first"
    if position == 0:
        p.line(f"{share} = tl.cdiv({_sum(totals) if len(totals) > 1 else totals[0]}, tl.num_programs(0))")
        p.line(f"{first} = tl.program_id(0) * {share}")
        begin, end = first, f"tl.minimum({first} + {share}, {totals[0]})"
    else:
        start = _sum([_sum(totals[:position])])
        begin = f"tl.maximum({first} - {start}, 0)"
        end = f"tl.minimum({first} + {share} - {start}, {totals[position]})"
    # Programs without a share end before they begin, which MLIR cannot count when it unrolls the loop.
    return [begin, f"tl.maximum({begin}, {end})", "1"]


def _interleaved(p: KernelPrinter, shared: str, totals: list[str], position: int) -> list[str]:
    """Every so-manieth block, counted through all loops."""
    first, programs = "tl.program_id(0)", "tl.num_programs(0)"
    if position > 0:
        start = _sum([_sum(totals[:position])])
        first = f"({first} + {programs} - {start} % {programs}) % {programs}"
    return [first, totals[position], programs]


def _on_axes(p: KernelPrinter, op: ProgramLoopOp, alone: bool) -> None:
    if op.axes is None or not alone:
        raise TritonPrintError(f"{p.kernel}: a grid of several axes is for one loop of several dimensions")
    p.names[op.body.block.args[0]] = (
        "None"  # programs have no number here; a choice between orders of them may pass it on
    )
    for axis, argument in enumerate(op.body.block.args[1:]):
        p.line(f"{p.define(argument)} = tl.program_id({axis})")
    p.block(op.body.block)
