"""Emitters of constants, arithmetic, calls, shapes, reductions, scans and products."""

from __future__ import annotations

import functools

from xdsl.ir import Operation, Region, SSAValue

from helion_ir.backend_triton.emitting import KernelPrinter, emitter
from helion_ir.backend_triton.spelling import dtype_text, is_atom, number_text
from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.triton.compute import (
    ArangeOp,
    ArgReduceOp,
    BinaryOp,
    BitcastOp,
    BroadcastToOp,
    CallOp,
    CastOp,
    CustomReduceOp,
    CustomScanOp,
    DotOp,
    ExpandDimsOp,
    FullOp,
    JoinOp,
    PermuteOp,
    ReduceOp,
    ReshapeOp,
    ScanOp,
    SplitOp,
    UnaryOp,
)
from helion_ir.dialects.triton.scaled import DotScaledOp
from helion_ir.dialects.triton.types import PointerType
from helion_ir.dialects.types import IntsAttr, TileType, f32


def tile(value: SSAValue) -> TileType:
    """The type of a value that is known to be a tile."""
    assert isinstance(value.type, TileType)
    return value.type


def dtype(value: SSAValue) -> str:
    """`tl.float32`."""
    return dtype_text(tile(value).element_type)


def callee(p: KernelPrinter, name: str) -> str:
    """A function by the name the IR gives it; one of the library's is printed above the kernels."""
    module, _, function = name.partition(".")
    if module == "plain":
        p.library.add(function)
        return f"plain_{function}"
    p.uses_libdevice |= module == "libdevice"
    return name


@emitter(ApplyOp)
def emit_apply(p: KernelPrinter, op: ApplyOp) -> None:
    operands = p.operands(op)
    text = p.expr(op.properties["expr"], operands)  # pyright: ignore
    if operands:
        p.result(op, text)
        return
    result = op.results[0]
    p.names[result] = text if is_atom(text) else f"({text})"
    p.inline.add(result)


@emitter(FullOp)
def emit_full(p: KernelPrinter, op: FullOp) -> None:
    shape, element = op.properties["shape"].data, tile(op.results[0]).element_type  # pyright: ignore
    value = number_text(op.properties["value"], element)  # pyright: ignore
    p.result(op, f"tl.full({p.shape(shape)}, {value}, {dtype_text(element)})")


@emitter(ArangeOp)
def emit_arange(p: KernelPrinter, op: ArangeOp) -> None:
    p.result(op, f"tl.arange(0, {p.constant(op.properties['size'])})")  # pyright: ignore


@emitter(UnaryOp)
def emit_unary(p: KernelPrinter, op: UnaryOp) -> None:
    p.result(op, f"{op.properties['operator'].data}{p.operands(op)[0]}")  # pyright: ignore


@emitter(BinaryOp)
def emit_binary(p: KernelPrinter, op: BinaryOp) -> None:
    a, b = p.operands(op)
    p.result(op, f"{a} {op.properties['operator'].data} {b}")  # pyright: ignore


@emitter(CallOp)
def emit_call(p: KernelPrinter, op: CallOp) -> None:
    arguments = p.operands(op)
    for key, value in op.properties["keywords"].data.items():  # pyright: ignore
        arguments.append(f"{key}={value.data}")
    p.result(op, f"{callee(p, op.properties['callee'].data)}({', '.join(arguments)})")  # pyright: ignore


@emitter(CastOp)
def emit_cast(p: KernelPrinter, op: CastOp) -> None:
    _cast(p, op, "")


@emitter(BitcastOp)
def emit_bitcast(p: KernelPrinter, op: BitcastOp) -> None:
    _cast(p, op, ", bitcast=True")


def _cast(p: KernelPrinter, op: Operation, option: str) -> None:
    (operand,) = op.operands
    name, to = p.names[operand], dtype(op.results[0])
    # A scalar may be a number of Python's, such as a parameter that Triton specialized on 1, and has no methods then.
    if tile(operand).rank:
        p.result(op, f"{name}.to({to}{option})")
    else:
        p.result(op, f"tl.cast({name}, {to}{option})")


@functools.cache
def _subscript(positions: IntsAttr, rank: int) -> str:
    return f"[{', '.join('None' if i in positions.data else ':' for i in range(rank))}]"


@emitter(ExpandDimsOp)
def emit_expand_dims(p: KernelPrinter, op: ExpandDimsOp) -> None:
    (operand,) = op.operands
    rank = tile(op.results[0]).rank
    positions = op.properties["positions"]
    if tile(operand).rank:
        p.result(op, f"{p.names[operand]}{_subscript(positions, rank)}")  # pyright: ignore
    else:
        p.result(op, _filled(p, operand, f"[{', '.join(['1'] * rank)}]"))


def _filled(p: KernelPrinter, scalar: SSAValue, shape: str) -> str:
    # tl.broadcast_to refuses numbers of Python's, and tl.full makes no pointers.
    if isinstance(tile(scalar).element_type, PointerType):
        return f"tl.broadcast_to({p.names[scalar]}, {shape})"
    return f"tl.full({shape}, {p.names[scalar]}, {dtype(scalar)})"


@emitter(BroadcastToOp)
def emit_broadcast_to(p: KernelPrinter, op: BroadcastToOp) -> None:
    (operand,) = op.operands
    shape = p.shape(op.properties["shape"].data)  # pyright: ignore
    p.result(op, f"tl.broadcast_to({p.names[operand]}, {shape})" if tile(operand).rank else _filled(p, operand, shape))


