"""Regions: which variables a loop or a branch carries, and the ops that hold its body."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import SymInt
from torch.utils import _pytree as pytree
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue

from helion_ir import exc
from helion_ir.dialects.tile.control import ConditionOp, IfOp, WhileOp, YieldOp
from helion_ir.frontend.expressions import Scope
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import Condition, Gone

if TYPE_CHECKING:
    from helion_ir.frontend.walker import Walker

MOST_UNROLLED = 10_000
"""Iterations of a compile-time loop before it is taken for endless."""


def assigned(body: Sequence[ast.AST], *, methods: bool = True) -> list[str]:
    """Names that statements may change, in order: assigned, subscript-assigned, or changed by a method like `add_`.

    Without `methods` only what is assigned, since `torch.relu_(x)` reads as a method that changes `torch`.
    """
    found: dict[str, None] = {}
    for statement in body:
        for child in ast.walk(statement):
            match child:
                case ast.Name(id=name, ctx=ast.Store()):
                    found[name] = None
                case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
                    found[name] = None
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if methods and (
                    method.endswith("_")
                    and not method.endswith("__")
                    or method in ("append", "extend", "insert", "update")
                ):
                    found[name] = None
    return list(found)


@dataclass
class Value:
    """The tiles inside of a variable's value, which may be a nested list, tuple or dict, and all the rest of it."""

    leaves: list[Any]
    spec: Any

    @staticmethod
    def of(value: Any) -> Value:
        leaves, spec = pytree.tree_flatten(value)
        return Value(leaves, spec)

    @property
    def tiles(self) -> list[TileTensor]:
        return [leaf for leaf in self.leaves if isinstance(leaf, TileTensor)]

    def rebuilt(self, tiles: Sequence[TileTensor]) -> Any:
        """The same structure around other tiles; lists and dicts are new objects."""
        rest = iter(tiles)
        return pytree.tree_unflatten([next(rest) if isinstance(x, TileTensor) else x for x in self.leaves], self.spec)


