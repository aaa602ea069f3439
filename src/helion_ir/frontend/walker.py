"""Device code: statements are walked one by one, in every function of the author's that the kernel reaches."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from torch import SymInt
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, StringAttr

from helion_ir import exc
from helion_ir.frontend.diagnostics import innermost
from helion_ir.frontend.expressions import Evaluator, Scope
from helion_ir.frontend.loops import Loops
from helion_ir.frontend.regions import Regions
from helion_ir.frontend.source import function_node, place_of_node
from helion_ir.frontend.stack import StackTensor
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import Condition, DeviceTile

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

MOST_NESTED = 64
"""Calls of helpers inside of each other before they are taken for a recursion."""


class Returned:
    """What a function returned, to tell it from running to its end."""

    def __init__(self, value: Any):
        self.value = value


class Walker:
    """Carries out device statements: evaluates their expressions, and makes regions for loops and branches."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.evaluator = Evaluator(self)
        self.regions = Regions(self)
        self.loops = Loops(self)
        self.depth = 0
        self.conditional = 0

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        return self.evaluator.evaluate(node, scope)

    def evaluator_scalar(self, tile: TileTensor) -> TileTensor:
        """A tile of one element as a scalar."""
        for size in tile.dims:
            if not (isinstance(size, int) and size == 1):
                raise exc.ShapeMismatch(f"a bound must be a scalar, this has shape {list(tile.dims)}")
        return tile.reshape([])  # pyright: ignore

    # ---- functions ----

    def function(self, function: FunctionType, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Walk a helper with these arguments; what it returns."""
        node = function_node(function)
        if self.depth >= MOST_NESTED:
            raise exc.StatementNotSupported(f"{function.__name__} calls itself; a kernel cannot recurse")
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        names = {**self.trace.closure_of(function), **bound.arguments}
        scope = Scope(function.__code__.co_filename, names, self.trace.globals_of(function), self.evaluator.hooks)
        caller, self.depth = self.trace.cap.statement, self.depth + 1
        conditional, self.conditional = self.conditional, 0
        try:
            if isinstance(node, ast.Lambda):
                return self.evaluate(node.body, scope)
            result = self.statements(node.body, scope)
        finally:
            self.trace.cap.statement, self.depth, self.conditional = caller, self.depth - 1, conditional
        return result.value if isinstance(result, Returned) else None

    def body(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Walk the statements of a loop or branch, out of which one cannot return."""
        self.conditional += 1
        try:
            self.statements(body, scope)
        finally:
            self.conditional -= 1

    # ---- statements ----

    def statements(self, body: Sequence[ast.stmt], scope: Scope) -> Returned | None:
        for node in body:
            try:
                result = self.statement(node, scope)
            except exc.Base as error:
                raise error.at(innermost(error.__traceback__) or place_of_node(scope.file, node)) from error.__cause__
            except Exception:
                self.trace.failed_at = self.trace.failed_at or place_of_node(scope.file, node)
                raise
            if isinstance(result, Returned):
                return result
        return None

    def statement(self, node: ast.stmt, scope: Scope) -> Returned | None:
        self.trace.cap.statement = FileLineColLoc(
            StringAttr(scope.file), IntAttr(node.lineno), IntAttr(node.col_offset + 1)
        )
        match node:
            case ast.Expr():
                self.evaluate(node.value, scope)
            case ast.Assign():
                if len(node.targets) > 1:
                    raise exc.AssignmentMultipleTargets()
                self.assign(node.targets[0], self.evaluate(node.value, scope), scope)
            case ast.AnnAssign():
                if node.value is not None:
                    self.assign(node.target, self.evaluate(node.value, scope), scope)
            case ast.AugAssign():
                self._augmented(node, scope)
            case ast.If():
                return self._if(node, scope)
            case ast.For():
                self.loops.for_(node, scope)
            case ast.While():
                if node.orelse:
                    raise exc.StatementNotSupported("`while … else` is not supported in device code")
                self.regions.while_(node, scope)
            case ast.Return():
                if self.conditional:
                    raise exc.NotAllowedOnDevice(
                        "`return` inside of a device loop or branch is not supported; assign to a variable and return it at the end"
                    )
                return Returned(None if node.value is None else self.evaluate(node.value, scope))
            case ast.Pass():
                pass
            case ast.Global() | ast.Nonlocal():
                raise exc.GlobalMutation() if isinstance(node, ast.Global) else exc.ClosureMutation()
            case ast.With() | ast.Try():
                raise exc.NotAllowedOnDevice(f"`{_keyword(node)}` is not allowed in device code")
            case ast.Break() | ast.Continue() | ast.Delete() | ast.Import() | ast.ImportFrom():
                raise exc.UnsupportedPythonType(f"`{_keyword(node)}` is not supported in device code")
            case _:
                raise exc.StatementNotSupported(f"`{_keyword(node)}` is not supported in device code")
        return None

    def _if(self, node: ast.If, scope: Scope) -> Returned | None:
        test = self.evaluate(node.test, scope)
        if isinstance(test, HostTensor):
            raise test.direct()
        if isinstance(test, SymInt):
            test = self.evaluator.compare(("!=",), test, 0)
        if isinstance(test, TileTensor | Condition):
            self.regions.if_(test, node, scope)
            return None
        return self.statements(node.body if test else node.orelse, scope)

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            if (
                isinstance(node.op, ast.Add)
                and self._is_product(node.value, scope)
                and len(self.trace.loops_in_use) > 1
            ):
                self.trace.warn(exc.TiledKMatmulAccumulationWarning, place_of_node(scope.file, node))
            self.assign(target, self.evaluate(self._binary(node, _loaded(target)), scope), scope)
            return
        if not isinstance(target, ast.Subscript):
            raise exc.InvalidAssignment()
        # the tensor and the subscript are evaluated once, as Python does
        owner, index = self.evaluate(target.value, scope), self.evaluate(target.slice, scope)
        scope.names["__old"] = self.evaluator.getitem(owner, index)
        old = ast.copy_location(ast.Name("__old", ast.Load()), target)
        value = self.evaluate(self._binary(node, old), scope)
        del scope.names["__old"]
        self._set(owner, index, value)

    @staticmethod
    def _is_product(node: ast.expr, scope: Scope) -> bool:
        """Whether an expression is a matrix product by its own name: `a @ b`, `torch.mm(a, b)`."""
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.MatMult)
        called = node.func if isinstance(node, ast.Call) else None
        return isinstance(called, ast.Attribute) and called.attr in ("mm", "bmm", "matmul")

    @staticmethod
    def _binary(node: ast.AugAssign, left: ast.expr) -> ast.expr:
        """`left op value`, one tree a statement, so that its code is compiled once."""
        if (tree := getattr(node, "helion_binary", None)) is None:
            tree = node.helion_binary = ast.copy_location(ast.BinOp(left, node.op, node.value), node)  # pyright: ignore
        return tree

    # ---- assignment ----

    def assign(self, target: ast.expr, value: Any, scope: Scope, *, loop: bool = False) -> None:
        match target:
            case ast.Name(id=name):
                if scope is self.trace.root_scope and name in self.trace.host_names:
                    raise exc.CannotModifyHostVariableOnDevice(
                        f"'{name}' is a variable of the host and cannot be rebound in device code; "
                        + (
                            "name the loop's variable differently"
                            if loop
                            else f"use another name, or store with {name}[...] = value"
                        )
                    )
                if isinstance(value, TileTensor):
                    value.named(name)
                scope.names[name] = value
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                self._unpack(elements, value, scope, loop)
            case ast.Subscript():
                self._set(self.evaluate(target.value, scope), self.evaluate(target.slice, scope), value)
            case ast.Starred():
                raise exc.StarredArgsNotSupportedOnDevice()
            case _:
                raise exc.InvalidAssignment()

    def _unpack(self, elements: Sequence[ast.expr], value: Any, scope: Scope, loop: bool) -> None:
        if any(isinstance(e, ast.Starred) for e in elements):
            raise exc.StarredArgsNotSupportedOnDevice()
        if isinstance(value, DeviceTile):
            raise exc.FailedToUnpackTile()
        if isinstance(value, TileTensor | HostTensor) or not hasattr(value, "__iter__"):
            raise exc.FailedToUnpackTupleAssign(f"{type(value).__name__} cannot be unpacked")
        values = list(value)
        if len(values) != len(elements):
            raise exc.FailedToUnpackTupleAssign(f"{len(elements)} variables for {len(values)} values")
        for element, item in zip(elements, values):
            self.assign(element, item, scope, loop=loop)

    def _set(self, owner: Any, index: Any, value: Any) -> None:
        if isinstance(owner, TileTensor):
            raise exc.DeviceTensorSubscriptAssignmentNotAllowed()
        if isinstance(owner, list | dict):
            if isinstance(index, SymInt | TileTensor):
                raise exc.InvalidSequenceSubscription()
            owner[index] = value
        elif isinstance(owner, HostTensor | StackTensor):
            owner[index] = value
        else:
            raise exc.NonTensorSubscriptAssign(f"{type(owner).__name__} cannot be assigned to by subscript")


def _loaded(name: ast.Name) -> ast.Name:
    return ast.copy_location(ast.Name(name.id, ast.Load()), name)


def _keyword(node: ast.stmt) -> str:
    """The keyword of a statement."""
    names = {ast.FunctionDef: "def", ast.ClassDef: "class", ast.ImportFrom: "import", ast.Delete: "del"}
    return names.get(type(node), type(node).__name__.lower())  # pyright: ignore
