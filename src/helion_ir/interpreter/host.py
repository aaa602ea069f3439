"""Runs the author's function: its Python as it stands, with calls into the interpreter where kernels are launched."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.host import BindOp, FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.knob import KnobValue
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.kernel import Interpreter

_LIBRARIES = {
    "torch": "torch",
    "math": "math",
    "helion": "helion_ir",
    "helion_ir": "helion_ir",
    "hl": "helion_ir.language",
}
"""Names that host code finds without the author's globals."""


def run_module(
    module: ModuleOp,
    args: Sequence[Any],
    assignment: Mapping[str, KnobValue] | None = None,
    *,
    globals: Mapping[str, Any] | None = None,
) -> Any:
    """Run a module of any stage, on the device of its tensors.

    Args:
        module: host function and kernels, at the tile or the triton level or a mixture.
        args: the arguments of the host function, by position.
        assignment: the values of knobs by name; not needed once materialize-config has run.
        globals: the names that the host function's statements find, such as the globals of the author's module.

    Returns:
        What the host function returns.

    Raises:
        InterpreterError: an op failed, or accessed memory out of bounds in an active lane.

    >>> run_module(module, [x], {"tile_m.block_size": 32})
    """
    return compile_module(module, assignment, globals=globals)(*args)


def compile_module(
    module: ModuleOp,
    assignment: Mapping[str, KnobValue] | None = None,
    *,
    globals: Mapping[str, Any] | None = None,
) -> Callable[..., Any]:
    """The host function of a module as a Python function; for many calls, since kernels are compiled once."""
    function = next((op for op in module.ops if isinstance(op, FuncOp)), None)
    if function is None:
        raise InterpreterError("the module has no host.func")
    interpreter = Interpreter(module, dict(assignment or {}))
    source = _Source(interpreter)
    tree = source.function(function)
    if globals is None:  # text read from a file: what it imports, it has to import itself
        globals = {}
        for statement in function.imports:
            exec(statement.data, globals)
    namespace = _namespace(tree, globals) | source.names
    exec(compile(tree, f"<host.func {function.sym_name.data}>", "exec"), namespace)
    return namespace[function.sym_name.data]


class _Source:
    """Assembles the syntax tree of a host function, and the names it refers to."""

    def __init__(self, interpreter: Interpreter):
        self.interpreter = interpreter
        self.names: dict[str, Any] = {}

    def function(self, op: FuncOp) -> ast.Module:
        tree = ast.parse(f"def {op.sym_name.data}({', '.join(p.data for p in op.parameters)}): pass")
        definition = tree.body[0]
        assert isinstance(definition, ast.FunctionDef)
        body = [statement for inner in op.body.block.ops for statement in self.statements(inner)]
        definition.body = body or definition.body
        return ast.fix_missing_locations(tree)

    def statements(self, op: object) -> list[ast.stmt]:
        match op:
            case PythonOp():
                try:
                    return ast.parse(op.source.data).body
                except SyntaxError as wrong:
                    raise InterpreterError(f"not a Python statement: {wrong}", op) from wrong
            case BindOp():
                value = ast.Constant(self.interpreter.expression(op.value))
                return [ast.Assign([ast.Name(op.variable.data, ast.Store())], value)]
            case LaunchOp():
                launch = f"__launch_{len(self.names)}"
                self.names[launch] = self.interpreter.launcher(op)
                arguments = [ast.parse(a.data, mode="eval").body for a in op.arguments]
                return [ast.Expr(ast.Call(ast.Name(launch, ast.Load()), arguments, []))]
        raise InterpreterError(f"the interpreter does not run {op} in a host.func")


def _namespace(tree: ast.AST, globals: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(globals)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in out and node.id in _LIBRARIES:
            out[node.id] = importlib.import_module(_LIBRARIES[node.id])
    return out
