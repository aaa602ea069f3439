"""Which function runs which op.

An implementation is called once an op, when a kernel is compiled, and returns what is called each time the op runs:
a function of the operands' values that returns the result's value (a tuple for several results). What depends on the
configuration alone is therefore computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from xdsl.ir import Operation, SSAValue

if TYPE_CHECKING:
    from helion_ir.interpreter.scope import Scope

Frame = list[Any]
"""The values of one run of a kernel, by slot."""

Step = Callable[[Frame], None]
Function = Callable[..., Any]


class Reading(NamedTuple):
    """A function that takes the values of `extra` after those of the operands."""

    function: Function
    extra: Sequence[SSAValue]


Implementation = Callable[[Any, "Scope"], Function | Reading]
Control = Callable[[Any, "Scope"], Step]

FUNCTIONS: dict[type[Operation], Implementation] = {}
"""Ops that compute results from operands."""

CONTROLS: dict[type[Operation], Control] = {}
"""Ops that run regions, and so need the frame."""


def implements(*ops: type[Operation]) -> Callable[[Implementation], Implementation]:
    """Register the implementation of ops.

    >>> @implements(ExpOp)
    ... def exp(op, scope):
    ...     return torch.exp
    """

    def register(implementation: Implementation) -> Implementation:
        FUNCTIONS.update(dict.fromkeys(ops, implementation))
        return implementation

    return register


def controls(*ops: type[Operation]) -> Callable[[Control], Control]:
    """Register the implementation of ops with regions; it returns a step, a function of the frame."""

    def register(implementation: Control) -> Control:
        CONTROLS.update(dict.fromkeys(ops, implementation))
        return implementation

    return register
