"""What Triton gets wrong or cannot do, as a table: which value of a knob, on what kernel, in which versions, where.

A row rules configurations out that are legal by themselves. `avoid-faults` reads it; no pass asks for a version.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass

from helion_ir.targets.target import Target

Version = tuple[int, int]


@dataclass(frozen=True)
class Fault:
    """One row. A knob is meant by its name, or by what follows the last dot of it."""

    knob: str
    values: tuple[int | str | None, ...]
    when: str
    """The condition on the kernel, by its name in `helion_ir.passes.fault_conditions.CONDITIONS`."""
    reason: str
    """What happens, in the words of the error that an author would see."""
    archs: tuple[int | str, ...] = ()
    """Architectures it is seen on; empty for all."""
    since: Version = (0, 0)
    until: Version = (99, 0)
    """The first version of Triton that has it, and the first after it that has not."""
    link: str = ""
    """Where it is reported, or the pass of Triton that it is seen in."""


FAULTS: tuple[Fault, ...] = (
    Fault(
        "num_ctas", (2, 4), "always",
        "clusters: kernels of several thread blocks leave elements unwritten, access memory they may not (H200, Triton "
        "3.6), or do not compile", since=(3, 6),
        link="TritonNvidiaGPU/Transforms/PlanCTA.cpp: CTA tiling is already determined; PassManager::run failed",
    ),
    Fault(
        "eviction", ("evict_first", "evict_last"), "cache modifier",
        "a load that goes through chosen caches takes no eviction policy", archs=(80, 90, 100, 120),
        link="ptxas: Modifier '.evict_first' cannot be combined with modifier '.cg'",
    ),
    Fault(
        "maxnreg", (32, 64, 96, 128, 160, 192, 256), "more registers for products",
        "registers: ptxas refuses a product whose result has more elements a thread than that", archs=(90, 100),
        link="ptxas C7602: Insufficient registers to compile instruction",
    ),
    Fault(
        "num_warps", (4, 8, 16, 32), "results for all registers",
        "registers: a thread's share of a product's result takes all that it may have, and ptxas 12.8 spills it wrongly",
        archs=(90,), since=(3, 6),
        link="ptxas C7511: wgmma.mma_async instructions are serialized due to insufficient register resources",
    ),
    Fault(
        "warp_specialize", (True,), "persistent root", "warp specialization of a persistent loop fails in Triton",
        since=(3, 6), link="TritonGPU/Transforms/WarpSpecialization: PassManager::run failed",
    ),
    Fault(
        "warp_specialize", (True,), "unrolled loop", "warp specialization of an unrolled loop fails in Triton 3.6",
        since=(3, 6), until=(3, 7),
        link="NVWS/Transforms/InsertTmemAref.cpp:783: expecting at most 2 partitions",
    ),
    Fault(
        "warp_specialize", (True,), "product added to another in its loop",
        "warp specialization of a loop that adds two products to one sum fails in Triton 3.6", since=(3, 6), until=(3, 7),
        link="NVWS/Transforms/InsertTmemAref.cpp:783: expecting at most 2 partitions",
    ),
    Fault(
        "loop_unroll_factor", (2, 3, 4), "loop that sums what it loads",
        "Triton moves a reduction of loaded tiles out of the loop and fails where the loop is unrolled", since=(3, 6),
        link="TritonGPU/Transforms/OptimizeThreadLocality.cpp:331",
    ),
    Fault(
        "warp_specialize", (True,), "warps for no roles", "warp specialization needs 4 to 8 warps", since=(3, 6),
        link="TritonGPU/Transforms/WarpSpecialization: PassManager::run failed",
    ),
    Fault(
        "warp_specialize", (True,), "products of few rows", "warp specialization needs products of at least 64 rows",
        since=(3, 6), link="tcgen05.mma takes 64 or 128 rows",
    ),
    Fault(
        "indexing", ("tensor_descriptor",), "later access to what is written",
        "the copy engine's accesses are not ordered with others of the same program to the same memory",
        archs=(90, 100, 120), since=(3, 6), link="PTX ISA, async proxy; no fence is made for global memory",
    ),
    Fault(
        "num_stages", (2, 3, 4, 5, 6, 7, 8), "loop that reads what it stores",
        "a pipelined loop reads before it stores what it may read", since=(3, 6),
        link="TritonGPU/Transforms/Pipeliner: loads move over stores that may be to the same memory",
    ),
    Fault(
        "indexing", ("block_ptr",), "always", "Triton 3.9 has no block pointers", since=(3, 9),
        link="NotImplementedError: Block pointers have been removed in favor of the tensor descriptor API",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Miscompiled:
    """A construct that computes something else or does not compile; its lowering takes another way where this holds."""

    construct: str
    archs: tuple[int | str, ...]
    """Architectures it is seen on; empty for all."""
    reason: str
    since: Version = (0, 0)
    until: Version = (99, 0)


MISCOMPILED: tuple[Miscompiled, ...] = (
    Miscompiled(
        "8-bit product of what is computed", (90,),
        "rows of a product of 8-bit floats are garbage or NaN where its left operand was computed from another product, "
        "for e4m3 and e5m2 and in kernels written by hand too (H200, Triton 3.6.0)", since=(3, 6),
    ),
    Miscompiled(
        "wgmma descriptors of one address in two formats", (90,),
        "ptxas of CUDA 12.8 takes the words of some descriptors from a register that holds something else", since=(3, 6),
    ),
    Miscompiled(
        "loop that yields what is made of a reduction", (),
        "Triton moves the reduction out of the loop, which is wrong or fails where it is not the loop's sum "
        "(TritonGPU/Transforms/OptimizeThreadLocality.cpp)", since=(3, 6),
    ),
)  # fmt: skip


def is_miscompiled(construct: str, arch: int | str) -> bool:
    """Whether the installed Triton, or some where none is installed, gets a construct wrong on an architecture.

    >>> is_miscompiled("8-bit product of what is computed", "gfx950")
    False
    """
    version = triton_version()
    return any(
        m.construct == construct
        and (not m.archs or arch in m.archs)
        and (version is None or m.since <= version < m.until)
        for m in MISCOMPILED
    )


def faults_of(target: Target, version: Version | None) -> Iterator[Fault]:
    """The rows that concern a target under a version of Triton, or under any where that is not known.

    >>> from helion_ir.targets import get_target
    >>> [f.knob for f in faults_of(get_target("mi350x"), (3, 7)) if f.archs]
    []
    """
    for fault in FAULTS:
        if fault.archs and target.arch not in fault.archs:
            continue
        if version is None or fault.since <= version < fault.until:
            yield fault


@functools.cache
def triton_version() -> Version | None:
    """Major and minor number of the Triton that is installed; None where there is none. Triton is not imported."""
    try:
        text = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return None
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