@emitter(ReshapeOp)
def emit_reshape(p: KernelPrinter, op: ReshapeOp) -> None:
    (operand,) = op.operands
    shape = p.shape(op.properties["shape"].data)  # pyright: ignore
    if not tile(operand).rank:
        p.result(op, _filled(p, operand, shape))
    elif shape == "[]":
        # Triton has no tensors of rank 0; the reduction of one element is that element, in a type of its own choice.
        p.result(op, f"tl.max(tl.reshape({p.names[operand]}, [1]), 0).to({dtype(operand)})")
    else:
        p.result(op, f"tl.reshape({p.names[operand]}, {shape})")


@emitter(PermuteOp)
def emit_permute(p: KernelPrinter, op: PermuteOp) -> None:
    p.result(op, f"tl.permute({p.operands(op)[0]}, {list(op.properties['order'].data)})")  # pyright: ignore


@emitter(SplitOp)
def emit_split(p: KernelPrinter, op: SplitOp) -> None:
    (operand,) = p.operands(op)
    p.line(f"{', '.join(p.define(r) for r in op.results)} = tl.split({operand})")


@emitter(JoinOp)
def emit_join(p: KernelPrinter, op: JoinOp) -> None:
    p.result(op, f"tl.join({', '.join(p.operands(op))})")


@emitter(ReduceOp)
def emit_reduce(p: KernelPrinter, op: ReduceOp) -> None:
    properties = op.properties
    combine: str = properties["combine"].data  # pyright: ignore
    (operand,), axis = p.operands(op), properties["axis"].value.data  # pyright: ignore
    if combine.startswith("tl."):
        p.result(op, f"{combine}({operand}, {axis})")
    else:
        p.result(op, f"tl.reduce({operand}, {axis}, {callee(p, combine)})")


@emitter(ArgReduceOp)
def emit_arg_reduce(p: KernelPrinter, op: ArgReduceOp) -> None:
    properties = op.properties
    (operand, index), axis = p.operands(op), properties["axis"].value.data  # pyright: ignore
    # Not `_, r =`: in a loop Triton carries `_` on, and its type must not change.
    function = callee(p, properties["combine"].data)  # pyright: ignore
    p.result(op, f"tl.reduce(({operand}, {index}), {axis}, {function})[1]")


@emitter(ScanOp)
def emit_scan(p: KernelPrinter, op: ScanOp) -> None:
    properties = op.properties
    combine: str = properties["combine"].data  # pyright: ignore
    (operand,), axis = p.operands(op), properties["axis"].value.data  # pyright: ignore
    reverse = _reverse(op)
    if combine.startswith("tl."):
        p.result(op, f"{combine}({operand}, {axis}{reverse})")
    else:
        p.result(op, f"tl.associative_scan({operand}, {axis}, {callee(p, combine)}{reverse})")


def _reverse(op: Operation) -> str:
    return ", reverse=True" if op.properties["reverse"].value.data else ""  # pyright: ignore


@emitter(CustomReduceOp)
def emit_custom_reduce(p: KernelPrinter, op: CustomReduceOp) -> None:
    _custom(p, op, "tl.reduce", "")


@emitter(CustomScanOp)
def emit_custom_scan(p: KernelPrinter, op: CustomScanOp) -> None:
    _custom(p, op, "tl.associative_scan", _reverse(op))


def _custom(p: KernelPrinter, op: Operation, function: str, option: str) -> None:
    operands = p.operands(op)
    axis = op.properties["axis"].value.data  # pyright: ignore
    combine = combine_function(p, op.regions[0])
    argument = operands[0] if len(operands) == 1 else f"({', '.join(operands)})"
    targets = ", ".join([p.define(r) for r in op.results])
    p.line(f"{targets} = {function}({argument}, {axis}, {combine}{option})")


def combine_function(p: KernelPrinter, region: Region) -> str:
    """Print a region as a `@triton.jit` function above the kernel; gives its name."""
    name = f"{p.kernel}_combine{len(p.functions)}"
    block = region.block
    # Triton's functions see nothing of the kernel's values or parameters.
    outer = p.lines, p.indent, p.names, p.inline, p.constexprs
    p.lines, p.indent, p.names, p.inline, p.constexprs = [], "    ", {}, set(), frozenset()
    p.functions.append(p.lines)
    p.lines += ["@triton.jit", ""]
    p.lines[1] = f"def {name}({', '.join([p.define(a) for a in block.args])}):"
    p.block(block)
    last = block.last_op
    assert last is not None
    p.line(f"return {', '.join([p.typed(v) for v in last.operands])}")
    p.lines, p.indent, p.names, p.inline, p.constexprs = outer
    return name


@emitter(DotOp)
def emit_dot(p: KernelPrinter, op: DotOp) -> None:
    lhs, rhs, acc = p.operands(op)
    precision: str = op.properties["precision"].data  # pyright: ignore
    options = f', input_precision="{precision}"' if precision else ""
    if (element := tile(op.results[0]).element_type) != f32:
        options += f", out_dtype={dtype_text(element)}"
    p.result(op, f"tl.dot({lhs}, {rhs}, {acc}{options})")


@emitter(DotScaledOp)
def emit_dot_scaled(p: KernelPrinter, op: DotScaledOp) -> None:
    a, a_scale, b, b_scale, acc = p.operands(op)
    formats = op.lhs_format.data, op.rhs_format.data
    p.result(op, f'tl.dot_scaled({a}, {a_scale}, "{formats[0]}", {b}, {b_scale}, "{formats[1]}", acc={acc})')
