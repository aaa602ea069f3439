"""Numbers that host code takes out of tensors, `t.item()` and `t.tolist()`: only a call has them, kernels take them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt

from helion_ir import exc
from helion_ir.dialects.host import PythonOp
from helion_ir.frontend.source import source_of
from helion_ir.frontend.values import HostBool, HostFloat

if TYPE_CHECKING:
    from helion_ir.frontend.host import Host

_REPEATS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.FunctionDef)

Position = tuple[int, int, int, int]
"""Line and column of an expression's beginning and end, which tell `t.sum()` from `t.sum().item()`."""


def position_of(node: ast.expr) -> Position:
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


class HostItems:
    """Turns calls of one statement into variables of the host, which are what kernels are given.

    `2 * t.item()` becomes `2 * (_item_0 := t.item())`. A call that runs again and again appends to a list of its own,
    whose entries the kernel is given.
    """

    def __init__(self, host: Host):
        self.host = host
        self._edits: dict[Position, tuple[ast.Call, str]] = {}
        self._lists: dict[Position, tuple[str, int]] = {}

    def begin(self) -> None:
        """A statement begins."""
        self._edits, self._lists = {}, {}

    def edits(self) -> list[tuple[ast.expr, str]]:
        """What the statement's text must say differently."""
        return list(self._edits.values())

    def before(self) -> Iterator[PythonOp]:
        """The statements that must run before it."""
        for variable, _ in self._lists.values():
            yield PythonOp(f"{variable} = []")

    def item(self, tensor: torch.Tensor) -> Any:
        """`t.item()`: a number that only the data fixes, as a scalar of the kernel."""
        variable = self.host.variables.get(self.host.position, "")
        if not variable or self._repeated() is not None:
            variable = self._kept("{}")
        return self._scalar(tensor.dtype, variable)

    def tolist(self, tensor: torch.Tensor) -> Any:
        """`t.tolist()`: a list of such numbers, as many as the tensor has elements in this call."""
        if tensor.ndim == 0:
            return self.item(tensor)
        if tensor.ndim > 2:
            raise exc.StatementNotSupported("tolist() of a tensor of more than two dimensions; reshape it before")
        sizes = [self._known(n) for n in tensor.shape]
        # The author's list is a copy: what host code does to it does not change what the kernel is given.
        variable = self._kept("[*{}]" if tensor.ndim == 1 else "[*map(list, {})]")
        texts = [f"{variable}[{i}]" for i in range(sizes[0])]
        if tensor.ndim == 1:
            return [self._scalar(tensor.dtype, text) for text in texts]
        return [[self._scalar(tensor.dtype, f"{text}[{j}]") for j in range(sizes[1])] for text in texts]

    def _known(self, size: Any) -> int:
        known = self.host.trace.arguments.specialize(size) if isinstance(size, SymInt) else size
        if known is None:
            raise exc.ShapeSpecializingCall(f"the length {size} of a list is not known at compile time")
        return known

    def _call(self) -> ast.Call:
        return next(
            n for n in ast.walk(self.host.node) if isinstance(n, ast.Call) and position_of(n) == self.host.position
        )

    def _repeated(self) -> ast.AST | None:
        """The loop around the call, if there is one."""
        call = self._call()
        return next(
            (
                n
                for n in ast.walk(self.host.node)
                if n is not self.host.node and isinstance(n, _REPEATS) and call in ast.walk(n)
            ),
            None,
        )

    def _kept(self, given: str) -> str:
        """The host expression for what the running call gives; in its place the author's code has `given` of it."""
        host, position = self.host, self.host.position
        call = self._call()
        source = source_of(host.lines, call)
        if self._repeated() is None:
            variable = self.host.fresh("item")
            host.variables[position] = variable
            self._edits[position] = call, given.format(f"({variable} := {source})")
            return variable
        if position not in self._lists:
            variable = self.host.fresh("items")
            host.variables[position] = variable
            self._lists[position] = variable, 0
            self._edits[position] = call, given.format(f"({variable}.append({source}) or {variable}[-1])")
        variable, count = self._lists[position]
        self._lists[position] = variable, count + 1
        return f"{variable}[{count}]"

    def _scalar(self, dtype: torch.dtype, text: str) -> Any:
        if not dtype.is_floating_point and dtype != torch.bool:
            name = text.replace("][", "_").replace("[", "_").rstrip("]")
            return self.host.trace.arguments.integer(name, text, None)
        if dtype == torch.bool:
            return HostBool(False, frozenset([text]), _undecidable)
        return HostFloat.of(float("nan"), frozenset([text]), _undecidable)


def _undecidable(_: frozenset[str]) -> None:
    raise exc.ShapeSpecializingCall("the host decides on a value of a tensor; decide in the device loop")
