"""Emitters of the author's source and assembly, and of output for debugging."""

from __future__ import annotations

import ast
import json
import re

from helion_ir.backend_triton.emit_values import dtype
from helion_ir.backend_triton.emitting import KernelPrinter, emitter
from helion_ir.backend_triton.spelling import dtype_text
from helion_ir.dialects.triton.inline import AssemblyOp, BreakpointOp, FunctionOp, InlineOp, PrintOp
from helion_ir.dialects.types import TileType

_PLACE = re.compile(r"\{\{|\}\}|\{(\d+)\}")
_ARGUMENT = re.compile(r"\bargument__(\d+)\b")


@emitter(InlineOp)
def emit_inline(p: KernelPrinter, op: InlineOp) -> None:
    operands = [p.name(v) for v in op.operands]
    # Placeholders are names while the source is parsed, so that the author's variables can be told from ours.
    text = _PLACE.sub(lambda m: f"argument__{m[1]}" if m[1] else m[0][0], op.source.data)
    tree = _Renamed(p).visit(ast.parse(text))
    statements = [ast.unparse(s) for s in tree.body]
    last = statements.pop() if op.res else None
    for statement in statements:
        _lines(p, _ARGUMENT.sub(lambda m: operands[int(m[1])], statement))
    if last is not None:
        _assigned(p, op, _ARGUMENT.sub(lambda m: operands[int(m[1])], last))


class _Renamed(ast.NodeTransformer):
    """Gives the variables that inline source assigns names that no other value has."""

    def __init__(self, p: KernelPrinter):
        self.prefix = f"inline_{p.unnamed}_"
        self.assigned: set[str] = set()
        p.unnamed += 1

    def visit_Module(self, node: ast.Module) -> ast.Module:
        stores = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        self.assigned = {n.id for n in stores}
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.prefix + node.id, node.ctx) if node.id in self.assigned else node


def _lines(p: KernelPrinter, text: str) -> None:
    for line in text.split("\n"):
        p.line(line)


def _assigned(p: KernelPrinter, op: InlineOp | FunctionOp, expression: str) -> None:
    """Assign the results, and say what they must be: the author's word is all there is."""
    names = [p.define(r) for r in op.res]
    _lines(p, f"{', '.join(names)} = {expression}")
    for name, result, shape in zip(names, op.res, op.shapes):
        p.line(f"tl.static_assert({name}.dtype == {dtype(result)}, {json.dumps(f'output_like has {dtype(result)}')})")
        for i, extent in enumerate(shape):
            message = json.dumps("output_like has another shape")
            p.line(f"tl.static_assert({name}.shape[{i}] == {p.expr(extent)}, {message})")


@emitter(FunctionOp)
def emit_function(p: KernelPrinter, op: FunctionOp) -> None:
    for text in op.source:
        if (lines := text.data.split("\n")) not in p.functions:
            p.functions.append(lines)
    call = f"{op.function.data}({', '.join(p.name(v) for v in op.operands)})"
    if op.res:
        _assigned(p, op, call)
    else:
        p.line(call)


@emitter(AssemblyOp)
def emit_assembly(p: KernelPrinter, op: AssemblyOp) -> None:
    arguments = ", ".join(p.typed(v) for v in op.operands)
    types = [r.type for r in op.res]
    kinds = [dtype_text(t.element_type) for t in types if isinstance(t, TileType)]
    kind = kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
    names = ", ".join([p.define(r) for r in op.res])
    p.line(
        f"{names} = tl.inline_asm_elementwise({json.dumps(op.text.data)}, {json.dumps(op.constraints.data)}, "
        f"[{arguments}], dtype={kind}, is_pure={bool(op.pure.value.data)}, pack={op.pack.value.data})"
    )


@emitter(PrintOp)
def emit_print(p: KernelPrinter, op: PrintOp) -> None:
    p.line(f"tl.device_print({', '.join([json.dumps(op.prefix.data), *[p.typed(v) for v in op.operands]])})")


@emitter(BreakpointOp)
def emit_breakpoint(p: KernelPrinter, op: BreakpointOp) -> None:
    p.line("breakpoint()")
