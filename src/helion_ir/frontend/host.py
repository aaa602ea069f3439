"""Host code: run once on tensors without data, for shapes and values, and kept as text for every call."""

from __future__ import annotations

import ast
import dis
import sys
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from torch.utils import _pytree as pytree
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, StringAttr
from xdsl.ir import Block, Operation

from helion_ir import exc
from helion_ir.dialects.host import BindOp, LaunchOp, PythonOp
from helion_ir.dialects.index import expr_attr
from helion_ir.frontend.diagnostics import authors_operation
from helion_ir.frontend.expressions import SYMBOLS, Scope, number_function
from helion_ir.frontend.host_items import HostItems, Position, position_of
from helion_ir.frontend.host_language import HostLanguage
from helion_ir.frontend.host_tensors import WithoutData
from helion_ir.frontend.regions import assigned
from helion_ir.frontend.size_node import DependsOnBlockSize
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.source import Edit, HostText, copied, file_lines, function_node, place_of_node, source_of
from helion_ir.frontend.values import COMPARE, Condition, HostBool, HostFloat, compare_sizes, is_size
from helion_ir.language import active, loops, tunables
from helion_ir.records import is_record, with_fields

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

_REGISTERS = (tunables.register_block_size, tunables.register_tunable)
_TRANSPARENT = (tunables.specialize, tunables.constexpr)
_ROOTS = (loops.tile, loops.grid)
_PROGRAMMATIC = (loops.pdl_wait, loops.pdl_launch_dependents)
"""Programmatic launch: what its first and its last statements may say about kernels before and after."""
_FACTORIES = frozenset("empty zeros ones full rand randn randint arange eye linspace empty_strided".split())
"""Functions of torch that need to be told the device."""


class AuthorsError(Exception):
    """Carries an exception that the author's host code raised on purpose through the tracer."""

    def __init__(self, error: Exception):
        super().__init__(str(error))
        self.error = error


