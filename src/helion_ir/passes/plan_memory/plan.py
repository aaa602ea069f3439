"""The plan of a module: what its kernels need of memory, and what rules configurations out that need more than there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Attribute, Operation

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import RequireOp, declarations
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import Le, as_expr, knob, scalars_of
from helion_ir.index.facts import KnownFacts, fact_of
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.plan_memory import traffic
from helion_ir.passes.plan_memory.features import MEMORY
from helion_ir.passes.plan_memory.footprint import SYMBOLIC, Numbers, Size, Terms, is_number, most, total
from helion_ir.passes.plan_memory.liveness import feeds_only_products, peak, points_of
from helion_ir.passes.plan_memory.products import tensor_memory
from helion_ir.passes.plan_memory.repetition import Repetition
from helion_ir.passes.plan_memory.shared import shared_memory
from helion_ir.passes.scope import knob_facts

LARGEST_TILE = 1 << 20
"""Elements of one tile at most, Triton's TRITON_MAX_TENSOR_NUMEL."""

Limit = tuple[Size, Size, str, Operation]
"""What is needed, what there is, of what, and the op that it is about."""


class Plan:
    """What the kernels of a module need, found on their tiles, which may be gone from the module when it is asked.

    A search asks for expressions that hold for every configuration; a call that nobody has tuned only whether its one
    configuration fits, which the same rules tell in numbers.
    """

    def __init__(self, module: ModuleOp):
        self._module = module
        self._target = target_of(module)
        self._declared = {d.sym_name.data for d in declarations(module)}
        self._kernels = kernels(module, control.KernelOp)
        self._first = module.body.block.first_op

    def allows(self, assignment: Mapping[str, Any]) -> bool:
        """Whether a configuration is surely none of those that the requirements rule out."""
        terms = Numbers(assignment)
        for kernel in self._kernels:
            for need, room, *_ in self._limits(kernel, terms):
                if not (is_number(need) and is_number(room) and int(need) <= int(room)):
                    return False
        return True

    def write(self, owner: Pass, now: Sequence[Operation]) -> None:
        """Write what was found on the kernels, as they are by now and in order, and requirements into the module."""
        facts = knob_facts(self._module)
        required: list[RequireOp] = []
        for kernel, written in zip(self._kernels, now, strict=True):
            times, ops = Repetition(kernel, self._target), list(kernel.walk())
            shared = shared_memory(ops, self._target, self._declared, SYMBOLIC)
            plan: dict[str, Size] = {
                "shared": shared.likely,
                "shared_least": shared.least,
                "tensor": tensor_memory(ops, self._target, self._declared, SYMBOLIC),
                "registers": peak(points_of(kernel)),
                "loaded": traffic.loaded(kernel, times),
                "stored": traffic.stored(kernel, times),
                "products": traffic.products(kernel, times),
                "arithmetic": traffic.arithmetic(kernel, times),
                "blocks": times.blocks,
                "programs": times.programs,
            }
            written.properties[MEMORY] = DictionaryAttr({name: expr_attr(e) for name, e in plan.items()})
            for need, room, reason, about in self._limits(kernel, SYMBOLIC, shared.least, plan["tensor"]):
                if not _always(need, room, facts):
                    made = RequireOp(expr_attr(Le(need, room)), reason, owner=owner.name)
                    owner.located(about, [made])
                    required.append(made)
        assert self._first is not None
        self._module.body.block.insert_ops_before(required[::-1], self._first)  # the widest rules are asked first

    def _limits(
        self, kernel: control.KernelOp, terms: Terms, shared: Size | None = None, tensor: Size | None = None
    ) -> Iterator[Limit]:
        target, declared, ops = self._target, self._declared, list(kernel.walk())
        if shared is None:
            shared = shared_memory(ops, target, declared, terms).least
        if tensor is None:
            tensor = tensor_memory(ops, target, declared, terms)
        yield shared, target.shared_memory, f"shared memory: {target.shared_memory} bytes a program", kernel
        yield tensor, target.tensor_memory, f"tensor memory: {target.tensor_memory} bytes a program", kernel
        if "num_warps" in declared:
            each = target.warp_size * target.max_registers_per_thread * 4
            room = terms.of(knob("num_warps")) * each
            reason = f"registers: {each} bytes a warp for the values that a loop carries"
            yield _registers(ops, terms), room + target.tensor_memory, reason, kernel
            reason = f"registers: {each} bytes a warp for a tile loaded"
            for size, load in terms.distinct(_loaded(ops, terms)):
                yield size, room, reason, load
        for size, made in terms.distinct(_sizes(ops, terms)):
            yield size, LARGEST_TILE, f"a tile holds at most {LARGEST_TILE} elements", made


def _always(need: Size, room: Size, facts: KnownFacts) -> bool:
    """Whether no configuration needs more than there is."""
    return fact_of(as_expr(need), facts).high <= fact_of(as_expr(room), facts).low


def _varies(type_: TileType) -> bool:
    """Whether a tile's size is the configuration's choice."""
    return not all(d.is_Integer or scalars_of(d) for d in type_.dims)


def _sizes(ops: Sequence[Operation], terms: Terms) -> Iterator[tuple[Size, Operation]]:
    seen: set[Attribute] = set()
    for op in ops:
        for r in op.results:
            if r.type not in seen:
                seen.add(r.type)
                if isinstance(r.type, TileType) and _varies(r.type):
                    yield terms.elements(r.type), op


def _loaded(ops: Sequence[Operation], terms: Terms) -> Iterator[tuple[Size, Operation]]:
    """Bytes of each tile loaded into registers; the operands of dots may stay in shared memory."""
    for op in ops:
        if isinstance(op, memory.LoadOp) and not feeds_only_products(op.result):
            type_ = op.result.type
            if isinstance(type_, TileType) and _varies(type_):
                yield terms.bytes(type_), op


def _registers(ops: Sequence[Operation], terms: Terms) -> Size:
    """Bytes of the values that the kernel's loops carry, the most of any."""
    out: Size = 0
    for loop in [op for op in ops if isinstance(op, control.ForOp)]:
        carried = [terms.bytes(v.type) for v in loop.iter_args if isinstance(v.type, TileType) and v.type.rank]
        out = most(out, total(carried))
    return out
