"""What a launch moves and computes, as expressions over knobs."""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr
from xdsl.ir import Operation

from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.tile.scaled import DotScaledOp
from helion_ir.passes.plan_memory.footprint import bytes_of, elements_of
from helion_ir.passes.plan_memory.repetition import Repetition


def loaded(kernel: control.KernelOp, times: Repetition) -> Expr:
    """Bytes that the loads of all programs ask for, padding included and caches ignored."""
    return _sum(kernel, times, lambda op: bytes_of(op.result.type) if isinstance(op, memory.LoadOp) else None)


def stored(kernel: control.KernelOp, times: Repetition) -> Expr:
    """Bytes that the stores and atomics of all programs write."""

    def written(op: Operation) -> Expr | None:
        match op:
            case memory.StoreOp():
                return bytes_of(op.value.type)
            case memory.AtomicOp():
                return bytes_of(op.arguments[-1].type)
        return None

    return _sum(kernel, times, written)


def products(kernel: control.KernelOp, times: Repetition) -> Expr:
    """Operations of matrix units: a multiplication and an addition an element of the contraction."""

    def counted(op: Operation) -> Expr | None:
        match op:
            case compute.DotOp():
                return 2 * elements_of(op.result.type) * op.lhs.type.dims[-1]  # pyright: ignore
            case DotScaledOp():
                return 2 * elements_of(op.result.type) * op.lhs.type.dims[-1]  # pyright: ignore
        return None

    return _sum(kernel, times, counted)


def arithmetic(kernel: control.KernelOp, times: Repetition) -> Expr:
    """Elements that arithmetic outside of matrix units makes or, where it reduces, takes."""

    def counted(op: Operation) -> Expr | None:
        match op:
            case elementwise.ElementwiseOp():
                return elements_of(op.results[0].type)
            case compute.ReduceOp() | compute.ScanOp():
                return elements_of(op.operand.type)
            case compute.CombineOp():
                return elements_of(op.arguments[0].type)
            case compute.SortOp():
                return 10 * elements_of(op.operand.type)
        return None

    return _sum(kernel, times, counted)


def _sum(kernel: control.KernelOp, times: Repetition, of: Callable[[Operation], Expr | None]) -> Expr:
    # Most are equal, and each sum that sympy makes on the way is work: they are counted, and added up once.
    terms: dict[Expr, dict[Expr, int]] = {}
    for op in kernel.walk():
        if (found := of(op)) is not None:
            counts = terms.setdefault(times.of(op), {})
            counts[found] = counts.get(found, 0) + 1
    return sympy.Add(*[n * sympy.Add(*[k * each for each, k in found.items()]) for n, found in terms.items()])
