"""Compiling a kernel to closures: slots for values, expressions evaluated once, the ranges in scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from xdsl.dialects.builtin import IntegerAttr, StringAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from helion_ir.dialects import knob
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.tile import control as tile_control
from helion_ir.dialects.triton import control as triton_control
from helion_ir.dialects.types import RangeType, TileType, i1
from helion_ir.index.expr import compiled, constant_of, free_names
from helion_ir.index.text import expr_text
from helion_ir.interpreter.deadline import check
from helion_ir.interpreter.errors import InterpreterError, failure
from helion_ir.interpreter.registry import CONTROLS, FUNCTIONS, Frame, Function, Reading, Step
from helion_ir.interpreter.values import dtype_or_none, scalar
from helion_ir.targets import Target

if TYPE_CHECKING:
    from sympy import Expr

Body = Callable[[Frame], list[Any]]
"""Runs a block; returns what it yields."""

_TERMINATORS = (
    tile_control.YieldOp,
    tile_control.ConditionOp,
    triton_control.YieldOp,
    triton_control.ConditionOp,
    knob.YieldOp,
)


@dataclass
class Scope:
    """What is known of a kernel while it is compiled for one assignment and one set of integer arguments."""

    names: Mapping[str, Any]
    """Values of knobs, integer arguments and constexprs, by name."""
    target: Target
    explicit_masks: bool
    """Whether inactive lanes count wherever no mask says otherwise."""
    device: torch.device = torch.device("cpu")
    """Where the kernel's tensors are, and so all that is made."""
    slots: dict[SSAValue, int] = field(default_factory=dict)
    ranges: list[SSAValue] = field(default_factory=list)
    """Ranges defined so far and still visible, outermost first."""
    read: set[str] = field(default_factory=set)
    """Names that the kernel depends on."""
    _shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)

    # ---- values known now ----

    def value(self, e: Expr | ExprAttr) -> Any:
        """The value of an expression without operands."""
        expr = e.data if isinstance(e, ExprAttr) else e
        if (constant := constant_of(expr)) is not None:
            return constant
        self.read |= free_names(expr)
        try:
            return compiled(expr)(self.names)
        except KeyError as missing:
            raise _unbound(expr, missing) from None

    def attribute(self, attr: Attribute) -> Any:
        """The value of an attribute that holds a value or an expression of knobs."""
        match attr:
            case ExprAttr():
                return self.value(attr)
            case IntegerAttr():
                return bool(attr.value.data) if attr.type == i1 else attr.value.data
            case StringAttr() | knob.ValueAttr():
                return attr.data
        raise InterpreterError(f"{attr} is no value")

    def shape(self, type_: Attribute) -> tuple[int, ...]:
        """The extents of a tile."""
        assert isinstance(type_, TileType)
        if (known := self._shapes.get(id(type_))) is None:
            known = self._shapes[id(type_)] = tuple(int(self.value(d)) for d in type_.dims)
        return known

    # ---- values known when it runs ----

    def slot(self, value: SSAValue) -> int:
        """Where the frame holds a value."""
        return self.slots[value]

    def evaluator(self, e: ExprAttr, symbols: Sequence[SSAValue]) -> Callable[[Frame], Any]:
        """An expression over the scalars `d0, d1, …` as a function of the frame."""
        names = free_names(e.data)
        operands = [(f"d{i}", self.slot(s)) for i, s in enumerate(symbols) if f"d{i}" in names]
        if not operands:
            constant = self.value(e)
            return lambda _: constant
        known = self.known(e.data, len(symbols))
        function = compiled(e.data)
        return lambda frame: function({**known, **{name: scalar(frame[slot]) for name, slot in operands}})

    def known(self, e: Expr, operands: int) -> dict[str, Any]:
        """The values of the names in `e` that are not one of its `operands`."""
        names = free_names(e) - {f"d{i}" for i in range(operands)}
        self.read |= names
        try:
            return {n.removeprefix("@"): self.names[n.removeprefix("@")] for n in names}
        except KeyError as missing:
            raise _unbound(e, missing) from None

    # ---- activity of lanes ----

    def partial(self, type_: Attribute, axes: Sequence[int] | None = None) -> list[tuple[int, SSAValue]]:
        """Dimensions (of `axes`, or all) that a range in scope may leave partly inactive, with the innermost such range.

        None where the kernel's masks are explicit: there only masks and fills count.
        """
        assert isinstance(type_, TileType)
        return self.partial_dims(type_.dims, range(type_.rank) if axes is None else axes)

    def partial_dims(self, dims: Sequence[Expr], axes: Sequence[int]) -> list[tuple[int, SSAValue]]:
        """The same, of dimensions given as expressions."""
        found: list[tuple[int, SSAValue]] = []
        if self.explicit_masks:
            return found
        for axis, dim in enumerate(dims):
            if axis in axes and dim != 1:
                for value in reversed(self.ranges):
                    if value.type.block.data == dim:  # pyright: ignore
                        found.append((axis, value))
                        break
        return found

    # ---- compilation ----

    def define(self, value: SSAValue) -> int:
        """Give a value its slot."""
        slot = self.slots.setdefault(value, len(self.slots))
        # A shifted range is the same lanes as the range it came from.
        if isinstance(value.type, RangeType) and not isinstance(value.owner, tile_control.ShiftOp):
            self.ranges.append(value)
        return slot

    def block(self, block: Block) -> Body:
        """Compile a block; its arguments have slots afterwards."""
        visible = len(self.ranges)
        for argument in block.args:
            self.define(argument)
        ops: list[Operation] = []
        steps: list[Step] = []
        yields: list[int] = []
        for op in block.ops:
            if isinstance(op, _TERMINATORS):
                yields = [self.slot(v) for v in op.operands]
                break
            try:
                step = self.step(op)
            except Exception as cause:
                raise failure(op, cause) from cause
            ops.append(op)
            steps.append(step)
        del self.ranges[visible:]

        def run(frame: Frame) -> list[Any]:
            at = 0
            try:
                check()
                for at, step in enumerate(steps):  # noqa: B007
                    step(frame)
            except InterpreterError as cause:
                if cause.op is not None:
                    raise
                raise failure(ops[at], cause) from cause
            except Exception as cause:
                raise failure(ops[at], cause) from cause
            return [frame[slot] for slot in yields]

        return run

    def step(self, op: Operation) -> Step:
        """Compile one op."""
        if (control := CONTROLS.get(type(op))) is not None:
            step = control(op, self)
            for result in op.results:
                self.define(result)
            return step
        implementation = FUNCTIONS.get(type(op))
        if implementation is None:
            raise InterpreterError(f"the interpreter does not run {op.name}")
        function = implementation(op, self)
        inputs = [self.slot(v) for v in op.operands]
        if isinstance(function, Reading):
            inputs += [self.slot(v) for v in function.extra]
            function = function.function
        if self.device.type != "cpu" and all(isinstance(v.type, TileType) for v in op.operands):
            function = _here_or_there(function)
        return self._bound(op, function, inputs, [self.define(r) for r in op.results])

    def _bound(self, op: Operation, function: Function, inputs: list[int], outputs: list[int]) -> Step:
        """The function with its operands read from the frame and its results checked against their types."""
        if not outputs:

            def effect(frame: Frame) -> None:
                function(*[frame[i] for i in inputs])

            return effect
        if len(outputs) > 1:

            def several(frame: Frame) -> None:
                for slot, value in zip(outputs, function(*[frame[i] for i in inputs]), strict=True):
                    frame[slot] = value

            return several
        (out,) = outputs
        type_ = op.results[0].type
        dtype = dtype_or_none(type_.element_type) if isinstance(type_, TileType) and type_.rank else None
        if dtype is None:
            # Scalars, ranges, pointers: nothing to check, and inside a combine function scalars are whole tiles.
            def unchecked(frame: Frame) -> None:
                frame[out] = function(*[frame[i] for i in inputs])

            return unchecked
        shape = self.shape(type_)

        def checked(value: Any) -> Any:
            if value.shape != shape or value.dtype is not dtype:
                raise InterpreterError(f"{op.name} gave {value.dtype} {list(value.shape)}, its type is {dtype} {shape}")
            return value

        if len(inputs) == 1:
            (a,) = inputs

            def unary(frame: Frame) -> None:
                frame[out] = checked(function(frame[a]))

            return unary
        if len(inputs) == 2:
            a, b = inputs

            def binary(frame: Frame) -> None:
                frame[out] = checked(function(frame[a], frame[b]))

            return binary

        def step(frame: Frame) -> None:
            frame[out] = checked(function(*[frame[i] for i in inputs]))

        return step


def _here_or_there(function: Function) -> Function:
    """`function` of tiles, on copies on the CPU where PyTorch has no such function for the device, as of integers' dot."""

    def run(*values: Any) -> Any:
        try:
            return function(*values)
        except NotImplementedError:
            device = next(v.device for v in values if isinstance(v, torch.Tensor))
            out = function(*[v.cpu() if isinstance(v, torch.Tensor) else v for v in values])
            return tuple(o.to(device) for o in out) if isinstance(out, tuple) else out.to(device)

    return run


def _unbound(e: Expr, missing: KeyError) -> InterpreterError:
    return InterpreterError(
        f"{expr_text(e)} reads {missing.args[0]!r}, which is no knob of the assignment and no argument of the kernel"
    )
