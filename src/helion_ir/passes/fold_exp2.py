"""fold-exp2: exponentials of base e become the hardware's of base 2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue

from helion_ir.dialects.knob import DeclareOp, one_of
from helion_ir.dialects.tile import compute, control, elementwise
from helion_ir.dialects.types import TileType, f32
from helion_ir.index.expr import Eq, Where, knob, string
from helion_ir.passes.base import Pass, kernels
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.dce import remove_dead

EXP2 = "exp2"
"""The knob, and the decision's name in a kernel's `schedule`."""
OFF, FOLD, FMA = "off", "fold", "fma"

LOG2_E = math.log2(math.e)
LARGEST = 3.4028234663852886e38
"""Of f32."""

HOMOGENEOUS = (
    elementwise.AddOp, elementwise.SubOp, elementwise.MaximumOp, elementwise.MinimumOp, elementwise.NegOp,
    elementwise.WhereOp, compute.ReshapeOp, compute.BroadcastOp, compute.PermuteOp,
)  # fmt: skip
"""Ops for which op(c x, …) is c op(x, …), c > 0, in exact arithmetic; also reductions to a sum, maximum or minimum."""
VIEWS = (compute.ReshapeOp, compute.BroadcastOp, compute.PermuteOp)


@dataclass(frozen=True)
class FoldExp2(Pass):
    """Compute `exp(x)` as `exp2(x * log2(e))`, the factor folded into a multiplication that is there already.

    ```mlir
    %s = tile.mul %qk, (full <0.125>) …   %m = tile.maximum %m0, (tile.reduce "max" <1> %s) …   %p = tile.exp (%s - %m)
    // with "fold" becomes
    %s = tile.mul %qk, (full <0.1803>) …  %m = tile.maximum %m0, (tile.reduce "max" <1> %s) …   %p = tile.exp2 (%s - %m)
    // with "fma", one multiply-add an element in the place of a multiplication and a subtraction
    %m = tile.maximum %m0, (tile.reduce "max" <1> %qk) …   %p = tile.exp2 (%qk * 0.1803 - %m * 0.1803)
    ```

    The factor goes backwards from each exponent through ops that it commutes with (sums, maxima, selections, views, and
    what loops carry) to constants, multiplications by a constant and logarithms, which become `log2`. Where it meets
    anything else the exponent itself is multiplied. What is used elsewhere too is divided by the factor there. With "fma"
    the multiplication by the one constant k > 0 that all exponents come from moves behind the maxima instead.

    Legal for float32, to which 16-bit exponentials are cast. A rounding moves, none is added: products and differences
    are off by units of the same places as before. Infinities and NaN come out as before, except of scores within a factor
    of 1.45 of the largest float32; a constant that would overflow is left. `tl.exp2` is `ex2.approx`, 2 ulp, and flushes
    results below 2^-126.

    Does not handle: float64, logarithms without an exponential, values carried by a `while` or given by an `if`;
    scaling that does not change in a loop is hoisted by Triton itself.
    Runs first of the passes that make loops, so that the others find exp2.
    """

    name = "fold-exp2"
    decision = EXP2

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        kernels = [k for k in module.walk() if isinstance(k, control.KernelOp) and _exponentials(k)]
        if not kernels:
            return
        fused = all(_Scaling(self, k).common_factor() is not None for k in kernels)
        for kernel in kernels:
            open_schedule(kernel, EXP2, Where(Eq(knob(EXP2), string(OFF)), Integer(0), knob(EXP2)))
        yield DeclareOp(
            EXP2, one_of(OFF, FOLD, FMA) if fused else one_of(OFF, FOLD), OFF, owner=self.name,
            doc="whether exponentials are of base 2, with the factor folded, or fused with the subtraction of a maximum",
        )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, control.KernelOp):
            choice = take_schedule(kernel, EXP2, self.name)
            if choice in (FOLD, FMA):
                scaling = _Scaling(self, kernel)
                scaling.fold() if choice == FOLD else scaling.fuse()
                remove_dead(kernel.body)


class _Scaling:
    """One kernel's exponents, and the values that can hold a multiple of what they held."""

    def __init__(self, owner: FoldExp2, kernel: control.KernelOp):
        self.owner = owner
        self.exponentials = _exponentials(kernel)
        self.scaled = self._reached(self._able())

    # -- which values ------------------------------------------------------------------------------------------------------
    def _able(self) -> set[SSAValue]:
        """What may be scaled: the largest set in which each value's sources are."""
        able: set[SSAValue] = set()
        left: list[SSAValue] = [op.operand for op in self.exponentials]
        while left:
            value = left.pop()
            if value not in able and _is_f32(value):
                able.add(value)
                left += _sources(value) or ()
        while wrong := [v for v in able if (s := _sources(v)) is None or not able.issuperset(s)]:
            able.difference_update(wrong)
        return able

    def _reached(self, able: set[SSAValue]) -> dict[SSAValue, None]:
        reached: dict[SSAValue, None] = {}  # in an order that is the same each time
        left = [op.operand for op in self.exponentials if op.operand in able]
        while left:
            value = left.pop()
            if value not in reached:
                reached[value] = None
                left += _sources(value) or ()
        return reached

    def common_factor(self) -> float | None:
        """The constant that all exponents are multiples of, where one multiply-add an exponent can apply it."""
        factors: set[float] = set()
        for value in self.scaled:
            if isinstance(value.owner, elementwise.LogOp):
                return None
            if isinstance(value.owner, elementwise.MulOp):
                factors.add(_constant_factor(value.owner)[1])  # pyright: ignore[reportOptionalSubscript] - a source
        numbers = [abs(v.owner.value.data) for v in self.scaled if isinstance(v.owner, compute.FullOp)]
        fused = any(_is_fusable(op.operand) for op in self.exponentials)
        if len(factors) != 1 or not fused or any(op.operand not in self.scaled for op in self.exponentials):
            return None
        (factor,) = factors
        if not 2.0**-60 < factor < 2.0**60 or any(LARGEST < n / factor < math.inf for n in numbers):
            return None
        return factor

    # -- rewriting ---------------------------------------------------------------------------------------------------------
    def fold(self) -> None:
        done = [op.operand in self.scaled for op in self.exponentials]
        self._rescale(LOG2_E)
        for op, scaled in zip(self.exponentials, done):
            exponent = op.operand if scaled else self._times(op.operand, LOG2_E, op)
            self._replace(op, elementwise.Exp2Op(exponent))

    def fuse(self) -> None:
        factor = self.common_factor()
        if factor is None:
            raise ValueError("fold-exp2: the exponents are no multiples of one constant")
        self._rescale(1 / factor)
        for op in self.exponentials:
            difference = op.operand.owner
            if _is_fusable(op.operand):
                assert isinstance(difference, elementwise.SubOp)
                lhs = self._times(difference.lhs, factor * LOG2_E, op)
                rhs = self._times_below_views(difference.rhs, factor * LOG2_E, op)
                made = elementwise.SubOp(lhs, rhs)
                self._insert(made, op)
                self._replace(op, elementwise.Exp2Op(made.result))
            else:
                self._replace(op, elementwise.Exp2Op(self._times(op.operand, factor * LOG2_E, op)))

    def _rescale(self, factor: float) -> None:
        """Make every value of the set hold `factor` times what it held, for the uses that are about the set."""
        uses = {v: [(u.operation, u.index) for u in v.uses] for v in self.scaled}
        for value in self.scaled:
            if isinstance(value.owner, compute.FullOp) and value.owner.value.data * factor == value.owner.value.data:
                continue  # 0 and infinity
            others = [(op, i) for op, i in uses[value] if not self._belongs(op, i)]
            new = self._source(value, factor)
            if new is None:
                if others:
                    self._restore(value, 1 / factor, others)
                continue
            for op, i in uses[value]:
                if (op, i) not in others:
                    op.operands[i] = new

    def _source(self, value: SSAValue, factor: float) -> SSAValue | None:
        """The multiple of a value that needs no source scaled; None where its op gives one once its operands are."""
        owner = value.owner
        if isinstance(owner, compute.FullOp):
            made: Operation = compute.FullOp(owner.value.data * factor, owner.result.type)
        elif isinstance(owner, elementwise.LogOp):
            made = elementwise.Log2Op(owner.operand)
        elif isinstance(owner, elementwise.MulOp):
            found = _constant_factor(owner)
            assert found is not None
            other, number = found
            # k * (1 / k) may be off 1 by an ulp, in which case nothing would be left out.
            if math.isclose(number * factor, 1.0, rel_tol=1e-12):
                return other
            product = self._times(other, number * factor, owner)
            product.name_hint = value.name_hint
            return product
        else:
            return None
        self._insert(made, owner)
        made.results[0].name_hint = value.name_hint
        return made.results[0]

    def _belongs(self, op: Operation, index: int) -> bool:
        """Whether a use takes the scaled value: an exponential, or an op whose result is scaled with it."""
        if op in self.exponentials:
            return True
        if isinstance(op, elementwise.MulOp | elementwise.LogOp):
            return False
        if isinstance(op, control.YieldOp):
            loop = op.parent_op()
            return isinstance(loop, control.ForOp) and loop.results[index] in self.scaled
        if isinstance(op, control.ForOp):
            place = index - len(op.symbols)
            return place >= 0 and op.results[place] in self.scaled
        return len(op.results) == 1 and op.results[0] in self.scaled

    def _restore(self, value: SSAValue, factor: float, uses: Sequence[tuple[Operation, int]]) -> None:
        """Give uses elsewhere what the value held."""
        owner = value.owner
        at = owner.first_op if isinstance(owner, Block) else owner.next_op
        assert at is not None
        old = self._times(value, factor, at)
        for op, i in uses:
            op.operands[i] = old

    def _times(self, value: SSAValue, factor: float, at: Operation) -> SSAValue:
        assert isinstance(value.type, TileType)
        number = compute.FullOp(factor, value.type)
        made = elementwise.MulOp(value, number.result)
        self._insert(number, at)
        self._insert(made, at)
        made.result.name_hint = value.name_hint
        return made.result

    def _times_below_views(self, value: SSAValue, factor: float, at: Operation) -> SSAValue:
        """As `_times`, where the value has the fewest elements: before it is broadcast."""
        owner = value.owner
        if not isinstance(owner, VIEWS):
            return self._times(value, factor, at)
        made = owner.create(
            operands=[self._times_below_views(owner.operand, factor, at)],
            result_types=[value.type],
            properties=dict(owner.properties),
        )
        self._insert(made, at)
        return made.results[0]

    def _insert(self, new: Operation, before: Operation) -> None:
        block = before.parent_block()
        assert block is not None
        block.insert_op_before(new, before)
        self.owner.located(before, [new])

    def _replace(self, op: elementwise.ExpOp, new: elementwise.Exp2Op) -> None:
        self._insert(new, op)
        new.result.name_hint = op.result.name_hint
        op.result.replace_all_uses_with(new.result)
        op.detach()
        op.erase()


