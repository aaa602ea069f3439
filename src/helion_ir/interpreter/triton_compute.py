"""Values of the triton dialect: constants, arithmetic, shapes, reductions, products."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from xdsl.ir import SSAValue

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.triton.compute import (
    ArangeOp,
    ArgReduceOp,
    BinaryOp,
    BitcastOp,
    BroadcastToOp,
    CallOp,
    CastOp,
    DotOp,
    ExpandDimsOp,
    FullOp,
    JoinOp,
    PermuteOp,
    ReduceOp,
    ReshapeOp,
    ScanOp,
    ShapedOp,
    SplitOp,
    UnaryOp,
)
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.calls import combine_function, resolve
from helion_ir.interpreter.combine import folded, prefixes
from helion_ir.interpreter.elementwise import divide, fmod, lifted, widened
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.mixing import dot
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Pointer, as_tensor, dtype_of, dtype_or_none, full, highest, lowest
from helion_ir.interpreter.views import flipped


def _element(value: SSAValue) -> torch.dtype:
    assert isinstance(value.type, TileType)
    return dtype_of(value.type.element_type)


def _printed(shape: Iterable[ExprAttr], result: SSAValue, scope: Scope) -> tuple[int, ...]:
    """The extents of a result; what is printed must agree with the type."""
    meant, printed = scope.shape(result.type), tuple(int(scope.value(d)) for d in shape)
    if printed != meant:
        raise InterpreterError(f"prints the shape {list(printed)}, its type says {list(meant)}")
    return meant


@implements(FullOp)
def full_(op: FullOp, scope: Scope) -> Function:
    value = full(_printed(op.shape, op.result, scope), op.value.data, _element(op.result), scope.device)
    return lambda: value


@implements(ArangeOp)
def arange(op: ArangeOp, scope: Scope) -> Function:
    (size,) = _printed([op.size], op.result, scope)
    if size & (size - 1):
        raise InterpreterError(f"tl.arange takes powers of two, not {size}")
    value = torch.arange(size, dtype=_element(op.result), device=scope.device)
    return lambda: value


def _not(x: torch.Tensor) -> torch.Tensor:
    return torch.bitwise_not(x)


@implements(UnaryOp)
def unary(op: UnaryOp, scope: Scope) -> Function:
    function = {"-": torch.neg, "~": _not, "+": lambda x: x}.get(op.operator.data)
    if function is None:
        raise InterpreterError(f"no prefix operator {op.operator.data!r}")
    return lifted(widened(function, _element(op.operand)), op.operands, scope)


_ARITHMETIC: dict[str, Callable[..., torch.Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
    "//": divide,  # Triton's // and % of integers round toward zero
    "%": fmod,
    "&": torch.bitwise_and,
    "|": torch.bitwise_or,
    "^": torch.bitwise_xor,
    "<<": torch.bitwise_left_shift,
    ">>": torch.bitwise_right_shift,
}
_COMPARISONS: dict[str, Callable[..., torch.Tensor]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@implements(BinaryOp)
def binary(op: BinaryOp, scope: Scope) -> Function:
    result = _element(op.result)
    shape = scope.shape(op.result.type)
    spelled = op.operator.data
    if (compare := _COMPARISONS.get(spelled)) is not None:
        operand = torch.promote_types(_element(op.lhs), _element(op.rhs))
        return _on_operands(widened(compare, operand), op, operand, shape, scope.device)
    if (function := _ARITHMETIC.get(spelled)) is None:
        raise InterpreterError(f"no infix operator {spelled!r}")
    return _on_operands(widened(function, result), op, result, shape, scope.device)


def _on_operands(
    function: Callable[..., torch.Tensor],
    op: BinaryOp,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    device: torch.device,
) -> Function:
    """`function` after Triton's promotion of both operands, broadcast to the result's shape."""
    same = _element(op.lhs) == dtype == _element(op.rhs)
    convert = same and bool(op.lhs.type.rank) and bool(op.rhs.type.rank)  # pyright: ignore

    def run(a: Any, b: Any) -> torch.Tensor:
        if not convert:
            a, b = as_tensor(a, dtype, device).to(dtype), as_tensor(b, dtype, device).to(dtype)
        out = function(a, b)
        return out if out.shape == shape or not shape else out.expand(shape)

    return run


@implements(CallOp)
def call(op: CallOp, scope: Scope) -> Function:
    keywords = {k: v.data for k, v in op.keywords.data.items()}  # pyright: ignore
    result = _element(op.result)
    function = lifted(resolve(op.callee.data, keywords), op.arguments, scope)
    shape = scope.shape(op.result.type)

    def run(*values: Any) -> torch.Tensor:
        out = function(*values)
        if out.dtype != result:
            out = out.to(result)
        return out if out.shape == shape or not shape else out.expand(shape)

    return run


@implements(CastOp)
def cast(op: CastOp, scope: Scope) -> Function:
    dtype = _element(op.result)
    return lifted(lambda x: x.to(dtype), op.operands, scope)


@implements(BitcastOp)
def bitcast(op: BitcastOp, scope: Scope) -> Function:
    dtype = _element(op.result)
    return lifted(lambda x: x.view(dtype), op.operands, scope)


def _shaped(function: Callable[[torch.Tensor], torch.Tensor], operand: SSAValue, scope: Scope) -> Function:
    """A view of a tile, or of a tile of pointers."""
    assert isinstance(operand.type, TileType)
    if dtype_or_none(operand.type.element_type) is None:
        return lambda p: Pointer(p.storage, function(as_tensor(p.offset, torch.int64, p.storage.device)))
    return lifted(function, [operand], scope)


@implements(ExpandDimsOp)
def expand_dims(op: ExpandDimsOp, scope: Scope) -> Function:
    shape = scope.shape(op.result.type)
    return _shaped(lambda x: x.reshape(shape), op.operand, scope)


@implements(BroadcastToOp)
def broadcast_to(op: ShapedOp, scope: Scope) -> Function:
    shape = _printed(op.shape, op.result, scope)
    return _shaped(lambda x: x.expand(shape), op.operand, scope)


@implements(ReshapeOp)
def reshape(op: ShapedOp, scope: Scope) -> Function:
    shape = _printed(op.shape, op.result, scope)
    return _shaped(lambda x: x.reshape(shape), op.operand, scope)


@implements(PermuteOp)
def permute(op: PermuteOp, scope: Scope) -> Function:
    order = op.order.data
    return _shaped(lambda x: x.permute(order), op.operand, scope)


@implements(SplitOp)
def split(op: SplitOp, scope: Scope) -> Function:
    if scope.shape(op.operand.type)[-1] != 2:
        raise InterpreterError("tl.split takes a last dimension of extent 2")
    return lambda x: (x[..., 0], x[..., 1])


@implements(JoinOp)
def join(op: JoinOp, scope: Scope) -> Function:
    return lifted(lambda a, b: torch.stack(torch.broadcast_tensors(a, b), -1), op.operands, scope)


def _numeric_max(x: torch.Tensor, axis: int) -> torch.Tensor:
    return _numeric(torch.amax, lowest, x, axis)


def _numeric_min(x: torch.Tensor, axis: int) -> torch.Tensor:
    return _numeric(torch.amin, highest, x, axis)


def _numeric(function: Callable[..., torch.Tensor], neutral: Callable[..., Any], x: torch.Tensor, axis: int) -> Any:
    # tl.max and tl.min ignore NaN unless all lanes are.
    if not x.dtype.is_floating_point:
        return function(x, axis)
    missing = x.isnan()
    return function(x.masked_fill(missing, neutral(x.dtype)), axis).masked_fill(missing.all(axis), torch.nan)


_REDUCTIONS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "tl.sum": lambda x, axis: torch.sum(x, axis, dtype=x.dtype),
    "tl.max": _numeric_max,
    "tl.min": _numeric_min,
    "plain.fmax_nan": lambda x, axis: torch.amax(x, axis),
    "plain.fmin_nan": lambda x, axis: torch.amin(x, axis),
    "plain.mul2": lambda x, axis: torch.prod(x, axis, dtype=x.dtype),
}
"""Reductions with a function of PyTorch's; all others are folded by their combine function."""


