"""Expressions of device code: run by Python itself, after a rewrite of what may depend on the kernel's values.

An expression keeps Python's own meaning and is compiled with the author's file and positions, so that locations and
carets need no bookkeeping. Rewritten are calls (helpers with loops and branches of their own are walked), comparisons,
`and`, `or`, `not` and ternaries (their operands may be values of the kernel or of the configuration), and subscripts.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import functools
import math
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt

from helion_ir import exc
from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.types import SCALAR_I1
from helion_ir.frontend.diagnostics import authors_operation
from helion_ir.frontend.signed_sizes import divides_negative
from helion_ir.frontend.source import copied, is_author_file, place_of_node
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import COMPARE, Condition, DeviceTile, Gone, compare_sizes, is_size
from helion_ir.index.expr import And, Not, Or
from helion_ir.language import numbers

if TYPE_CHECKING:
    from helion_ir.frontend.walker import Walker

SYMBOLS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Names(dict[str, Any]):
    """The variables of one function; `missing` finds what is not among them.

    It serves `eval` as globals and as locals, since a comprehension looks its free names up in the globals only.
    """

    def __init__(self, names: dict[str, Any], missing: Callable[[str], Any]):
        super().__init__(names)
        self.missing = missing

    def __missing__(self, key: str) -> Any:
        return self.missing(key)

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if isinstance(value, Gone):
            raise value.error
        return value


class Scope:
    """A function being walked: its file, its variables, and where other names come from."""

    def __init__(self, file: str, names: dict[str, Any], outside: Callable[[str], Any], hooks: dict[str, Any]):
        self.file, self.outside, self.hooks = file, outside, hooks
        self.names = Names(names, self.find)

    def find(self, name: str) -> Any:
        """The value of a name that is no variable of the function."""
        if name in self.hooks:
            return self.hooks[name]
        return self.outside(name)

    def undefined(self, name: str) -> exc.UndefinedVariable:
        close = difflib.get_close_matches(name, [n for n in self.names if not n.startswith("__")], 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return exc.UndefinedVariable(f"name '{name}' is not defined{hint}")


class Rewrite(ast.NodeTransformer):
    """Rewrites a copy of a device expression; raises for what the language does not have."""

    def __init__(self, file: str):
        self.file = file

    def _hook(self, node: ast.expr, name: str, *args: ast.expr, keywords: list[ast.keyword] | None = None) -> ast.expr:
        call = ast.Call(ast.Name(name, ast.Load()), list(args), keywords or [])
        return ast.copy_location(call, node)

    def _thunk(self, node: ast.expr) -> ast.expr:
        none = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.copy_location(ast.Lambda(none, node), node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return self._hook(node, "__call", node.func, *node.args, keywords=node.keywords)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        symbols = ast.Constant(tuple(SYMBOLS[type(op)] for op in node.ops))  # pyright: ignore
        return self._hook(node, "__compare", symbols, node.left, *node.comparators)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        hook = "__and" if isinstance(node.op, ast.And) else "__or"
        return self._hook(node, hook, *[self._thunk(v) for v in node.values])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return self._hook(node, "__not", node.operand) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        return self._hook(node, "__select", node.test, self._thunk(node.body), self._thunk(node.orelse))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            return node
        return self._hook(node, "__getitem", node.value, _subscript_value(node.slice))

    def _refuse(self, node: ast.expr) -> ast.expr:
        kind = type(node).__name__
        raise exc.UnsupportedPythonType(f"{kind} is not supported in device code", place_of_node(self.file, node))

    visit_Set = visit_SetComp = visit_Await = visit_Yield = visit_YieldFrom = visit_NamedExpr = _refuse  # pyright: ignore


def _subscript_value(index: ast.expr) -> ast.expr:
    """A subscript as an expression: slices become calls of `slice`."""
    if isinstance(index, ast.Slice):
        parts = [p if p is not None else ast.Constant(None) for p in (index.lower, index.upper, index.step)]
        return ast.copy_location(ast.Call(ast.Name("__slice", ast.Load()), parts, []), index)
    if isinstance(index, ast.Tuple):
        return ast.copy_location(ast.Tuple([_subscript_value(e) for e in index.elts], ast.Load()), index)
    return index


def compiled(node: ast.expr, file: str) -> types.CodeType:
    """The code of a device expression; remembered on the node, since trees are shared by all traces of a function."""
    if (code := getattr(node, "helion_code", None)) is None:
        tree = ast.fix_missing_locations(ast.Expression(Rewrite(file).visit(_subscript_value(copied(node)))))
        code = node.helion_code = compile(tree, file, "eval")  # pyright: ignore
        _remember(code)
    return code


_DEVICE_CODE: set[types.CodeType] = set()


def _remember(code: types.CodeType) -> None:
    _DEVICE_CODE.add(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _remember(constant)


def is_device_code(code: types.CodeType) -> bool:
    """Whether a code object is a device expression: where a kernel is called from is no place of an op."""
    return code in _DEVICE_CODE


_SHAPED = frozenset(
    "zeros ones full empty new_zeros new_ones new_full new_empty reshape view expand broadcast_to repeat arange "
    "unflatten tile randn rand randint".split()
)
"""PyTorch's functions that take shapes, in which a tile means its block size."""

