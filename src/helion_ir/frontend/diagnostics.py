"""Whatever is raised while tracing becomes an error of helion_ir.exc at the author's innermost line."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, TypeVar

from helion_ir import exc
from helion_ir.exc import Base, BaseError, Place
from helion_ir.frontend.size_node import DependsOnBlockSize
from helion_ir.frontend.source import PACKAGE, is_author_file, place_of_instruction

F = TypeVar("F", bound=Callable[..., Any])


def innermost(traceback: TracebackType | None) -> Place | None:
    """The author's innermost line in a traceback."""
    place = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_author_file(code.co_filename):
            place = (code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return None if place is None else place_of_instruction(*place)


def explain(error: BaseException, statement: Place | None = None) -> Base:
    """The error to show to the author.

    Args:
        error: Anything raised while tracing; stays the cause of the result.
        statement: The statement that was being walked, for errors raised between two expressions.

    Returns:
        An error of helion_ir.exc with a place: the author's innermost line in the traceback, else `statement`.
    """
    place = innermost(error.__traceback__) or statement
    if isinstance(error, Base) and not isinstance(error, DependsOnBlockSize):
        return error.at(place)
    out = _classified(error).at(error.place or place if isinstance(error, Base) else place)
    out.__cause__ = error
    return out


_TORCH = (
    (r"do(es)? not broadcast|must match the size|not broadcastable|shape .* is invalid|cannot be multiplied|"
     r"mat1 and mat2|incompatible (function )?dim|expanded size", exc.ShapeMismatch),
    (r"Dimension out of range", exc.InvalidReductionDim),
    (r"only integer tensors of a single element can be converted", exc.InvalidSequenceSubscription),
)  # fmt: skip


_CARRIED_OUT: set[CodeType] = set()


def authors_operation(function: F) -> F:
    """Mark a function that carries out an operation of the author's: what Python raises in it is about the operation."""
    _CARRIED_OUT.add(function.__code__)  # pyright: ignore[reportFunctionMemberAccess]
    return function


def _raised_by_us(error: BaseException) -> bool:
    """Whether an exception comes out of this package's own code, which then has a bug."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    code = traceback.tb_frame.f_code
    return code.co_filename.startswith(PACKAGE) and code not in _CARRIED_OUT


def _classified(error: BaseException) -> BaseError:
    text = error.message if isinstance(error, Base) else str(error).strip() or type(error).__name__
    if isinstance(error, TypeError | AttributeError | KeyError | IndexError | AssertionError) and _raised_by_us(error):
        if not isinstance(error, DependsOnBlockSize):
            return exc.InternalError(f"{type(error).__name__}: {text}; this is a bug of the compiler")
    match error:
        case DependsOnBlockSize():
            return exc.ShapeSpecializingCall(
                f"{text}; use it in an `if` of its own, in a shape or in arithmetic, or wrap a size in hl.specialize"
            )
        case NameError():
            return exc.UndefinedVariable(text)
        case NotImplementedError() | RuntimeError():
            first = text.split("\n\n")[0]
            for pattern, kind in _TORCH:
                if re.search(pattern, text):
                    return kind(first)
            return exc.TorchOpTracingError(f"{type(error).__name__}: {first}")
        case ValueError() if "unpack" in text:
            return exc.FailedToUnpackTupleAssign(text)
        case TypeError() | AttributeError() | KeyError() | IndexError() | ValueError() | ArithmeticError():
            return exc.TypeInferenceError(f"{type(error).__name__}: {text}")
        case _:
            return exc.InternalError(f"{type(error).__name__}: {text}")