class HostRewrite(ast.NodeTransformer):
    """Calls and comparisons of host code go through the tracer."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("super", "locals", "globals"):
            return node
        return ast.copy_location(ast.Call(ast.Name("__call", ast.Load()), [node.func, *node.args], node.keywords), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        symbols = ast.Constant(tuple(SYMBOLS[type(op)] for op in node.ops))  # pyright: ignore
        return ast.copy_location(
            ast.Call(ast.Name("__compare", ast.Load()), [symbols, node.left, *node.comparators], []), node
        )


class Host:
    """Walks the statements of a kernel function; device loops go to the device walker."""

    def __init__(self, trace: Trace, function: types.FunctionType, names: dict[str, Any]):
        node = function_node(function)
        if not isinstance(node, ast.FunctionDef):
            raise exc.StatementNotSupported("a kernel must be defined with `def`")
        self.trace, self.function, self.node = trace, function, node
        self.file = function.__code__.co_filename
        self.lines = file_lines(self.file, function.__globals__)
        self.text = HostText(self.lines)
        self.ops = Block()
        self.scope = Scope(self.file, names, self._outside, {"__call": self.call, "__compare": self.compare})
        self.names = self.scope.names
        self.device_names: set[str] = set()
        self.position: Position = (0, 0, 0, 0)
        self.variables: dict[Position, str] = {}
        """Of calls that text cannot keep: the variable that holds their value, by place."""
        self.bindings: dict[str, Any] = {}
        self.items = HostItems(self)
        self.launched = False
        self.written: set[str] = set()

    def _outside(self, name: str) -> Any:
        if name in self.device_names:
            raise exc.CannotReadDeviceVariableOnHost(
                f"'{name}' is assigned in a device loop and cannot be read on the host; store it into a tensor"
            )
        try:
            return self.trace.host_global(name)
        except NameError:
            raise self.scope.undefined(name) from None

    # ---- statements ----

    def run(self) -> None:
        """Walk the function's body."""
        body = self.node.body
        if (
            isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            body = body[1:]
        roots = [i for i, n in enumerate(body) if self._is_root(n)]
        if not roots:
            self._no_loops()
        after = max([self.node.lineno, *[a.end_lineno or 0 for a in self.node.args.args]])
        if body:
            after = max(
                after,
                (self.node.body[0].end_lineno or 0)
                if body is not self.node.body
                else body[0].lineno - 1 - self._comments(body[0]),
            )
        for i, node in enumerate(body):
            between = roots and roots[0] < i < roots[-1]
            try:
                if i in roots:
                    self._root(node)  # pyright: ignore
                elif isinstance(node, ast.Expr) and (callee := self._callee(node.value)) in _PROGRAMMATIC:
                    self._programmatic(callee, first=i < roots[0], last=i > roots[-1])
                elif between and not self._is_barrier(node):
                    raise exc.TopLevelStatementBetweenLoops()
                elif self._is_barrier(node):
                    self._barrier(node, roots, i)
                elif self._host(node, after):
                    return
            except exc.Base as error:
                raise error.at(place_of_node(self.file, node)) from error.__cause__
            except Exception:
                self.trace.failed_at = self.trace.failed_at or place_of_node(self.file, node)
                raise
            after = node.end_lineno or node.lineno

    def _programmatic(self, function: Any, *, first: bool, last: bool) -> None:
        if not first and (not last or function is loops.pdl_wait):
            raise exc.PdlPlacement()
        word = "wait" if function is loops.pdl_wait else "launch" if first else "launch_last"
        self.trace.programmatic[word] = None

    def _comments(self, node: ast.stmt) -> int:
        """How many lines of comments stand right above a statement."""
        n, line = 0, node.lineno - 2
        while line >= 0 and self.lines[line].strip().startswith("#"):
            n, line = n + 1, line - 1
        return n

    def _no_loops(self) -> None:
        for node in ast.walk(self.node):
            if isinstance(node, ast.For) and self._is_root(node):
                raise exc.NestedGridLoop(place=place_of_node(self.file, node))
            if isinstance(node, ast.For) and self._callee(node.iter) is loops.jagged_tile:
                raise exc.InvalidJaggedTileUsage(
                    "hl.jagged_tile is a loop inside of another, over the tile of its rows",
                    place=place_of_node(self.file, node),
                )
        raise exc.NoDeviceLoopsInKernel(place=place_of_node(self.file, self.node))

    def _callee(self, node: ast.AST) -> Any:
        """The function that a call names, if it is named by plain attributes."""
        if not isinstance(node, ast.Call):
            return None
        parts, inner = [], node.func
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            return None
        value = self.names.get(inner.id, self.function.__globals__.get(inner.id))
        for part in reversed(parts):
            value = getattr(value, part, None) if isinstance(value, types.ModuleType) else None
        return value

    def _is_root(self, node: ast.AST) -> bool:
        return isinstance(node, ast.For) and self._callee(node.iter) in _ROOTS

    def _is_barrier(self, node: ast.stmt) -> bool:
        return isinstance(node, ast.Expr) and self._callee(node.value) is loops.barrier

    def _barrier(self, node: ast.stmt, roots: Sequence[int], place: int) -> None:
        if not roots or place < roots[0]:
            raise exc.BarrierOnlyAllowedAtTopLevel()
        if place < roots[-1]:  # after the last loop there is nothing to wait for
            self.trace.barrier(node)

    def _location(self, node: ast.stmt) -> FileLineColLoc:
        return FileLineColLoc(StringAttr(self.file), IntAttr(node.lineno), IntAttr(node.col_offset + 1))

    def _add(self, op: Operation, node: ast.stmt) -> None:
        op.location = self._location(node)
        self.ops.add_op(op)

    def _root(self, node: ast.For) -> None:
        if not self.launched:
            self.launched = True
            self.trace.launch = LaunchOp(self.trace.kernel_name, [])
            self._add(self.trace.launch, node)
        self.trace.root(node)
        self.device_names.update(n for n in assigned([node]) if n not in self.names)

    def _host(self, node: ast.stmt, after: int) -> bool:
        """Run a host statement and keep its text. True if the function returns here."""
        for child in ast.walk(node):
            if isinstance(child, ast.For) and self._is_root(child):
                raise exc.NestedGridLoop(place=place_of_node(self.file, child))
            if isinstance(
                child, ast.ClassDef | ast.AsyncFunctionDef | ast.Global | ast.Nonlocal | ast.Yield | ast.Await
            ):
                raise exc.StatementNotSupported(f"`{type(child).__name__.lower()}` is not supported in a kernel")
        self._save_arguments(node)
        edits = self._prepared(node)
        direct = isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        registered = direct and self._callee(node.value) in _REGISTERS  # pyright: ignore
        self.bindings = {}
        self.items.begin()
        returned = self._execute(node)
        for variable, value in self.bindings.items():
            self._add(BindOp(variable, expr_attr(value)), node)
        if not registered:
            for op in self.items.before():
                self._add(op, node)
            edits += self.items.edits()
            self._add(PythonOp(self.text.statement(node, after, edits)), node)
        return returned

    def _save_arguments(self, node: ast.stmt) -> None:
        """Keep the value of an integer argument whose name the statement rebinds, since expressions mean the argument."""
        for name in assigned([node]):
            for scalar in self.trace.arguments.scalars.values():
                if scalar.text == name:
                    scalar.text = f"_{name}"
                    self._add(PythonOp(f"_{name} = {name}"), node)

    def _prepared(self, node: ast.stmt) -> list[Edit]:
        """What text must say differently: registered knobs are variables, factories need a device."""
        edits: list[Edit] = []
        targets = _targets(node)
        for child in ast.walk(node):
            if not isinstance(child, ast.Call):
                continue
            callee = self._callee(child)
            if callee in _REGISTERS:
                variable = targets.get(position_of(child)) or self.fresh("knob")
                self.variables[position_of(child)] = variable
                edits.append((child, variable))
            elif callee in _TRANSPARENT and child.args:
                edits.append((child, f"({source_of(self.lines, child.args[0])})"))
            elif self._lacks_device(child, callee):
                edits.append(self._with_device(child))
            elif isinstance(child.func, ast.Attribute) and child.func.attr == "item":
                self.variables[position_of(child)] = targets.get(position_of(child)) or ""
        return edits

    def _lacks_device(self, node: ast.Call, callee: Any) -> bool:
        name = getattr(callee, "__name__", "")
        named = {k.arg for k in node.keywords}
        return (
            callee is not None
            and name in _FACTORIES
            and getattr(torch, name, None) is callee
            and not named & {"device", None}
        )

    def _with_device(self, node: ast.Call) -> Edit:
        line, column = node.end_lineno or node.lineno, (node.end_col_offset or 1) - 1
        before = self.lines[line - 1].encode()[:column].decode().rstrip()
        text = f"{'' if before.endswith((',', '(')) else ', '}device={self.trace.device_text}"
        return ast.Constant(None, lineno=line, col_offset=column, end_lineno=line, end_col_offset=column), text

    def fresh(self, base: str) -> str:
        """A name that no variable of the kernel has."""
        taken = {*self.names, *self.variables.values(), *self.function.__code__.co_varnames}
        n = 0
        while f"_{base}_{n}" in taken:
            n += 1
        return f"_{base}_{n}"

    def _execute(self, node: ast.stmt) -> bool:
        with active.using(HostLanguage(self)), WithoutData(self), torch.no_grad():
            try:
                return self._run(node)
            except Exception as error:
                if _on_purpose(error):
                    raise AuthorsError(error) from error
                raise

    def _run(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Return):
            if node.value is not None:
                self._try(node.value)
            return True
        if isinstance(node, ast.If):
            taken = node.body if self._truth(self.evaluate(node.test)) else node.orelse
            return any(self._run(n) for n in taken)
        if isinstance(node, ast.Assert):
            self._unify(node.test)
            if self._about_data(node):
                return False
        module = ast.Module([node], [])
        if (code := getattr(node, "helion_host_code", None)) is None:
            tree = ast.fix_missing_locations(HostRewrite().visit(copied(module)))
            code = node.helion_host_code = compile(tree, self.file, "exec")  # pyright: ignore
        exec(code, self.names, self.names)
        return False

    def _about_data(self, node: ast.Assert) -> bool:
        """Whether an assertion is about data, which only a call has."""
        try:
            return isinstance(self.evaluate(node.test), torch.Tensor | Condition)
        except (RuntimeError, NotImplementedError) as error:
            if isinstance(error, exc.Base):
                raise
            return True

    def _unify(self, test: ast.expr) -> None:
        """After `assert a.size(0) == b.size(0)` the two sizes are one."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for part in test.values:
                self._unify(part)
        if not isinstance(test, ast.Compare) or not all(isinstance(op, ast.Eq) for op in test.ops):
            return
        for left, right in zip([test.left, *test.comparators], test.comparators):
            a, b = self.evaluate(left), self.evaluate(right)
            pairs = (
                zip(a, b)
                if isinstance(a, tuple | list) and isinstance(b, tuple | list) and len(a) == len(b)
                else [(a, b)]
            )
            for x, y in pairs:
                if isinstance(x, SymInt) and isinstance(y, SymInt) and self.trace.unify(x, y):
                    self.replace(y, x)

    def replace(self, old: SymInt, new: Size) -> None:
        """Put one size in place of another in the shape of every tensor, once they are known to be equal."""
        swapped: dict[int, torch.Tensor] = {}

        def other(size: Any) -> Any:
            return new if isinstance(size, SymInt) and self.trace.sizes.equal(size, old) else size

        def changed(leaf: Any) -> Any:
            if is_record(leaf):
                return with_fields(leaf, lambda _, v: pytree.tree_map(changed, v))
            if not isinstance(leaf, torch.Tensor):
                return leaf if isinstance(new, int) else other(leaf)
            if id(leaf) not in swapped:
                shape = [other(s) for s in leaf.shape]
                made = torch.empty_strided(shape, leaf.stride(), dtype=leaf.dtype, device="meta")
                self.trace.alignment.replaced(leaf, made)
                self.trace.order.replaced(leaf, made)
                swapped[id(leaf)] = made
            return swapped[id(leaf)]

        for name, value in self.names.items():
            if any(isinstance(leaf, torch.Tensor | SymInt) or is_record(leaf) for leaf in pytree.tree_leaves(value)):
                self.names[name] = pytree.tree_map(changed, value)

    def _try(self, node: ast.expr) -> None:
        """The returned expression is run for its errors in names only: it may need data."""
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load) and child.id in self.device_names:
                self._outside(child.id)
            elif (
                isinstance(child, ast.Name)
                and isinstance(child.ctx, ast.Load)
                and not self._bound_inside(node, child.id)
            ):
                self.names[child.id]

    @staticmethod
    def _bound_inside(node: ast.expr, name: str) -> bool:
        inner = [c for c in ast.walk(node) if isinstance(c, ast.Name) and isinstance(c.ctx, ast.Store)]
        arguments = [c.arg for c in ast.walk(node) if isinstance(c, ast.arg)]
        return name in arguments or any(c.id == name for c in inner)

    def evaluate(self, node: ast.expr) -> Any:
        """The value of a host expression."""
        if (code := getattr(node, "helion_host_code", None)) is None:
            tree = ast.fix_missing_locations(ast.Expression(HostRewrite().visit(copied(node))))
            code = node.helion_host_code = compile(tree, self.file, "eval")  # pyright: ignore
        return eval(code, self.names, self.names)

    # ---- values ----

    def _truth(self, value: Any) -> bool:
        if isinstance(value, SymInt):
            value = self.compare(("!=",), value, 0)
        if isinstance(value, Condition):
            raise exc.ShapeSpecializingCall(
                f"the host decides on {value.expr}, which only a configuration fixes; decide in the device loop"
            )
        if isinstance(value, torch.Tensor):
            raise exc.ShapeSpecializingCall("the host decides on data; decide in the device loop, or before the kernel")
        return bool(value)

    @authors_operation
    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function on the host; the position tells registered knobs their names."""
        frame = sys._getframe(1)
        line, end_line, column, end_column = list(frame.f_code.co_positions())[frame.f_lasti // 2]
        self.position = (line or 0, column or 0, end_line or 0, end_column or 0)
        if (own := number_function(function)) is not None:
            return own(*args, **kwargs)
        if type(function).__module__.startswith("helion_ir.runtime") and type(function).__name__ == "Kernel":
            raise exc.NestedKernelCallsNotSupported()
        if function is isinstance and isinstance(args[0], SymInt):
            kinds = args[1] if isinstance(args[1], tuple) else (args[1],)
            return int in kinds or isinstance(*args)
        if function is isinstance and isinstance(args[0], HostBool):
            return isinstance(args[0].value, args[1])
        if function in (min, max) and len(args) == 2 and any(isinstance(a, SymInt) for a in args):
            if all(is_size(a) for a in args):
                return (self.trace.sizes.min if function is min else self.trace.sizes.max)(*args)
        try:
            result = function(*args, **kwargs)
        except DependsOnBlockSize:
            # Python needs the number: it becomes part of the specialization
            plain = pytree.tree_map_only(SymInt, self._known, (args, kwargs))
            result = function(*plain[0], **plain[1])
        floats = [a for a in pytree.tree_leaves((args, kwargs)) if isinstance(a, HostFloat)]
        if floats and type(result) is float:
            return HostFloat.of(result, frozenset().union(*[f.sources for f in floats]), floats[0].decided)
        if floats and type(result) in (int, bool):
            floats[0].decided(frozenset().union(*[f.sources for f in floats]))
        return result

    def _known(self, size: SymInt) -> Any:
        value = self.trace.arguments.specialize(size)
        if value is None:
            raise exc.ShapeSpecializingCall(
                f"the value of {size} is needed on the host, but only a configuration or the data fix it"
            )
        return value

    def compare(self, symbols: tuple[str, ...], *values: Any) -> Any:
        results = [self._compare(s, a, b) for s, a, b in zip(symbols, values, values[1:])]
        for result in results[:-1]:
            if not isinstance(result, torch.Tensor) and not self._truth(result):
                return result
        return results[-1]

    @authors_operation
    def _compare(self, symbol: str, left: Any, right: Any) -> Any:
        if isinstance(left, SymInt) and is_size(right) or isinstance(right, SymInt) and is_size(left):
            if symbol in ("is", "is not", "in", "not in"):
                return COMPARE[symbol](left, right)
            sizes = self.trace.sizes
            expr = compare_sizes(symbol, sizes.expr(left), sizes.expr(right))
            if expr.is_Integer:
                return bool(int(expr))
            known = [self.trace.arguments.specialize(v) if isinstance(v, SymInt) else v for v in (left, right)]
            return Condition(expr) if None in known else COMPARE[symbol](*known)
        return COMPARE[symbol](left, right)


def _targets(node: ast.stmt) -> dict[Position, str]:
    """The variables that a statement assigns calls to, by the position of the call."""
    out: dict[Position, str] = {}
    for child in ast.walk(node):
        if isinstance(child, ast.Assign) and len(child.targets) == 1:
            pairs: Sequence[tuple[ast.expr, ast.expr]] = [(child.targets[0], child.value)]
            if isinstance(child.targets[0], ast.Tuple) and isinstance(child.value, ast.Tuple):
                pairs = list(zip(child.targets[0].elts, child.value.elts))
            out |= {position_of(v): t.id for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, ast.Call)}
    return out


def _on_purpose(error: Exception) -> bool:
    """Whether an exception was raised by a `raise` or `assert` of the author's."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or isinstance(error, exc.Base):
        return False
    code = traceback.tb_frame.f_code
    opcode = code.co_code[traceback.tb_lasti]
    from helion_ir.frontend.source import is_author_file

    return is_author_file(code.co_filename) and dis.opname[opcode] == "RAISE_VARARGS"
