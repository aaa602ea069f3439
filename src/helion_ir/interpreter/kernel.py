"""Launches of kernels: arguments checked and bound, kernels compiled once for the integers they depend on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from sympy import Symbol
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.host import LaunchOp
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.tile.control import KernelOp as TileKernelOp
from helion_ir.dialects.triton.control import KernelOp as TritonKernelOp
from helion_ir.dialects.triton.types import PointerType
from helion_ir.dialects.types import RefType, TileType
from helion_ir.interpreter import families
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.scope import Body, Scope
from helion_ir.interpreter.values import Pointer, as_tensor, dtype_of, storage_of
from helion_ir.passes.base import target_of

families.load()

Kernel = TileKernelOp | TritonKernelOp


@dataclass
class _Compiled:
    """A kernel compiled for the values of the names it reads."""

    body: Body
    slots: int


@dataclass
class Interpreter:
    """A module that runs under one assignment."""

    module: ModuleOp
    assignment: dict[str, KnobValue]
    _compiled: dict[tuple[Any, ...], _Compiled] = field(default_factory=dict)
    _reads: dict[str, list[str]] = field(default_factory=dict)
    """Arguments, by kernel, on whose value its compiled form depends."""

    def __post_init__(self) -> None:
        self.target = target_of(self.module)
        self.kernels = {op.sym_name.data: op for op in self.module.ops if isinstance(op, Kernel)}

    def expression(self, e: ExprAttr) -> Any:
        """The value of an expression over knobs."""
        return Scope(self.assignment, self.target, False).value(e)

    def launcher(self, op: LaunchOp) -> Callable[..., None]:
        """The function that a host.launch calls with the values of its arguments."""
        name = op.kernel.data
        if name not in self.kernels:
            raise InterpreterError(f"no kernel named {name}", op)

        def launch(*arguments: Any) -> None:
            try:
                with torch.no_grad():
                    self.launch(name, arguments)
            except InterpreterError as wrong:
                raise wrong if wrong.op is not None else InterpreterError(wrong.reason, op) from wrong

        return launch

    def launch(self, name: str, arguments: Sequence[Any]) -> None:
        """Run a kernel on torch tensors and numbers, on the device that the tensors are on."""
        device = _device_of(arguments)
        kernel = self.kernels[name]
        names = [n.data for n in kernel.arg_names]
        types = [a.type for a in kernel.body.block.args]
        if len(arguments) != len(names):
            raise InterpreterError(f"{name} takes {len(names)} arguments, {len(arguments)} given")
        numbers = _numbers(names, types, arguments)
        scope = self._scope(kernel, numbers, device)
        values = [_argument(n, t, a, scope) for n, t, a in zip(names, types, arguments)]
        reads = self._reads.get(name)
        key = (name, device, *[numbers[n] for n in reads]) if reads is not None else None
        compiled = self._compiled.get(key) if key is not None else None
        if compiled is None:
            compiled = _Compiled(scope.block(kernel.body.block), len(scope.slots))
            self._reads[name] = reads = [n for n in numbers if n in scope.read]
            self._compiled[(name, device, *[numbers[n] for n in reads])] = compiled
        # The arguments of the entry block have the first slots.
        compiled.body([*values, *[None] * (compiled.slots - len(values))])

    def _scope(self, kernel: Kernel, numbers: dict[str, Any], device: torch.device) -> Scope:
        known = {**self.assignment, **numbers}
        if isinstance(kernel, TileKernelOp):
            return Scope(known, self.target, kernel.explicit_masks is not None, device)
        outer = Scope(known, self.target, True, device)
        scalars = {} if kernel.scalars is None else kernel.scalars.data
        computed = {n: outer.attribute(a) for n, a in (*kernel.constexprs.data.items(), *scalars.items())}
        return Scope(known | computed, self.target, True, device, read=outer.read)


def _device_of(arguments: Sequence[Any]) -> torch.device:
    """Where the tensors are: one on a GPU decides, since a number may come as a tensor of the CPU."""
    devices = [a.device for a in arguments if isinstance(a, torch.Tensor)]
    return next((d for d in devices if d.type != "cpu"), torch.device("cpu"))


def _numbers(names: Sequence[str], types: Sequence[Any], arguments: Sequence[Any]) -> dict[str, Any]:
    """Values of the scalar arguments, and of sizes that appear in the types of tensors only."""
    out: dict[str, Any] = {}
    for name, type_, value in zip(names, types, arguments):
        if isinstance(type_, TileType) and not isinstance(type_.element_type, PointerType):
            out[name] = value.item() if isinstance(value, torch.Tensor) else value
    for type_, value in zip(types, arguments):
        if isinstance(type_, RefType) and isinstance(value, torch.Tensor):
            for e, size in [*zip(type_.dims, value.shape), *zip([s.data for s in type_.strides], value.stride())]:
                if isinstance(e, Symbol):
                    out.setdefault(e.name, size)
    return out


def _argument(name: str, type_: Any, value: Any, scope: Scope) -> Any:
    """The value of a kernel's parameter, checked against its type."""
    if isinstance(type_, RefType):
        _check_tensor(name, value, type_, scope)
        return value
    assert isinstance(type_, TileType)
    if isinstance(type_.element_type, PointerType):
        if not isinstance(value, torch.Tensor):
            raise InterpreterError(f"argument {name!r} must be a tensor, not {type(value).__name__}")
        dtype = dtype_of(type_.element_type.pointee)
        if value.itemsize != dtype.itemsize:
            raise InterpreterError(f"argument {name!r} is {value.dtype}, the kernel takes {dtype}")
        return Pointer(storage_of(value, dtype), value.storage_offset())
    return value if isinstance(value, int) else as_tensor(value, dtype_of(type_.element_type), scope.device)


def _check_tensor(name: str, value: Any, type_: RefType, scope: Scope) -> None:
    if not isinstance(value, torch.Tensor):
        raise InterpreterError(f"argument {name!r} must be a tensor, not {type(value).__name__}")
    shape = [int(scope.value(d)) for d in type_.dims]
    strides = [int(scope.value(s)) for s in type_.strides]
    dtype = dtype_of(type_.element_type)
    if value.dtype != dtype or list(value.shape) != shape:
        raise InterpreterError(
            f"argument {name!r} is {value.dtype} {list(value.shape)}, the kernel was made for {dtype} {shape}"
        )
    # The stride of an extent of one (or of an empty tensor) says nothing.
    if any(a != b for a, b, n in zip(value.stride(), strides, shape) if n > 1) and 0 not in shape:
        actual = list(value.stride())
        raise InterpreterError(f"argument {name!r} has strides {actual}, the kernel was made for {strides}")
