"""Emitters of kernels, loops, branches and choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import DictionaryAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from helion_ir.backend_triton.emit_programs import range_head, range_options
from helion_ir.backend_triton.emitting import KernelPrinter, emitter
from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.printed import Kernel
from helion_ir.backend_triton.spelling import (
    argument_value,
    call_text,
    dtype_text,
    is_atom,
    literal_text,
    signature_text,
)
from helion_ir.dialects import knob
from helion_ir.dialects.triton.control import ConditionOp, ForOp, IfOp, KernelOp, WhileOp, YieldOp
from helion_ir.dialects.triton.memory import UndefinedOp
from helion_ir.dialects.triton.switch import SwitchOp

_NOTHING = DictionaryAttr({})
_WORD = re.compile(r"[A-Za-z_]\w*")
STATIC = "_static"
"""What ends the name of the Python integer that an unrolled loop counts with."""


_PROGRAMMATIC = {"wait": "    tl.extra.cuda.gdc_wait()", "launch": "    tl.extra.cuda.gdc_launch_dependents()"}


def scalars(op: KernelOp) -> Mapping[str, Attribute]:
    """The parameters of a kernel that the host computes, with their values."""
    return (op.scalars or _NOTHING).data


@emitter(KernelOp)
def emit_kernel(p: KernelPrinter, op: KernelOp) -> None:
    properties = op.properties
    name: str = properties["sym_name"].data  # pyright: ignore
    constexprs: Mapping[str, Attribute] = properties["constexprs"].data  # pyright: ignore
    block = op.regions[0].block
    parameters: dict[str, str] = {}
    for arg, arg_name in zip(block.args, properties["arg_names"].data):  # pyright: ignore
        p.names[arg] = arg_name.data
        parameters[arg_name.data] = signature_text(arg.type)
    parameters |= dict.fromkeys(scalars(op), "i32")
    p.constexprs = frozenset(constexprs)
    p.kernel, p.unnamed, p.uses_descriptors, p.host_descriptors = name, 0, False, {}
    free = [n for n, t in parameters.items() if not t.startswith("*")] if p.options.do_not_specialize else []
    p.origin = None
    start = len(p.lines)
    programmatic = {a.data for a in op.programmatic or ()}
    for word in ("wait", "launch"):  # the kernels after this one wait for it themselves
        if word in programmatic:
            p.lines.append(_PROGRAMMATIC[word])
    p.nested(block)
    if "launch_last" in programmatic:
        p.lines.append(_PROGRAMMATIC["launch"])
    # A parameter that the text does not use would only make Triton compile it anew for each of its values.
    used = set(_WORD.findall("\n".join(p.lines[start:])))
    known = tuple(c for c in constexprs if c in used)
    p.lines[start:start] = [
        f"@triton.jit(do_not_specialize={free})" if free else "@triton.jit",
        call_text(f"def {name}", [*parameters, *p.host_descriptors, *(f"{c}: tl.constexpr" for c in known)]) + ":",
    ]
    p.kernels[name] = Kernel(name, parameters, known, p.uses_descriptors, p.host_descriptors)


@emitter(ForOp)
def emit_for(p: KernelPrinter, op: ForOp) -> None:
    properties = op.properties
    iv, *carried = op.regions[0].block.args
    symbols, inits = op.symbols, op.iter_args
    targets = start_carried(p, carried, inits)
    if (static := properties.get("static")) is not None and p.value(static):
        bounds = [p.constant(properties[k]) for k in ("lower", "upper", "step")]  # pyright: ignore
        # Of an unrolled loop the variable is Python's; as a scalar of Triton's it has a type like any other.
        name = p.define(iv)
        element = dtype_text(iv.type.element_type)  # pyright: ignore
        p.line(f"for {name}{STATIC} in tl.static_range({', '.join(bounds)}):")
        p.nested(op.regions[0].block, targets, f"{name} = tl.full([], {name}{STATIC}, {element})")
    else:
        operands = [p.names[s] for s in symbols]
        bounds = [p.expr(properties[k], operands) for k in ("lower", "upper", "step")]  # pyright: ignore
        range_head(p, p.define(iv), bounds, range_options(p, properties["options"]))
        p.nested(op.regions[0].block, targets)
    for target, result in zip(targets, op.results):
        p.names[result] = target


def start_carried(p: KernelPrinter, carried: Sequence[SSAValue], inits: Sequence[SSAValue]) -> list[str]:
    """Assign the initial values of what a loop carries; gives the names."""
    sources = [p.typed(i) for i in inits]
    targets = [p.define(a) for a in carried]
    p.assign(targets, sources)
    return targets


@emitter(WhileOp)
def emit_while(p: KernelPrinter, op: WhileOp) -> None:
    before, after = op.regions[0].block, op.regions[1].block
    condition, last = before.last_op, after.last_op
    assert isinstance(condition, ConditionOp) and isinstance(last, YieldOp)
    state = start_carried(p, before.args, op.inits)
    # Triton's while has one expression, so its region is printed ahead of the loop and again at the end of the body,
    # under the same names: also what has no hint, hence the counter.
    unnamed = p.unnamed
    p.block(before)
    test, passed = p.name(condition.condition), [p.name(a) for a in condition.arguments]
    p.line(f"while {test}:")
    outer, p.indent = p.indent, p.indent + "    "
    for arg, name in zip(after.args, passed):
        p.names[arg] = name
    p.block(after)
    p.assign(state, [p.typed(v) for v in last.operands])
    p.unnamed, inner = unnamed, p.unnamed
    p.block(before)
    p.unnamed = inner
    if p.lines[-1].startswith(f"{outer}while "):
        p.line("pass")
    p.indent = outer
    for result, name in zip(op.results, passed):
        p.names[result] = name


@emitter(IfOp)
def emit_if(p: KernelPrinter, op: IfOp) -> None:
    targets = [p.define(r) for r in op.results]
    p.line(f"if {p.name(op.operands[0])}:")
    p.nested(op.regions[0].block, targets)
    orelse = op.regions[1].block
    if targets or not (orelse.first_op is None or isinstance(orelse.first_op, YieldOp)):
        p.line("else:")
        p.nested(orelse, targets)


@emitter(knob.ChooseOp)
def emit_choose(p: KernelPrinter, op: knob.ChooseOp) -> None:
    value = p.value(op.properties["selector"])
    try:
        block = op.alternative(value).block
    except KeyError:
        raise TritonPrintError(f"{p.kernel}: no alternative for {knob.value_text(value)} of {op.selector}") from None
    p.block(block)
    last = block.last_op
    assert last is not None
    for result, chosen in zip(op.results, last.operands):
        if chosen in p.undefined:
            p.undefined.add(result)
            continue
        p.names[result] = p.names[chosen]
        if chosen in p.inline:
            p.inline.add(result)


@emitter(SwitchOp)
def emit_switch(p: KernelPrinter, op: SwitchOp) -> None:
    targets = [p.define(r) for r in op.results]
    cases = [c.data for c in op.cases]
    blocks = {case: region.block for case, region in zip(cases, op.alternatives)}
    if set(cases) == {0, 1}:
        condition = p.constant(op.selector)
        cases = [1, 0]
        if _says_nothing(blocks[1]):
            condition, cases = f"not {condition if is_atom(condition) else f'({condition})'}", [0, 1]
        tests = [condition]
    else:
        selector = p.constant(op.selector)
        selector = selector if is_atom(selector) else f"({selector})"
        tests = [
            f"{selector} {'is' if case is None else '=='} {literal_text(argument_value(case))}" for case in cases[:-1]
        ]
    for test, case in zip([*tests, ""], cases):
        if test:
            p.line(f"{'if' if case == cases[0] else 'elif'} {test}:")
        elif _says_nothing(blocks[case]):
            break
        else:
            p.line("else:")
        p.nested(blocks[case], targets)


def _says_nothing(block: Block) -> bool:
    """Whether no line comes of an alternative."""
    *ops, last = block.ops
    return all(isinstance(op, UndefinedOp) for op in ops) and all(
        isinstance(v.owner, UndefinedOp) for v in last.operands
    )


@emitter(YieldOp)
@emitter(knob.YieldOp)
@emitter(ConditionOp)
@emitter(knob.DeclareOp)
@emitter(knob.RequireOp)
@emitter(knob.RuledOutOp)
def emit_nothing(p: KernelPrinter, op: Operation) -> None:
    """What ends a block is printed by the op that holds it; declarations say nothing to Triton."""
