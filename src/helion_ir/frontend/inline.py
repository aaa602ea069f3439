"""Triton source and assembly inside of device code, and output for debugging."""

from __future__ import annotations

import ast
import string
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from xdsl.ir import SSAValue

from helion_ir import exc
from helion_ir.dialects.tile.inline import BreakpointOp, InlineAssemblyOp, InlineTritonOp, PrintOp, TritonCallOp
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.triton_source import called_function

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace


class Inline:
    """Makes the ops of hl.inline_triton and its kin."""

    def __init__(self, trace: Trace):
        self.trace = trace

    # ---- Triton ----

    def triton(self, source: Any, args: Any, output_like: Any) -> Any:
        """See helion_ir.language.inline_triton."""
        if not isinstance(source, str):
            raise exc.InvalidAPIUsage(f"hl.inline_triton takes its source as a string, not {type(source).__name__}")
        if not isinstance(args, tuple | list | dict):
            raise exc.InvalidAPIUsage("the args of hl.inline_triton are a tuple, a list or a dict")
        given: Mapping[str, Any] = args if isinstance(args, dict) else {str(i): a for i, a in enumerate(args)}
        text, operands = self._placed(textwrap.dedent(source).strip("\n"), given)
        _check_source(text, output_like)
        return self._added(InlineTritonOp(text, operands, self._types(output_like)), output_like)

    def _placed(self, source: str, given: Mapping[str, Any]) -> tuple[str, list[SSAValue]]:
        """The source with operands by number; numbers and other constants are written into it."""
        text, operands, places, unnamed = "", [], dict[str, str](), 0
        try:
            parts = list(string.Formatter().parse(source))
        except ValueError as wrong:
            raise exc.InvalidAPIUsage(f"inline source: {wrong}; write {{{{ and }}}} for braces") from None
        for literal, name, spec, conversion in parts:
            text += literal.replace("{", "{{").replace("}", "}}")
            if name is None:
                continue
            if not name:
                name, unnamed = str(unnamed), unnamed + 1
            if spec or conversion or name not in given:
                known = ", ".join("{" + k + "}" for k in given) or "none"
                raise exc.InvalidAPIUsage(f"inline source has no argument for {{{name}}}; there are {known}")
            if name not in places:
                places[name] = self._place(given[name], operands)
            text += places[name]
        return text, operands

    def _place(self, value: Any, operands: list[SSAValue]) -> str:
        if value is None or type(value) in (int, float, bool, str):
            return repr(value).replace("{", "{{").replace("}", "}}")
        operands.append(self._operand(value))
        return f"{{{len(operands) - 1}}}"

    def _operand(self, value: Any) -> SSAValue:
        if isinstance(value, HostTensor):
            self.trace.order.writes(value.like)  # or reads: the source says
        if isinstance(value, TileTensor | HostTensor):
            return value.value
        if isinstance(value, SymInt):
            return self.trace.cap.scalar(value)
        if type(value) in (int, float, bool):
            dtype = {bool: torch.bool, int: torch.int32, float: torch.float32}[type(value)]
            return self.trace.cap.operand(value, dtype, [])
        raise exc.InvalidAPIUsage(
            f"a {type(value).__name__} cannot be passed to Triton source; pass device tensors, tensors of the host, "
            "sizes and numbers"
        )

    def function(self, function: Any, args: Any, output_like: Any) -> Any:
        """See helion_ir.language.triton_kernel."""
        if not isinstance(args, tuple | list):
            raise exc.InvalidAPIUsage("the args of hl.triton_kernel are a tuple or a list")
        name, source = called_function(function, self.trace.function.__globals__)
        operands = [self._operand(a) for a in args]
        return self._added(TritonCallOp(name, source, operands, self._types(output_like)), output_like)

    def _types(self, output_like: Any) -> list[Any]:
        likes = output_like if isinstance(output_like, tuple | list) else [] if output_like is None else [output_like]
        for like in likes:
            if not isinstance(like, TileTensor):
                raise exc.InvalidAPIUsage(
                    f"output_like is a device tensor, a tuple of them, or None, not {type(like).__name__}"
                )
        return [like.value.type for like in likes]

    def _added(self, op: Any, output_like: Any) -> Any:
        cap = self.trace.cap
        cap.add(op)
        self.trace.has_effects = True
        if output_like is None:
            return None
        several = isinstance(output_like, tuple | list)
        likes: Sequence[TileTensor] = output_like if several else [output_like]
        out = [cap.tile(r, like.dims, like.dtype) for r, like in zip(op.res, likes)]
        return tuple(out) if several else out[0]

    # ---- assembly ----

    def assembly(self, text: Any, constraints: Any, args: Any, dtype: Any, is_pure: Any, pack: Any) -> Any:
        """See helion_ir.language.inline_asm_elementwise."""
        cap = self.trace.cap
        for what, value, kind in (
            ("asm", text, str), ("constraints", constraints, str), ("is_pure", is_pure, bool), ("pack", pack, int),
        ):  # fmt: skip
            if not isinstance(value, kind):
                raise exc.InvalidAPIUsage(f"{what} of hl.inline_asm_elementwise is a {kind.__name__}, not {value!r}")
        if not isinstance(args, tuple | list) or not all(isinstance(a, TileTensor) for a in args) or not args:
            raise exc.InvalidAPIUsage("the args of hl.inline_asm_elementwise are device tensors, at least one")
        dtypes = list(dtype) if isinstance(dtype, tuple | list) else [dtype]
        if not dtypes or not all(isinstance(d, torch.dtype) for d in dtypes):
            raise exc.InvalidAPIUsage("dtype of hl.inline_asm_elementwise is a dtype, or a tuple of them")
        wide = torch.broadcast_tensors(*args)
        dims = wide[0].dims  # pyright: ignore
        operands = [a.value for a in wide]  # pyright: ignore
        types = [cap.type_of(dims, d) for d in dtypes]
        op = InlineAssemblyOp(text, constraints, operands, types, pack=pack, pure=is_pure)
        cap.add(op)
        self.trace.has_effects |= not is_pure
        out = [cap.tile(r, dims, d) for r, d in zip(op.res, dtypes)]
        return tuple(out) if isinstance(dtype, tuple | list) else out[0]

    # ---- debugging ----

    def print(self, prefix: Any, values: Sequence[Any]) -> None:
        """See helion_ir.language.device_print."""
        if not isinstance(prefix, str) or not prefix.isascii():
            raise exc.InvalidAPIUsage("the first argument of a print in device code is a string of ASCII characters")
        for value in values:
            if isinstance(value, HostTensor):
                raise value.direct()
            if not isinstance(value, TileTensor):
                raise exc.InvalidAPIUsage(
                    f"a print in device code shows device tensors, not {type(value).__name__}; put constants into the string"
                )
        self.trace.has_effects = True
        self.trace.cap.add(PrintOp(prefix, [v.value for v in values]))

    def breakpoint(self) -> None:
        """See helion_ir.language.breakpoint."""
        self.trace.has_effects = True
        self.trace.cap.add(BreakpointOp())


def _check_source(text: str, output_like: Any) -> None:
    """Raise where the source does not parse, or has no value to give."""
    places = [f"argument__{i}" for i in range(text.count("{"))]
    try:
        body = ast.parse(text.format(*places)).body
    except SyntaxError as wrong:
        raise exc.InvalidAPIUsage(f"inline source: {wrong.msg} in line {wrong.lineno}") from None
    if not body:
        raise exc.InvalidAPIUsage("inline source is empty")
    if output_like is not None and not isinstance(body[-1], ast.Expr):
        raise exc.InvalidAPIUsage(
            "the last line of inline source with an output_like must be an expression, the result"
        )