class Regions:
    """Makes loops and branches around statements of the author's."""

    def __init__(self, walker: Walker):
        self.walker = walker
        self.trace = walker.trace
        self.cap = walker.trace.cap

    def _fresh(self, tile: TileTensor, value: SSAValue) -> TileTensor:
        """A tile object of its own: in-place methods of one region must not reach another."""
        return self.cap.tile(value, tile.dims, tile.dtype)

    # ---- loops ----

    def carried(self, names: Sequence[str], scope: Scope) -> dict[str, Value]:
        """The variables among `names` that exist and hold tiles."""
        out: dict[str, Value] = {}
        for name in names:
            if name in scope.names and (value := Value.of(scope.names.get(name))).tiles:
                out[name] = value
        return out

    def loop(
        self,
        scope: Scope,
        names: Sequence[str],
        own: Sequence[Attribute],
        body: Callable[[Sequence[BlockArgument]], None],
        make: Callable[[list[SSAValue], Block], Sequence[SSAValue]],
    ) -> None:
        """Walk a loop's body once in a new block and carry what it changes.

        Args:
            scope: The function being walked; afterwards its variables are those after the loop.
            names: What the body may assign.
            own: Types of the loop's own block arguments.
            body: Walks the body, given those arguments.
            make: Makes the op from the initial values and the block, and gives its results.
        """
        cap, before = self.cap, dict(scope.names)
        statement = cap.statement
        start = self.carried(names, scope)
        inits = [t.value for v in start.values() for t in v.tiles]
        block = Block(arg_types=[*own, *[i.type for i in inits]])
        outer, cap.block = cap.block, block
        arguments = iter(block.args[len(own) :])
        for name, value in start.items():
            scope.names[name] = value.rebuilt([self._fresh(t, next(arguments)) for t in value.tiles])
        try:
            body(block.args[: len(own)])
            ends = {name: scope.names.get(name) for name in names if name in scope.names}
        finally:
            cap.block, cap.statement = outer, statement
        yields, kept, gone = self._matched(start, ends, block, len(own))
        block.add_op(YieldOp(*yields))
        inits = [i for i, keep in zip(inits, kept) if keep]
        results = iter(make(inits, block))
        keeps = iter(kept)
        scope.names.clear()
        scope.names.update(before)
        for name, value in start.items():
            after = [self._fresh(t, next(results)) if next(keeps) else t for t in value.tiles]
            scope.names[name] = value.rebuilt(after)
        self._forget(scope, names, before, ends, gone)

    def _matched(
        self, start: dict[str, Value], ends: dict[str, Any], block: Block, own: int
    ) -> tuple[list[SSAValue], list[bool], dict[str, exc.BaseError]]:
        """What the body yields; block arguments that it never changes are taken out again."""
        yields: list[SSAValue] = []
        kept: list[bool] = []
        gone: dict[str, exc.BaseError] = {}
        drop: list[tuple[BlockArgument, SSAValue]] = []
        at = own
        for name, value in start.items():
            arguments = block.args[at : at + len(value.tiles)]
            at += len(arguments)
            error = self._mismatch(name, value, ends[name])
            if error is not None:
                if any(a.first_use is not None for a in arguments):
                    raise error
                gone[name] = (
                    error  # a name used for something else inside: nothing flows from one iteration to the next
                )
            for tile, argument, end in zip(value.tiles, arguments, [] if error else Value.of(ends[name]).tiles):
                kept.append(end.value is not argument)
                if end.value is argument:
                    drop.append((argument, tile.value))
                else:
                    yields.append(end.value)
            if error is not None:
                kept.extend([False] * len(arguments))
                drop.extend((a, t.value) for a, t in zip(arguments, value.tiles))
        for argument, init in drop:
            argument.replace_all_uses_with(init)
            block.erase_arg(argument)
        return [dict(drop).get(y, y) for y in yields], kept, gone  # pyright: ignore

    def _mismatch(self, name: str, start: Value, end: Any) -> exc.BaseError | None:
        after = Value.of(end)
        if [type(x) for x in start.leaves] != [type(x) for x in after.leaves] or start.spec != after.spec:
            return exc.CantCombineTypesInControlFlow(
                f"'{name}' is {described(pytree.tree_unflatten(start.leaves, start.spec))} before the loop "
                f"and {described(end)} after an iteration; give it one type, or use another name inside"
            )
        for a, b in zip(start.tiles, after.tiles):
            if a.value.type != b.value.type:
                return exc.ControlFlowTensorMismatch(
                    f"'{name}' is {described(a)} before the loop and {described(b)} after an iteration; "
                    "convert with .to(dtype), reshape, or use another name inside"
                )
        return None

    def _forget(
        self,
        scope: Scope,
        names: Sequence[str],
        before: dict[str, Any],
        ends: dict[str, Any],
        gone: dict[str, exc.BaseError],
    ) -> None:
        for name in names:
            if name in gone:
                scope.names[name] = Gone(gone[name])
            elif name not in ends:  # a tensor of the host, some of whose elements are assigned
                continue
            elif name not in before:
                scope.names[name] = Gone(
                    exc.UndefinedVariable(
                        f"'{name}' is assigned inside of a loop or branch only; assign it before, too"
                    )
                )
            elif not Value.of(before[name]).tiles and ends[name] is not before[name]:
                if (
                    isinstance(ends[name], int | float | str)
                    and type(ends[name]) is type(before[name])
                    and ends[name] == before[name]
                ):
                    continue
                scope.names[name] = Gone(
                    exc.CantCombineTypesInControlFlow(
                        f"'{name}' is {described(before[name])} before and {described(ends[name])} after; a value that a "
                        "loop or branch changes must be a device tensor, such as hl.zeros([], dtype=torch.int32)"
                    )
                )

    # ---- while ----

    def while_(self, node: ast.While, scope: Scope) -> None:
        """A `while`: unrolled while its condition is known at compile time, else `tile.while`."""
        walker, cap = self.walker, self.cap
        statement = cap.statement
        for _ in range(MOST_UNROLLED):
            mark = cap.block.last_op
            test = walker.evaluate(node.test, scope)
            if isinstance(test, TileTensor | Condition):
                break
            if not test:
                return
            walker.body(node.body, scope)
        else:
            raise exc.StatementNotSupported(f"the loop runs more than {MOST_UNROLLED} times at compile time")
        while cap.block.last_op is not mark and cap.block.last_op is not None:
            cap.block.last_op.detach()  # the condition is evaluated again, in its own region
        names = assigned(node.body)
        start = self.carried(names, scope)
        inits = [t.value for v in start.values() for t in v.tiles]
        first = Block(arg_types=[i.type for i in inits])
        outer, before = cap.block, dict(scope.names)
        self._enter(first, start, scope)
        cap.add(ConditionOp(walker.evaluator.as_tile(walker.evaluate(node.test, scope)).value, *first.args))
        second = Block(arg_types=[i.type for i in inits])
        self._enter(second, start, scope)
        try:
            walker.body(node.body, scope)
            ends = {name: scope.names.get(name) for name in names if name in scope.names}
        finally:
            cap.block, cap.statement = outer, statement
        yields: list[SSAValue] = []
        for name, value in start.items():
            if (error := self._mismatch(name, value, ends[name])) is not None:
                raise error
            yields += [t.value for t in Value.of(ends[name]).tiles]
        second.add_op(YieldOp(*yields))
        results = iter(cap.add(WhileOp(inits, Region(first), Region(second))).results)
        scope.names.clear()
        scope.names.update(before)
        for name, value in start.items():
            scope.names[name] = value.rebuilt([self._fresh(t, next(results)) for t in value.tiles])
        self._forget(scope, names, before, ends, {})

    def _enter(self, block: Block, start: dict[str, Value], scope: Scope) -> None:
        self.cap.block = block
        arguments = iter(block.args)
        for name, value in start.items():
            scope.names[name] = value.rebuilt([self._fresh(t, next(arguments)) for t in value.tiles])

    # ---- branches ----

    def if_(self, test: Any, node: ast.If, scope: Scope) -> None:
        """An `if` that only the kernel or the configuration decides."""
        names = assigned([*node.body, *node.orelse])
        before = dict(scope.names)
        condition = self.walker.evaluator.as_tile(test).value
        sides = [self._side(body, names, before, scope) for body in (node.body, node.orelse)]
        (then, end_then), (orelse, end_else) = sides
        merged: dict[str, tuple[Value, Value]] = {}
        after = dict(before)
        for name in names:
            a, b = end_then.get(name, _ABSENT), end_else.get(name, _ABSENT)
            if a is _ABSENT and b is _ABSENT:  # a tensor of the host, some of whose elements are assigned
                continue
            if a is _ABSENT or b is _ABSENT or isinstance(a, Gone) or isinstance(b, Gone):
                error = exc.UndefinedVariable(
                    f"'{name}' is assigned in one branch only; assign it before the `if`, too"
                )
                after[name] = Gone(error)
                continue
            x, y = Value.of(a), Value.of(b)
            if not x.tiles and not y.tiles and (a is b or type(a) is type(b) and not isinstance(a, SymInt) and a == b):
                after[name] = a
            elif (error := self._differ(name, x, y, a, b)) is not None:
                after[name] = Gone(error)
            else:
                merged[name] = (x, y)
        pairs = [(s.value, t.value) for x, y in merged.values() for s, t in zip(x.tiles, y.tiles)]
        changed = [a is not b for a, b in pairs]
        then.add_op(YieldOp(*[a for (a, _), c in zip(pairs, changed) if c]))
        orelse.add_op(YieldOp(*[b for (_, b), c in zip(pairs, changed) if c]))
        types = [a.type for (a, _), c in zip(pairs, changed) if c]
        results = iter(self.cap.add(IfOp(condition, Region(then), Region(orelse), types)).results)
        flags = iter(changed)
        scope.names.clear()
        scope.names.update(after)
        for name, (x, _) in merged.items():
            scope.names[name] = x.rebuilt([self._fresh(t, next(results) if next(flags) else t.value) for t in x.tiles])

    def _side(
        self, body: Sequence[ast.stmt], names: Sequence[str], before: dict[str, Any], scope: Scope
    ) -> tuple[Block, dict]:
        cap = self.cap
        scope.names.clear()
        scope.names.update(before)
        outer, cap.block, statement = cap.block, Block(), cap.statement
        try:
            for name in names:
                if name in before and (value := Value.of(before[name])).tiles:
                    scope.names[name] = value.rebuilt([self._fresh(t, t.value) for t in value.tiles])
            self.walker.body(body, scope)
            return cap.block, dict(scope.names)
        finally:
            cap.block, cap.statement = outer, statement

    def _differ(self, name: str, x: Value, y: Value, a: Any, b: Any) -> exc.BaseError | None:
        if x.spec != y.spec or [type(v) for v in x.leaves] != [type(v) for v in y.leaves] or not x.tiles:
            return exc.CantCombineTypesInControlFlow(
                f"'{name}' is {described(a)} in one branch and {described(b)} in the other; both must be tensors of one type"
            )
        for s, t in zip(x.tiles, y.tiles):
            if s.value.type != t.value.type:
                return exc.ControlFlowTensorMismatch(
                    f"'{name}' is {described(s)} in one branch and {described(t)} in the other; make them alike"
                )
        return None

    def conditional(self, test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        """A ternary that only the kernel or the configuration decides."""
        cap = self.cap
        condition = self.walker.evaluator.as_tile(test).value
        blocks, ends = [], []
        for side in (then, orelse):
            outer, cap.block = cap.block, Block()
            try:
                value = side()
                ends.append(value if isinstance(value, TileTensor) else self.walker.evaluator.tensor(value, None))
                blocks.append(cap.block)
            finally:
                cap.block = outer
        x, y = ends
        if x.value.type != y.value.type:
            raise exc.ControlFlowTensorMismatch(f"the ternary is {described(x)} or {described(y)}; make them alike")
        for block, end in zip(blocks, ends):
            block.add_op(YieldOp(end.value))
        op = cap.add(IfOp(condition, Region(blocks[0]), Region(blocks[1]), [x.value.type]))
        return self._fresh(x, op.results[0])


_ABSENT = object()


def described(value: Any) -> str:
    """A value in the author's words."""
    if isinstance(value, TileTensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {list(value.dims)}"
    if value is None or isinstance(value, bool | int | float | str):
        return f"the Python value {value!r}"
    if isinstance(value, SymInt):
        return f"the number {value}"
    return f"a {type(value).__name__}"


def iterated(values: Any) -> Iterator[Any]:
    """The elements of a compile-time sequence. Raises InvalidDeviceForLoop for what cannot be iterated over."""
    if isinstance(values, TileTensor | SymInt) or not hasattr(values, "__iter__"):
        raise exc.InvalidDeviceForLoop(
            f"cannot loop over {described(values)} in device code; use hl.tile, hl.grid, range, hl.static_range "
            "or a Python sequence"
        )
    return iter(values)
