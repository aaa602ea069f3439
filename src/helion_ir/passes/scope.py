"""What a kernel's ranges cover, and the knobs' domains: the facts that several passes ask for."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.knob import Domain, KnobValue, declarations
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import SCALAR_I64, RangeType, RefType
from helion_ir.index.expr import (
    And,
    CeilDiv,
    Eq,
    Max,
    Min,
    Mod,
    Ne,
    NextPow2,
    Not,
    all_of,
    constant_of,
    free_names,
    knobs_of,
    operand,
    scalars_of,
)
from helion_ir.index.facts import Domains, Fact, KnownFacts, decide


def domains_of(module: ModuleOp) -> Domains:
    """The values of every declared knob."""
    return {d.sym_name.data: d.domain.data.values for d in declarations(module)}


def knob_facts(module: ModuleOp) -> KnownFacts:
    """Bounds and divisors of the knobs whose values are numbers."""
    return _facts_of(tuple([(d.sym_name.data, d.domain.data) for d in declarations(module)]))


@functools.lru_cache(maxsize=64)  # structures of one kernel have the same knobs, and what follows from them
def _facts_of(knobs: tuple[tuple[str, Domain], ...]) -> KnownFacts:
    facts = {"@" + name: fact for name, d in knobs if (fact := _fact(d.values, d.kind == "pow2")) is not None}
    return KnownFacts(facts)


def facts_about(names: Iterable[str], domains: Domains) -> dict[str, Fact]:
    """Bounds of some knobs, for a question that is asked once."""
    return {"@" + name: fact for name in names if (fact := _fact(domains.get(name, ()))) is not None}


def _fact(values: Sequence[KnobValue], powers: bool = False) -> Fact | None:
    """What is known of a knob whose values are numbers."""
    numbers = [v for v in values if type(v) is int]
    if not numbers or len(numbers) < len(values):
        return None
    least = min(numbers)
    return Fact(least, max(numbers), least if powers else 1)


class Bounds(NamedTuple):
    """The indices that a loop or axis runs over, from `lower` to before `upper`, `block` at a time.

    Both bounds are expressions over knobs, kernel scalars and `symbols` (`d0, d1, …`).
    """

    lower: Expr
    upper: Expr
    block: Expr
    symbols: tuple[SSAValue, ...]
    whole: bool
    """Whether one block covers all, as for an axis, whose physical extent is the next power of two."""


def bounds_of(value: SSAValue) -> Bounds:
    """The bounds of a range, looked up at the op that made it."""
    assert isinstance(value.type, RangeType)
    block = value.type.block.data
    owner = value.owner
    if isinstance(owner, control.ShiftOp):
        return bounds_of(owner.range)
    if isinstance(owner, control.PartOp):
        return bounds_of(owner.range)._replace(block=block, whole=False)
    if isinstance(owner, control.AxisOp):
        return Bounds(owner.lower.data, owner.upper.data, block, (), True)
    if isinstance(owner, control.BlockOp):
        return Bounds(owner.lower.data, owner.upper.data, block, tuple(owner.symbols), False)
    assert isinstance(value, BlockArgument) and isinstance(owner, Block)
    loop = owner.parent_op()
    if isinstance(loop, control.ForOp):
        return Bounds(loop.lower.data, loop.upper.data, block, tuple(loop.symbols), False)
    assert isinstance(loop, control.ParallelOp)
    i = value.index
    return Bounds(loop.lower.data[i].data, loop.upper.data[i].data, block, tuple(loop.symbols), False)


def partial(value: SSAValue, domains: Domains, bounds: Bounds | None = None) -> Expr:
    """When a range, of which the bounds may be known, may have inactive lanes: 0 never, 1 possibly always, else a
    condition over knobs."""
    if isinstance(value.owner, control.PartOp | control.ShiftOp):  # a part may lie beyond the end entirely
        return partial(value.owner.range, domains)
    b = bounds_of(value) if bounds is None else bounds
    if b.whole:
        return settled(Ne(NextPow2(b.block), b.block), domains)
    if b.block == 1:
        return Integer(0)
    return settled(Not(multiple_of(b.upper - b.lower, b.block, b.symbols)), domains)


def settled(condition: Expr, domains: Domains) -> Expr:
    """A condition under which lanes are inactive, decided as far as knobs can: what run-time scalars decide is 1."""
    return Integer(1) if scalars_of(condition) else decide(condition, domains)


def multiple_of(e: Expr, block: Expr, symbols: tuple[SSAValue, ...]) -> Expr:
    """A condition over knobs under which `e` is a multiple of `block`; 0 where nothing is known."""
    return _multiple_of(e, block, symbols) if symbols else _multiple_alone(e, block)


@functools.lru_cache(maxsize=4096)  # several passes ask about the same ranges
def _multiple_alone(e: Expr, block: Expr) -> Expr:
    return _multiple_of(e, block, ())


def _multiple_of(e: Expr, block: Expr, symbols: tuple[SSAValue, ...]) -> Expr:
    out: Expr = Integer(1)
    plain: Expr = Integer(0)
    for term in Add.make_args(e):
        if _is_multiple(term, block):  # pyright: ignore
            continue
        if isinstance(term, Min | Max):
            out = And(out, all_of([multiple_of(a, block, symbols) for a in term.args]))  # pyright: ignore
            continue
        names = free_names(term)  # pyright: ignore
        if len(names) == len(knobs_of(term)):  # pyright: ignore
            plain = plain + term  # pyright: ignore
            continue
        coefficient, rest = term.as_coeff_Mul()
        found = next((s for i, s in enumerate(symbols) if rest == operand(i)), None)
        if found is not None:
            out = And(out, _value_multiple(found, block))
        elif block.is_Integer:  # whatever the others are, those that only knobs decide may have it
            known = Mul(*[f for f in Mul.make_args(term) if len(free_names(f)) == len(knobs_of(f))])  # pyright: ignore
            out = And(out, Eq(Mod(known, block), 0))
        else:
            out = Integer(0)
    return And(out, Eq(Mod(plain, block), 0))


def _is_multiple(term: Expr, block: Expr) -> bool:
    """Whether a product has `block` among its factors; everything in an index expression is an integer."""
    coefficient, rest = term.as_coeff_Mul()
    if block.is_Integer:
        return bool(coefficient.is_Integer) and int(coefficient) % int(block) == 0
    return block in Mul.make_args(rest)


def _value_multiple(value: SSAValue, block: Expr) -> Expr:
    """As `multiple_of`, for a scalar: a range's first index or end, or an expression of such."""
    owner = value.owner
    if isinstance(owner, ApplyOp):
        return multiple_of(owner.expr.data, block, tuple(owner.arguments))
    if isinstance(owner, control.BeginOp | control.EndOp):
        b = bounds_of(owner.range)
        aligned = And(multiple_of(b.lower, block, b.symbols), Eq(Mod(b.block, block), 0))
        if isinstance(owner, control.EndOp):
            aligned = And(aligned, multiple_of(b.upper, block, b.symbols))
        return aligned
    return Integer(0)


