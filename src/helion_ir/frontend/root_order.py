"""Which top-level loops begin only once those before them have ended: where they use memory that those have written."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import torch
from torch._subclasses import FakeTensor
from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, Operation

from helion_ir.dialects.tile.control import BarrierOp

ANYWHERE = 0
"""In the place of a memory, of which none is at this address: what a stack tensor reads or writes."""


def overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether the address ranges of two tensors have bytes in common; of tensors without data, whether they are views of one.

    >>> x = torch.ones(8)
    >>> overlap(x[:5], x[4:]), overlap(x[:4], x[4:])
    (True, False)
    """
    if isinstance(a, FakeTensor) or isinstance(b, FakeTensor):
        return a.untyped_storage()._cdata == b.untyped_storage()._cdata
    gap = b.data_ptr() - a.data_ptr()
    apart = gap >= _bytes(a) if gap >= 0 else -gap >= _bytes(b)
    return not apart and a.numel() > 0 and b.numel() > 0


def _bytes(t: torch.Tensor) -> int:
    """From a tensor's first element to the end of its last."""
    if t.is_contiguous() or t.numel() == 0:
        return t.numel() * t.element_size()
    return (sum([(n - 1) * stride for n, stride in zip(t.shape, t.stride())]) + 1) * t.element_size()


class RootOrder:
    """Puts barriers between top-level loops, which run at the same time otherwise.

    Args:
        block: Of the kernel, where the loops are.
        specialized: Where host expressions go on whose values the kernel depends: whether two arguments overlap, where
            that decides about a barrier.
    """

    def __init__(self, block: Block, specialized: dict[str, None]):
        self.block, self.specialized = block, specialized
        self._before: Operation | None = None
        self._read: set[int] = set()
        self._written: set[int] = set()
        self._read_before: set[int] = set()
        self._written_before: set[int] = set()
        """Memory that loops before this one use, since the last barrier."""
        self._outside: dict[int, tuple[str, torch.Tensor]] = {}
        """Memory of arguments and globals: the host expression of the tensor, and the tensor."""
        self._same: dict[int, int] = {}
        self._kept: list[torch.Tensor] = []  # keys above are storages

    def outside(self, like: torch.Tensor, tensor: torch.Tensor, text: str) -> None:
        """Remember what stands for a tensor that the kernel is given."""
        self._outside[self.memory(like)] = text, tensor
        self._kept.append(like)

    def replaced(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """Remember that a new tensor without data stands for what an old one did."""
        self._same[_storage(new)] = self.memory(old)
        self._kept += [old, new]

    def memory(self, tensor: torch.Tensor) -> int:
        """A number that views of one tensor have in common."""
        return self._same.get(_storage(tensor), _storage(tensor))

    def begin(self) -> None:
        """Another top-level loop begins."""
        self._before = self.block.last_op
        self._read_before |= self._read
        self._written_before |= self._written
        self._read, self._written = set(), set()

    def reads(self, tensor: torch.Tensor | None) -> None:
        """The loop reads a tensor of the host; None: at addresses that it loads, which may be anybody's."""
        memory = ANYWHERE if tensor is None else self.memory(tensor)
        self._after(memory, self._written_before)
        self._read.add(memory)

    def writes(self, tensor: torch.Tensor | None) -> None:
        """The loop writes a tensor of the host; None: at addresses that it loads."""
        memory = ANYWHERE if tensor is None else self.memory(tensor)
        self._after(memory, self._written_before | self._read_before)
        self._written.add(memory)

    def barrier(self, location: LocationAttr) -> None:
        """The author lets later loops wait."""
        op = BarrierOp()
        op.location = location
        self.block.add_op(op)
        self._read, self._written = set(), set()
        self._forget()

    def _after(self, memory: int, before: AbstractSet[int]) -> None:
        anywhere = ANYWHERE in before or memory == ANYWHERE and len(before) > 0
        if anywhere or memory in before or any(self._overlap(memory, b) for b in sorted(before, key=self._text)):
            assert self._before is not None  # a loop that this one depends on stands before it
            op = BarrierOp()
            op.location = self._before.location
            self.block.insert_op_after(op, self._before)
            self._forget()

    def _forget(self) -> None:
        self._read_before, self._written_before = set(), set()

    def _text(self, memory: int) -> str:
        return self._outside[memory][0] if memory in self._outside else ""

    def _overlap(self, a: int, b: int) -> bool:
        """Whether two memories overlap in this call; of what the host allocates nothing else is a part."""
        if a not in self._outside or b not in self._outside:
            return False
        (first, x), (second, y) = sorted((self._outside[a], self._outside[b]), key=lambda found: found[0])
        self.specialized[f"__import__('sys').modules[{__name__!r}].overlap({first}, {second})"] = None
        return overlap(x, y)


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
