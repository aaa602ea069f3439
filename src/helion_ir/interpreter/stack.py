"""Why accesses by raw addresses do not run here."""

from __future__ import annotations

from typing import Any

from helion_ir.dialects.tile.stack import StackLoadOp, StackStoreOp
from helion_ir.dialects.triton.stack import ToPointerOp
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope


@implements(StackLoadOp, StackStoreOp, ToPointerOp)
def by_address(op: Any, scope: Scope) -> Function:
    raise InterpreterError(
        "a stack tensor is read by raw addresses, which the interpreter of the IR does not follow; run the generated "
        "code on a GPU or in Triton's interpreter (TRITON_INTERPRET=1)"
    )