def _exponentials(kernel: control.KernelOp) -> list[elementwise.ExpOp]:
    return [op for op in kernel.walk() if isinstance(op, elementwise.ExpOp) and _is_f32(op.result)]


def _is_f32(value: SSAValue) -> bool:
    return isinstance(value.type, TileType) and value.type.element_type == f32


def _is_fusable(exponent: SSAValue) -> bool:
    """Whether an exponent is a difference of which the subtrahend has fewer elements."""
    owner = exponent.owner
    return isinstance(owner, elementwise.SubOp) and isinstance(owner.rhs.owner, compute.BroadcastOp)


def _constant_factor(op: elementwise.MulOp) -> tuple[SSAValue, float] | None:
    """The other operand and the number of a multiplication by a constant."""
    for number, other in ((op.rhs, op.lhs), (op.lhs, op.rhs)):
        if isinstance(number.owner, compute.FullOp):
            return other, float(number.owner.value.data)
    return None


def _sources(value: SSAValue) -> Sequence[SSAValue] | None:
    """The values that must be scaled for this one to be; None where that does not scale it."""
    owner = value.owner
    if isinstance(value, BlockArgument):
        loop = value.block.parent_op()
        if not isinstance(loop, control.ForOp) or value.index == 0:
            return None
        return _carried(loop, value.index - 1)
    assert isinstance(owner, Operation)
    match owner:
        case compute.FullOp():
            number = float(owner.value.data)
            return () if not abs(number) <= LARGEST or abs(number) * LOG2_E <= LARGEST else None
        case elementwise.LogOp():
            return ()
        case elementwise.MulOp():
            found = _constant_factor(owner)
            return () if found is not None and 0 < abs(found[1]) * LOG2_E <= LARGEST else None
        case elementwise.WhereOp():
            return (owner.lhs, owner.rhs)
        case compute.ReduceOp():
            return (owner.operand,) if owner.kind.data in ("sum", "max", "min") else None
        case control.ForOp():
            assert isinstance(value, OpResult)
            return _carried(owner, value.index)
        case _:
            return tuple(owner.operands) if isinstance(owner, HOMOGENEOUS) else None


def _carried(loop: control.ForOp, place: int) -> Sequence[SSAValue]:
    """All that holds one carried value: how it starts, what the body sees and yields, and how it ends."""
    last = loop.body.block.last_op
    assert isinstance(last, control.YieldOp)
    return (loop.iter_args[place], loop.body.block.args[1 + place], last.arguments[place], loop.results[place])