_MATH = {getattr(math, n): getattr(torch, n) for n in
         "sqrt exp log log2 log10 log1p expm1 sin cos tan tanh sinh cosh asin acos atan floor ceil erf fabs pow atan2".split()
         if hasattr(torch, n)}  # fmt: skip


_TO_PYTHON = ("item", "tolist", "numpy")
"""Methods of tensors that give what only a run has."""


class Evaluator:
    """Carries out what `Rewrite` put in place of Python's own operations."""

    def __init__(self, walker: Walker):
        self.walker = walker
        self.trace = walker.trace
        self.hooks: dict[str, Any] = {
            "__call": self.call, "__compare": self.compare, "__and": self.both, "__or": self.either,
            "__not": self.negated, "__select": self.select, "__getitem": self.getitem, "__slice": slice,
        }  # fmt: skip

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression."""
        return eval(compiled(node, scope.file), scope.names, scope.names)

    # ---- calls ----

    @authors_operation
    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Helpers of the author's are walked, so that their loops and branches work; everything else is called."""
        if isinstance(function, functools.partial):
            return self.call(function.func, *function.args, *args, **{**function.keywords, **kwargs})
        if isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType):
            if is_author_file(function.__func__.__code__.co_filename):
                return self.call(function.__func__, function.__self__, *args, **kwargs)
        if isinstance(function, types.FunctionType) and is_author_file(function.__code__.co_filename):
            return self.walker.function(function, args, kwargs)
        module = getattr(function, "__module__", None) or ""
        if module.startswith("helion_ir.language"):
            return function(*args, **kwargs)
        if (own := self._builtin(function, args)) is not None:
            return own(*args, **kwargs)
        if type(function).__module__.startswith("helion_ir.runtime"):
            raise exc.NestedKernelCallsNotSupported()
        return function(
            *[self._plain(function, a) for a in args], **{k: self._plain(function, v) for k, v in kwargs.items()}
        )

    def _plain(self, function: Any, value: Any) -> Any:
        """An argument as PyTorch's functions take it."""
        if isinstance(value, DeviceTile) and self._of_torch(function):
            if getattr(function, "__name__", "") in _SHAPED:
                return value.block
            name = getattr(function, "__name__", "this function")
            raise exc.IncorrectTileUsage(f"{value} cannot be passed to {name}; use tile.index for its indices")
        if isinstance(value, Condition) and self._of_torch(function):
            return self.as_tile(value)
        if type(value) in (list, tuple) and self._of_torch(function):
            return type(value)(self._plain(function, v) for v in value)  # pyright: ignore
        return value

    @staticmethod
    def _of_torch(function: Any) -> bool:
        owner = getattr(function, "__self__", None)
        if isinstance(owner, torch.Tensor):
            return True
        module = getattr(function, "__module__", None) or getattr(owner, "__module__", None) or ""
        return module.startswith("torch")

    def _builtin(self, function: Any, args: tuple) -> Callable[..., Any] | None:
        """The meaning of a function of Python's where a value of the kernel is among its arguments."""
        if isinstance(getattr(function, "__self__", None), TileTensor) and function.__name__ in _TO_PYTHON:
            raise exc.NotAllowedOnDevice(
                f"`.{function.__name__}()` asks for a number of Python's, and a value of the kernel is none while the kernel "
                "is compiled. Use the value itself: a scalar of the kernel, such as x[i, 0] or x[t].sum(), may stand in "
                "arithmetic, conditions, subscripts and bounds of loops; or call `.item()` on the host, before the loop"
            )
        if function is isinstance:
            return self._isinstance
        if function is print:
            return self.trace.device.function("device_print")
        if function is builtins.breakpoint:
            return self.trace.device.function("breakpoint")
        if (own := number_function(function)) is not None:
            return own
        if function is int and len(args) == 1 and isinstance(args[0], SymInt):
            return lambda size: size
        if function is zip:
            return _equally_long
        if function in (min, max) and len(args) > 1:
            return functools.partial(self._extremum, function)
        if args and isinstance(args[0], TileTensor):
            if function in (int, float, bool):
                raise exc.TorchOpTracingError(
                    f"{function.__name__}() of a value of the kernel is not known at compile time; "
                    "convert with .to(dtype), or compute with the value itself"
                )
            return _MATH.get(function) if isinstance(function, types.BuiltinFunctionType) else None
        return None

    @staticmethod
    def _isinstance(value: Any, kind: Any) -> bool:
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if isinstance(value, HostTensor) and torch.Tensor in kinds or isinstance(value, SymInt) and int in kinds:
            return True
        return isinstance(value, kind)

    def _extremum(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs or not any(isinstance(a, SymInt | TileTensor) for a in args):
            return function(*args, **kwargs)

        def two(a: Any, b: Any) -> Any:
            if isinstance(a, TileTensor) or isinstance(b, TileTensor):
                a, b = self.tensor(a, b), self.tensor(b, a)
                return torch.minimum(a, b) if function is min else torch.maximum(a, b)
            return (self.trace.sizes.min if function is min else self.trace.sizes.max)(a, b)

        return functools.reduce(two, args)

    def tensor(self, value: Any, like: Any) -> TileTensor:
        """A number as a scalar tile of the dtype of `like`."""
        if isinstance(value, TileTensor):
            return value
        dtype = like.dtype if isinstance(like, TileTensor) else torch.float32
        if isinstance(value, float) and not dtype.is_floating_point:
            dtype = torch.float32
        cap = self.trace.cap
        return cap.tile(cap.operand(value, dtype, []), [], dtype)

    # ---- truth ----

    def as_tile(self, value: Any) -> TileTensor:
        """A condition, bool or scalar tile as a scalar bool tile."""
        cap = self.trace.cap
        if isinstance(value, TileTensor):
            if value.ndim:
                for size in value.dims:
                    if not (isinstance(size, int) and size == 1):
                        raise exc.ShapeMismatch(
                            f"a condition must be a scalar, this has shape {list(value.dims)}; reduce it, or use torch.where"
                        )
                value = value.reshape([])
            return value if value.dtype == torch.bool else value.to(torch.bool)  # pyright: ignore
        if isinstance(value, Condition):
            op = cap.add(ApplyOp(value.expr, [], SCALAR_I1)) or cap.block.last_op
            return cap.tile(op.results[0], [], torch.bool)
        return cap.tile(cap.operand(bool(value), torch.bool, []), [], torch.bool)

    def compare(self, symbols: tuple[str, ...], *values: Any) -> Any:
        results = [self._compare(s, a, b) for s, a, b in zip(symbols, values, values[1:])]
        return functools.reduce(self._conjunction, results)

    @authors_operation
    def _compare(self, symbol: str, left: Any, right: Any) -> Any:
        if symbol in _MIRRORED:
            if isinstance(left, SymInt) and is_size(right) or isinstance(right, SymInt) and is_size(left):
                if any(divides_negative(self.trace.sizes.poly(v)) for v in (left, right)):
                    return COMPARE[symbol](*[self._size_tile(v) for v in (left, right)])
                expr = compare_sizes(symbol, self.trace.sizes.expr(left), self.trace.sizes.expr(right))
                return bool(int(expr)) if expr.is_Integer else Condition(expr)
            if isinstance(right, TileTensor) and not isinstance(left, torch.Tensor):
                return COMPARE[_MIRRORED[symbol]](right, left)
        return COMPARE[symbol](left, right)

    def _size_tile(self, size: Any) -> TileTensor:
        return self.trace.cap.tile(self.trace.cap.cast(self.trace.cap.scalar(size), torch.int64), [], torch.int64)

    def _conjunction(self, a: Any, b: Any) -> Any:
        return self._joined(a, b, And, torch.logical_and)

    def _joined(self, a: Any, b: Any, of_sizes: Any, of_tiles: Callable[..., Any]) -> Any:
        if isinstance(a, TileTensor) or isinstance(b, TileTensor):
            return of_tiles(self.as_tile(a), self.as_tile(b))
        if not isinstance(a, Condition) and not isinstance(b, Condition):
            return (a and b) if of_sizes is And else (a or b)
        x, y = (v.expr if isinstance(v, Condition) else self._constant(v) for v in (a, b))
        out = of_sizes(x, y)
        return bool(int(out)) if out.is_Integer else Condition(out)

    @staticmethod
    def _constant(value: Any) -> Any:
        from sympy import Integer

        return Integer(int(bool(value)))

    def _chain(self, thunks: tuple[Callable[[], Any], ...], of_sizes: Any, of_tiles: Any) -> Any:
        result = thunks[0]()
        for thunk in thunks[1:]:
            if not isinstance(result, TileTensor | Condition) and bool(result) != (of_sizes is And):
                return result
            known = not isinstance(result, TileTensor | Condition)
            result = thunk() if known else self._joined(result, thunk(), of_sizes, of_tiles)
        return result

    def both(self, *thunks: Callable[[], Any]) -> Any:
        return self._chain(thunks, And, torch.logical_and)

    def either(self, *thunks: Callable[[], Any]) -> Any:
        return self._chain(thunks, Or, torch.logical_or)

    def negated(self, value: Any) -> Any:
        if isinstance(value, TileTensor):
            return torch.logical_not(value)
        if isinstance(value, Condition):
            return Condition(Not(value.expr))  # pyright: ignore
        return not value

    def select(self, test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        """A ternary; one whose condition the compiler cannot decide becomes a branch."""
        if isinstance(test, TileTensor | Condition | SymInt):
            return self.walker.regions.conditional(test, then, orelse)
        return then() if test else orelse()

    # ---- subscripts ----

    @authors_operation
    def getitem(self, value: Any, index: Any) -> Any:
        if isinstance(value, TileTensor):
            return subscript_of_tile(value, index)
        if isinstance(value, list | tuple) and isinstance(index, SymInt | TileTensor):
            raise exc.InvalidSequenceSubscription(
                "the subscript of a Python sequence must be known at compile time; use hl.static_range for the loop"
            )
        return value[index]


def _equally_long(*sequences: Any, strict: bool = False) -> Any:
    """zip of sequences that the loop is unrolled over, where one that ends early is a mistake."""
    lists = [list(s) for s in sequences]
    if len({len(s) for s in lists}) > 1:
        raise exc.TypeInferenceError(f"zip in device code takes sequences of one length, not {[len(s) for s in lists]}")
    return zip(*lists)


def subscript_of_tile(value: TileTensor, index: Any) -> TileTensor:
    """`value[index]` for a device tensor: `:`, None, `...`, and integers and slices with constant bounds."""
    for i in index if isinstance(index, tuple) else (index,):
        if isinstance(i, DeviceTile | TileTensor | HostTensor):
            raise exc.InvalidIndexingType(
                "a device tensor takes `:` and None as subscripts; subscript the tensor of the host to load, "
                "or use torch.gather or torch.where"
            )
    return value[index]  # pyright: ignore


def number_function(function: Any) -> Callable[..., Any] | None:
    """Ours for triton.cdiv and triton.next_power_of_2, which kernels use on the host and on the device."""
    name = getattr(function, "__name__", "")
    if name not in ("cdiv", "next_power_of_2") or "triton" not in sys.modules:
        return None
    if function is getattr(sys.modules["triton"], name, None):
        return numbers.cdiv if name == "cdiv" else numbers.next_power_of_2
    return None
