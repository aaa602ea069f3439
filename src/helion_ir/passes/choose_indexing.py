"""choose-indexing: how each access is addressed, and with which cache hints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, RuledOutOp, ValueAttr, declarations, one_of
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import memory
from helion_ir.dialects.types import DTYPE_NAMES, RefType, bf16, bit_width, f16, f32, i32
from helion_ir.index.expr import And, Eq, Le, Ne, Not, Or, knob, string
from helion_ir.passes.access_forms import (
    DESCRIPTOR_ALIGNMENT,
    block_extents,
    descriptor_order,
    why_no_block,
    why_no_descriptor,
)
from helion_ir.passes.base import Pass, target_of
from helion_ir.passes.flatten_loops import unless_flattened
from helion_ir.targets import Target

POINTER, BLOCK_POINTER, DESCRIPTOR = "pointer", "block_ptr", "tensor_descriptor"

DESCRIPTOR_BUFFER = 128
"""Bytes a block must have: bulk copies write to shared memory at multiples of it, and Triton 3.6 packs the smaller buffers
of a pipeline (seen on an H200: "misaligned address" for every pipelined block of 32 and 64 bytes)."""
DESCRIPTOR_BLOCK = 256
"""The largest extent of a block along any dimension."""


@dataclass(frozen=True)
class ChooseIndexing(Pass):
    """Give each load and store a knob for its addressing, with the alternatives that are legal for it.

    ```mlir
    %v = tile.load "x" %x[%m, %k] : …
    // becomes, under `knob.declare @load.x.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" = "pointer"`
    %v = tile.load "x" %x[%m, %k] attributes {indexing = #index.expr<@load.x.indexing>} : …
    ```

    What the caches are told is for the tuner to find, and nothing by default: guesses from what is read again cost up to a
    fifth of the time and never paid (`benchmarks/results/rules.md`).

    Block pointers and descriptors exist where every subscript is a range, or a scalar, and masks are exactly the
    tensor's bounds; descriptors need rows of 16 bytes along some dimension, an address that is a multiple of 16 and a
    target that has them, so that of tensors whose strides only a call fixes there are
    none. Does not handle: descriptors made by the host. Runs after make-masks; copies of an access share its knob, since they share its site.
    """

    name = "choose-indexing"
    alternatives = frozenset({"indexing", "atomic_indexing"})

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp | RuledOutOp]:
        target = target_of(module)
        for op in walk(module):
            if isinstance(op, memory.LoadOp | memory.StoreOp | memory.AtomicOp):
                for made in (*self._ways(module, op, target), *self._hints(op, target)):
                    made.location = op.location
                    yield made

    def _ways(self, module: ModuleOp, op: memory.AccessOp, target: Target) -> Iterator[DeclareOp | RuledOutOp]:
        """The knob of how an access is addressed, and why it lacks a way that the target has."""
        name, field = f"{access_name(op)}.indexing", "indexing"
        reasons: dict[str, str] = {}
        if isinstance(op, memory.AtomicOp):
            field = "atomic_indexing"
            if target.descriptor_atomics:
                reasons[DESCRIPTOR] = why_no_atomic(op) or why_no_block(op) or why_no_descriptor(op)
        else:
            reasons[BLOCK_POINTER] = why_no_block(op)
            if target.tensor_descriptors:
                reasons[DESCRIPTOR] = why_no_block(op) or why_no_descriptor(op)
        whole = unless_flattened(module, op)
        legal = [POINTER, *(way for way, reason in reasons.items() if not reason)]
        if len(legal) > 1:
            yield DeclareOp(
                name, one_of(*legal), POINTER, owner=self.name, field=field,
                doc=f"how the {_kind(op)} of {op.site.data} is addressed", when=None if whole == 1 else expr_attr(whole),
            )  # fmt: skip
        for reason in dict.fromkeys(r for r in reasons.values() if r):
            yield RuledOutOp(name, [way for way, r in reasons.items() if r == reason], reason, owner=self.name)

    def _hints(self, op: memory.AccessOp, target: Target) -> Iterator[DeclareOp]:
        """What the caches may be told; descriptors tell them nothing."""
        name, site = access_name(op), op.site.data
        described = target.tensor_descriptors and not (why_no_block(op) or why_no_descriptor(op))
        when = expr_attr(Ne(knob(f"{name}.indexing"), string(DESCRIPTOR))) if described else None
        if isinstance(op, memory.LoadOp) and target.eviction_policies and op.eviction is None:
            yield DeclareOp(
                f"{name}.eviction", one_of("", "evict_first", "evict_last"), "", owner=self.name, when=when,
                field="load_eviction_policies", doc=f"what the caches do with the elements of {site} once read",
            )  # fmt: skip
        kinds: dict[type, tuple[str, ...]] = {
            memory.LoadOp: target.load_cache_modifiers,
            memory.StoreOp: target.store_cache_modifiers,
        }
        if modifiers := kinds.get(type(op)):
            yield DeclareOp(
                f"{name}.cache", one_of(*modifiers), modifiers[0], owner=self.name, when=when,
                field=f"{_kind(op)}_cache_modifiers", doc=f"which caches the {_kind(op)} of {site} goes through",
            )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        declared = {d.sym_name.data: d.domain.data for d in declarations(op)}
        required: set[Expr] = set()
        for access in [o for o in walk(op) if isinstance(o, memory.LoadOp | memory.StoreOp | memory.AtomicOp)]:
            name = access_name(access)
            ways = declared.get(f"{name}.indexing")
            if ways is not None and ways.values != (POINTER,) and not why_no_block(access):
                selector = knob(f"{name}.indexing")
                access.properties["indexing"] = expr_attr(selector)
                if DESCRIPTOR in ways:
                    self._require(op, access, selector, required)
            else:
                access.properties["indexing"] = ValueAttr(POINTER)
            for hint in ("eviction", "cache"):
                if f"{name}.{hint}" in declared:
                    access.properties[hint] = expr_attr(knob(f"{name}.{hint}"))

    def _require(self, module: ModuleOp, access: memory.AccessOp, selector: Expr, done: set[Expr]) -> None:
        """What a descriptor asks of the block sizes."""
        assert isinstance(access.ref.type, RefType)
        extents = block_extents(access)
        blocks = [extents[i] for i in descriptor_order(access.ref.type)]
        legal = Le(Integer(8 * DESCRIPTOR_ALIGNMENT), blocks[-1] * bit_width(access.ref.type.element_type))
        whole = Integer(bit_width(access.ref.type.element_type))
        for b in blocks:
            legal = And(legal, Le(b, Integer(DESCRIPTOR_BLOCK)))
            whole = whole * b
        legal = And(legal, Le(Integer(8 * DESCRIPTOR_BUFFER), whole))
        condition = Or(Not(Eq(selector, string(DESCRIPTOR))), legal)
        if legal == 1 or condition in done:
            return
        done.add(condition)
        reason = (
            f"a tensor descriptor of {access.site.data} needs blocks of at most {DESCRIPTOR_BLOCK} elements a dimension "
            f"and at least {DESCRIPTOR_ALIGNMENT} bytes a row, {DESCRIPTOR_BUFFER} in all"
        )
        first = module.body.block.first_op
        assert first is not None
        made = RequireOp(expr_attr(condition), reason, owner=self.name)
        made.location = access.location
        module.body.block.insert_op_before(made, first)


def _kind(op: memory.AccessOp) -> str:
    return op.name.removeprefix("tile.")


def access_name(op: memory.AccessOp) -> str:
    """What the knobs of an access begin with: `load.x`."""
    return f"{_kind(op)}.{op.site.data}"


DESCRIPTOR_ATOMICS: dict[str, tuple[Attribute, ...]] = {
    "add": (f32, f16, bf16, i32), "max": (i32,), "min": (i32,), "and": (i32,), "or": (i32,), "xor": (i32,),
}  # fmt: skip
"""Element types of the reductions that bulk copies do (PTX, cp.reduce.async.bulk.tensor)."""


def why_no_atomic(op: memory.AtomicOp) -> str:
    """Why a descriptor cannot do an atomic; "" if it can as far as the tensor allows."""
    assert isinstance(op.ref.type, RefType)
    if op.result is not None and not op.result.uses.get_length() == 0:
        return "its result is used"
    if op.sem.data != "relaxed":
        return f"its order is {op.sem.data}, a descriptor's is relaxed"
    if op.ref.type.element_type not in DESCRIPTOR_ATOMICS.get(op.kind.data, ()):
        return f"a descriptor has no atomic_{op.kind.data} on {DTYPE_NAMES[op.ref.type.element_type]}"
    return ""
