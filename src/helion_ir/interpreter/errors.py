"""The error of the interpreter: which op failed, where its author wrote it, and why."""

from __future__ import annotations

from xdsl.dialects.builtin import CallSiteLoc, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute, Operation

from helion_ir.exc import BaseError

_LONGEST = 300


class InterpreterError(BaseError):
    """An op that cannot run, or that does what no correct kernel does, such as an access out of bounds.

    `op` is the operation, when there is one; the text names it and its source position.
    """

    def __init__(self, message: str, op: Operation | None = None):
        self.op = op
        self.reason = message
        super().__init__(message if op is None else f"{message}\n  in: {op_text(op)}\n  at: {position(op)}")


def failure(op: Operation, cause: Exception) -> InterpreterError:
    """The error to raise when running `op` raised `cause`."""
    if isinstance(cause, InterpreterError):
        return cause if cause.op is not None else InterpreterError(cause.reason, op)
    return InterpreterError(f"{op.name} failed: {type(cause).__name__}: {cause}", op)


def op_text(op: Operation) -> str:
    """The op in its IR, without its regions."""
    first = str(op).strip().split("\n", 1)[0]
    return first if len(first) <= _LONGEST else first[:_LONGEST] + " …"


def position(op: Operation) -> str:
    """`file:line:column` of the author's source, of the op or of the nearest op around it."""
    at: Operation | None = op
    while at is not None:
        if (found := _file_position(at.location)) is not None:
            return found
        at = at.parent_op()
    return "an unknown position"


def _file_position(location: Attribute) -> str | None:
    match location:
        case FileLineColLoc():
            return f"{location.filename.data}:{location.line.data}:{location.column.data}"
        case NameLoc():
            return _file_position(location.location)
        case CallSiteLoc():
            return _file_position(location.callee)
        case FusedLoc():
            found = (_file_position(inner) for inner in location.locations)  # pyright: ignore
            return next((place for place in found if place is not None), None)
    return None
