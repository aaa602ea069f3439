"""Output for debugging; and why source of a lower level does not run here."""

from __future__ import annotations

import builtins
from typing import Any

from helion_ir.dialects.tile import inline as tile
from helion_ir.dialects.triton import inline as triton
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope


@implements(tile.PrintOp, triton.PrintOp)
def print_(op: tile.PrintOp | triton.PrintOp, scope: Scope) -> Function:
    prefix = op.prefix.data
    return lambda *values: print(prefix, *values)


@implements(tile.BreakpointOp, triton.BreakpointOp)
def breakpoint_(op: tile.BreakpointOp | triton.BreakpointOp, scope: Scope) -> Function:
    return lambda: builtins.breakpoint()


@implements(tile.InlineTritonOp, tile.TritonCallOp, triton.InlineOp, triton.FunctionOp)
def source(op: Any, scope: Scope) -> Function:
    raise InterpreterError(
        "this is Triton source, which no interpreter of the IR runs; run the generated code on a GPU or in Triton's "
        "interpreter (TRITON_INTERPRET=1)"
    )


@implements(tile.InlineAssemblyOp, triton.AssemblyOp)
def assembly(op: Any, scope: Scope) -> Function:
    raise InterpreterError("this is assembly of a GPU, which no interpreter runs; call the kernel on tensors of a GPU")
