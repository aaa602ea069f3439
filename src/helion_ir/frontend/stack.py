"""hl.stacktensor_like: tensors at addresses that the kernel loads, subscripted as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from xdsl.ir import SSAValue

from helion_ir import exc
from helion_ir.dialects.tile.compute import ReshapeOp
from helion_ir.dialects.tile.ranges import IndexOp
from helion_ir.dialects.tile.stack import StackLoadOp, StackStoreOp
from helion_ir.dialects.types import RangeType, TileType, i64
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.subscripts import Access, HostTensor, fitted, resolve
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace


def stacktensor_like(trace: Trace, example: Any, addresses: Any) -> StackTensor:
    """See helion_ir.language.stacktensor_like."""
    if not isinstance(example, HostTensor):
        raise exc.StackTensorExampleOnDevice()
    if isinstance(addresses, HostTensor):
        raise exc.StackTensorDevPtrOnHost()
    if not isinstance(addresses, TileTensor) or addresses.dtype != torch.uint64:
        raise exc.StackTensorDevPtrDtype()
    return StackTensor(trace, example, addresses)


class StackTensor:
    """Tensors laid out like `example` at `addresses`; subscripts are those of one of them."""

    def __init__(self, trace: Trace, example: HostTensor, addresses: TileTensor):
        self.trace, self.example, self.addresses = trace, example, addresses
        self.dtype, self.shape = example.dtype, example.shape

    def __getitem__(self, index: Any) -> TileTensor:
        return self.load(index, None)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.store(index, value, None)

    def load(self, index: Any, mask: Any) -> TileTensor:
        """The elements, of shape addresses + subscript."""
        cap = self.trace.cap
        access = self._access(index)
        dims = self._dims(access.dims)
        where = self._where(access, dims, mask)
        self.trace.order.reads(None)
        value = cap.emit(StackLoadOp(*where, cap.type_of(dims, self.dtype)))
        shown = self._dims(access.shown)
        if len(shown) != len(dims):
            value = cap.emit(ReshapeOp(value, cap.exprs(shown)))
        tile = cap.tile(value, shown, self.dtype)
        tile.loaded_from = self.example.name
        return tile

    def store(self, index: Any, value: Any, mask: Any) -> None:
        """Store a tensor that broadcasts to the shape accessed, or a number."""
        access = self._access(index)
        dims = self._dims(access.dims)
        whole = Access(access.subscripts, dims, self._dims(access.kept), self._dims(access.shown))
        stored = fitted(self.example, whole, value, self.dtype, "the value")
        self.trace.has_effects = True
        self.trace.order.writes(None)
        self.trace.cap.add(StackStoreOp(stored, *self._where(access, dims, mask)))

    def _dims(self, dims: Sequence[Size]) -> list[Size]:
        return [*self.addresses.dims, *dims]

    def _access(self, index: Any) -> Access:
        items = index if isinstance(index, list | tuple) else (index,)
        if any(i is Ellipsis for i in items):
            raise exc.InvalidIndexingType("a stack tensor takes no `...`; write a `:` for each dimension")
        access = resolve(self.example, index)
        if access.spread:
            raise exc.BackendUnsupported(
                "a stack tensor's dimension of extent 1 cannot be subscripted by a larger tile"
            )
        return access

    def _where(self, access: Access, dims: list[Size], mask: Any) -> tuple[SSAValue, SSAValue, SSAValue | None]:
        """Addresses, offsets in elements and the author's mask, each of all dimensions."""
        trace, cap, first = self.trace, self.trace.cap, self.addresses.ndim
        rank, place = len(dims), first
        total: Any = cap.tile(cap.full(0, [], torch.int64), [], torch.int64)
        for value, stride in zip(access.subscripts, self.example.like.stride()):
            type_ = value.type
            if isinstance(type_, TileType) and type_.rank > 1:
                raise exc.BackendUnsupported("index tensors of two and more dimensions on a stack tensor")
            if isinstance(type_, RangeType):
                value, own = cap.emit(IndexOp(value, i64)), [dims[place]]
            else:
                assert isinstance(type_, TileType)
                value, own = cap.cast(value, torch.int64), [dims[place]] if type_.rank else []
            index: Any = cap.tile(value, own, torch.int64)
            if own:
                index = index.reshape([dims[place] if i == place else 1 for i in range(rank)])
                place += 1
            total = total + index * stride
        addresses = self.addresses.reshape([*self.addresses.dims, *[1] * (rank - first)])
        author = trace.jagged.mask(dims, mask)
        if author is not None:
            author = cap.operand(author, torch.bool, dims)
        return cap.operand(addresses, torch.uint64, dims), cap.operand(total, torch.int64, dims), author