def ranges_in_scope(op: Operation) -> Iterator[SSAValue]:
    """The ranges visible at `op`, innermost first: loop arguments, and axes and blocks made before."""
    block = op.parent_block()
    at: Operation | None = op
    while block is not None and at is not None:
        previous = at.prev_op
        while previous is not None:
            if isinstance(previous, control.AxisOp | control.BlockOp | control.PartOp):
                yield previous.result
            previous = previous.prev_op
        yield from (a for a in block.args if isinstance(a.type, RangeType))
        at = block.parent_op()
        block = at.parent_block() if at is not None else None


def range_for(dim: Expr, op: Operation) -> SSAValue | None:
    """The innermost range at `op` that a dimension of this extent runs along."""
    for r in ranges_in_scope(op):
        assert isinstance(r.type, RangeType)
        if r.type.block.data == dim and constant_of(dim) != 1:
            return r
    return None


@functools.lru_cache(maxsize=4096)
def physical(dim: Expr) -> Expr:
    """The power-of-two extent that stands for a logical one in Triton; the host computes it of run-time scalars."""
    if isinstance(dim, NextPow2):
        return dim
    if not scalars_of(dim):
        # Blocks of a size that is no power of two may be any number; of a power of two they are one themselves.
        size = dim.args[0] if isinstance(dim, CeilDiv) else dim
        return NextPow2(dim) if size.is_Integer and NextPow2(size) != size else dim  # pyright: ignore[reportArgumentType]
    coefficient, rest = dim.as_coeff_Mul()
    twos = int(coefficient) & -int(coefficient)  # of 2 n too the pairs are n, padded, so that neither n nor 0 differs
    return twos * NextPow2(rest * (coefficient // twos))


# ---- what 32 bits can count -------------------------------------------------------------------------------------------

INT32_MAX = (1 << 31) - 1


def kernel_of(op: Operation) -> control.KernelOp:
    """The kernel that an op of the tile dialect belongs to."""
    at: Operation | None = op
    while not isinstance(at, control.KernelOp):
        assert at is not None
        at = at.parent_op()
    return at


def parameter_of(access: memory.AccessOp) -> str:
    """The kernel's parameter that an access reads or writes."""
    assert isinstance(access.ref, BlockArgument)
    return kernel_of(access).arg_names.data[access.ref.index].data


def wide_scalars(op: Operation) -> frozenset[str]:
    """The 64-bit scalar parameters of the kernel that an op belongs to."""
    kernel = kernel_of(op)
    arguments = zip(kernel.arg_names, kernel.body.block.args)
    return frozenset(name.data for name, a in arguments if a.type == SCALAR_I64)


def exceeds_int32(bound: Expr, wide: frozenset[str]) -> bool:
    """Whether a bound may be beyond what 32 bits hold, where these scalars may be."""
    return not scalars_of(bound).isdisjoint(wide) or _names_more(bound)


@functools.lru_cache(maxsize=4096)
def _names_more(bound: Expr) -> bool:
    return any(abs(int(n)) > INT32_MAX for n in bound.atoms(Integer))


def needs_int64(access: memory.AccessOp) -> bool:
    """Whether an element's offset may exceed 32 bits: the tensor's type says so, or the kernel."""
    ref = access.ref.type
    assert isinstance(ref, RefType)
    if (listed := kernel_of(access).wide) is not None and parameter_of(access) in [n.data for n in listed]:
        return True
    last = 0
    for extent, stride in zip([e.data for e in ref.shape.data], [s.data for s in ref.strides.data]):
        if stride == 0 or extent == 1:
            continue
        if not (extent.is_Integer and stride.is_Integer):
            return False  # the kernel is told, by the call
        last += (int(extent) - 1) * int(stride)
    return last > INT32_MAX