@implements(ReduceOp)
def reduce(op: ReduceOp, scope: Scope) -> Function:
    axis, combine = op.axis.value.data, op.combine.data
    result = _element(op.result)
    if (function := _REDUCTIONS.get(combine)) is not None:
        return lambda x: function(x, axis).to(result)
    pair = widened(combine_function(combine), _element(op.operand))
    return lambda x: folded([x], axis, lambda a, b: [pair(a[0], b[0])])[0].to(result)


@implements(ArgReduceOp)
def arg_reduce(op: ArgReduceOp, scope: Scope) -> Function:
    axis, name = op.axis.value.data, op.combine.data.rsplit(".", 1)[-1]
    if "max" not in name and "min" not in name:
        raise InterpreterError(f"{op.combine.data} is neither an argmax nor an argmin")
    extremum = torch.amax if "max" in name else torch.amin
    index_type = _element(op.index)

    def run(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        # Of equal lanes the least index; a NaN is the extremum.
        best = extremum(x, axis, keepdim=True)
        at_best = (x == best) | (x.isnan() & best.isnan()) if x.dtype.is_floating_point else x == best
        return torch.where(at_best, index, highest(index_type)).amin(axis).to(index_type)

    return run


@implements(ScanOp)
def scan(op: ScanOp, scope: Scope) -> Function:
    axis, combine, reverse = op.axis.value.data, op.combine.data, bool(op.reverse.value.data)
    if combine == "tl.cumsum":
        forward: Callable[[torch.Tensor], torch.Tensor] = lambda x: torch.cumsum(x, axis, dtype=x.dtype)  # noqa: E731
    elif combine == "tl.cumprod":
        forward = lambda x: torch.cumprod(x, axis, dtype=x.dtype)  # noqa: E731
    else:
        pair = widened(combine_function(combine), _element(op.operand))
        forward = lambda x: prefixes([x], axis, lambda a, b: [pair(a[0], b[0])])[0]  # noqa: E731
    return (lambda x: flipped(forward(flipped(x, (axis,))), (axis,))) if reverse else forward


@implements(DotOp)
def dot_(op: DotOp, scope: Scope) -> Function:
    dtype = _element(op.acc)
    return lambda a, b, acc: dot(a, b, as_tensor(acc, dtype, scope.device))
