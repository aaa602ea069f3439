"""choose-indexing: how each access is addressed, and with which cache hints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, ValueAttr, declarations, one_of
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import RangeType, RefType, TileType, bit_width
from helion_ir.index.expr import And, Eq, Le, Not, Or, knob, scalars_of, string
from helion_ir.index.facts import fact_of
from helion_ir.passes.base import Pass, target_of
from helion_ir.passes.scope import bounds_of, exceeds_int32, kernel_of, parameter_of, physical, wide_scalars

POINTER, BLOCK_POINTER, DESCRIPTOR = "pointer", "block_ptr", "tensor_descriptor"

DESCRIPTOR_ALIGNMENT = 16
"""Bytes; of rows, and the least inner extent of a block (CUDA driver API, cuTensorMapEncodeTiled)."""
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

    Block pointers and descriptors exist where every subscript is a range, or a scalar, and masks are exactly the
    tensor's bounds; descriptors need rows of 16 bytes along some dimension, an address that is a multiple of 16 and a
    target that has them, so that of tensors whose strides only a call fixes there are none. Does not handle: descriptors made by the host. Runs after make-masks; copies of an access share its knob, since they share its site.
    """

    name = "choose-indexing"

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        target = target_of(module)
        for op in module.walk():
            if isinstance(op, memory.LoadOp | memory.StoreOp):
                legal = [POINTER]
                if blockable(op):
                    legal.append(BLOCK_POINTER)
                    if target.tensor_descriptors and describable(op):
                        legal.append(DESCRIPTOR)
                if len(legal) > 1:
                    yield DeclareOp(
                        f"{_kind(op)}.{op.site.data}.indexing", one_of(*legal), POINTER, owner=self.name,
                        field="indexing", doc=f"how the {_kind(op)} of {op.site.data} is addressed",
                    )  # fmt: skip
            if isinstance(op, memory.LoadOp) and target.eviction_policies and op.eviction is None:
                yield DeclareOp(
                    f"load.{op.site.data}.eviction", one_of("", "evict_first", "evict_last"), "", owner=self.name,
                    field="load_eviction_policies", doc=f"what the caches do with the elements of {op.site.data} once read",
                )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        declared = {d.sym_name.data for d in declarations(op)}
        required: set[Expr] = set()
        for access in [o for o in op.walk() if isinstance(o, memory.LoadOp | memory.StoreOp)]:
            name = f"{_kind(access)}.{access.site.data}"
            if f"{name}.indexing" in declared:
                selector = knob(f"{name}.indexing")
                access.properties["indexing"] = expr_attr(selector)
                self._require(op, access, selector, required)
            else:
                access.properties["indexing"] = ValueAttr(POINTER)
            if isinstance(access, memory.LoadOp) and f"{name}.eviction" in declared:
                access.properties["eviction"] = expr_attr(knob(f"{name}.eviction"))

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
        module.body.block.insert_op_before(RequireOp(expr_attr(condition), reason, owner=self.name), first)


def _kind(op: memory.AccessOp) -> str:
    return op.name.removeprefix("tile.")


def block_extents(op: memory.AccessOp) -> list[Expr]:
    """Physical extents of the block accessed, one a dimension of the tensor; a scalar subscript's is 1."""
    return [physical(s.type.block.data) if isinstance(s.type, RangeType) else Integer(1) for s in op.subscripts]


def blockable(op: memory.AccessOp) -> bool:
    """Whether the access is a rectangle of the tensor whose inactive lanes are those outside of it."""
    assert isinstance(op.ref.type, RefType)
    # Before make-masks a mask is the author's; afterwards a mask over ranges is what boundary checks do.
    if op.mask is not None and not isinstance(op.mask.owner, control.MaskOp):
        return False
    if not op.subscripts or not any(isinstance(s.type, RangeType) for s in op.subscripts):
        return False
    wide = wide_scalars(op)
    return all(_within(s, extent, wide) for s, extent in zip(op.subscripts, op.ref.type.dims))


def _within(subscript: SSAValue, extent: Expr, wide: frozenset[str]) -> bool:
    if exceeds_int32(extent, wide):  # block pointers and descriptors take 32-bit indices
        return False
    if isinstance(subscript.type, TileType):
        return subscript.type.rank == 0
    if isinstance(subscript.owner, control.ShiftOp):
        return False
    b = bounds_of(subscript)
    return b.upper == extent or (b.whole and b.upper - b.lower == physical(b.block))


def descriptor_order(ref: RefType) -> list[int]:
    """The dimensions of a tensor as its descriptor has them: one of stride 1 last, the others as they are.

    >>> from helion_ir.dialects.types import bf16, ref_type
    >>> descriptor_order(ref_type((4, 64, 32), bf16, (2048, 1, 64)))
    [0, 2, 1]
    """
    strides = [s.data for s in ref.strides]
    inner = max((i for i, s in enumerate(strides) if s == 1), default=len(strides) - 1)
    return [*(i for i in range(len(strides)) if i != inner), inner]


def describable(op: memory.AccessOp) -> bool:
    """Whether a descriptor may have the tensor's address and strides: one 1, the others multiples of 16 bytes.

    And whether the block can have rows of 16 bytes.
    """
    ref = op.ref.type
    assert isinstance(ref, RefType)
    if not 1 <= len(ref.shape) <= 5:
        return False
    order = descriptor_order(ref)
    *outer, inner = [ref.strides.data[i].data for i in order]
    if inner != 1:
        return False
    if parameter_of(op) in unaligned(op) or any(scalars_of(b) for b in block_extents(op)):
        return False
    bits, known = bit_width(ref.element_type), [fact_of(s, {}) for s in outer]
    row = block_extents(op)[order[-1]] * bits
    if row.is_Integer and int(row) < 8 * DESCRIPTOR_ALIGNMENT:
        return False
    return all(f.constant != 0 and f.divisor * bits % (8 * DESCRIPTOR_ALIGNMENT) == 0 for f in known)


def unaligned(op: memory.AccessOp) -> frozenset[str]:
    """The parameters of the access's kernel whose address need not be a multiple of 16 bytes."""
    listed = kernel_of(op).unaligned
    return frozenset() if listed is None else frozenset(n.data for n in listed)
