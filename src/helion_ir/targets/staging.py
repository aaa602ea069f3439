"""How Triton's compiler uses the shared memory of a kind of device; measured, as tests/passes/test_plan_memory.py does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Staging:
    """What goes through shared memory, and when; the default is a device about which nothing is sure."""

    async_rows: int = 0
    """Least rows of products that run beside other work and read shared memory meanwhile: wgmma, tcgen05; 0: none."""
    async_warps: tuple[int, ...] = ()
    """The launch's warps under which Triton uses them."""
    operands_in_place: bool = False
    """Whether a product finds its operands in shared memory, all at once, rather than one by one in registers."""
    least_copy_bits: int = 0
    """The least that a thread copies asynchronously; a load of less a thread is not pipelined."""
    chained_stages: int = 0
    """At this many stages a loop of exactly two products is pipelined with one copy of each operand; 0: never."""
    results_converted: bool = False
    """Whether what a product made reaches a store through shared memory, since its layout does not suit stores."""
    pipelines_any_loop: bool = False
    """Whether a loop without products is pipelined where its own stages say so."""
