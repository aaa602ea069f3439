"""What the compiler may ask about a device. A target is data: nothing anywhere compares its name."""

from __future__ import annotations

from dataclasses import dataclass

from helion_ir.targets.launch import LaunchOption
from helion_ir.targets.preferred import Preferred
from helion_ir.targets.staging import Staging


@dataclass(frozen=True)
class Target:
    """One device, as the vendor documents it and as Triton's compiler sees it.

    Sizes are in bytes unless they say otherwise. `backend`, `arch` and `warp_size` are what `triton.compile` takes.
    """

    name: str
    vendor: str
    backend: str
    """Triton's backend, or "" where nothing is compiled."""
    arch: int | str
    warp_size: int
    compute_units: int
    """Streaming multiprocessors, or compute units."""
    shared_memory: int
    """The most one program may use."""
    registers: int
    """32-bit registers of one compute unit."""
    max_registers_per_thread: int
    tensor_memory: int = 0
    """Blackwell's TMEM of one compute unit."""
    memory_bandwidth: float = 0.0
    """Bytes a second from the device's memory; 0: unknown."""
    dot_flops: float = 0.0
    """Operations a second of matrix units on 16-bit elements, without sparsity."""
    flops: float = 0.0
    """Operations a second on f32, outside of matrix units."""
    xcds: int = 1
    """Chiplets with an L2 of their own."""
    max_warps: int = 32
    """Warps of one program at most."""
    tensor_descriptors: bool = False
    """Whether descriptors are done by hardware, so that their knob exists."""
    warp_specialization: bool = False
    staging: Staging = Staging()
    """How the compiler uses shared memory."""
    acc_multi_buffer: bool = False
    """Whether tl.range's disallow_acc_multi_buffer and flatten mean anything."""
    eviction_policies: bool = False
    load_cache_modifiers: tuple[str, ...] = ()
    store_cache_modifiers: tuple[str, ...] = ()
    """What the caches may be told of a load or store, "" for nothing in particular first; empty where it is ignored."""
    descriptor_atomics: bool = False
    """Whether an atomic can be done by a tensor descriptor."""
    programmatic_launch: bool = False
    """Whether a kernel may begin before the one that it waits for has ended."""
    launch_options: tuple[LaunchOption, ...] = ()
    """Options of the launch beside num_warps and num_stages."""
    libdevice: bool = True
    """Whether libdevice functions can be called; false where Triton's interpreter runs the kernel."""
    rounds_bf16: bool = True
    """Whether a cast to a 16-bit or 8-bit float rounds; Triton's interpreter truncates."""
    lacks: tuple[str, ...] = ()
    """Names of PyTorch's dtypes that neither its instructions nor Triton's emulation of them know."""
    dot_precisions: tuple[str, ...] = ("ieee",)
    """Spellings of input_precision, preferred first."""
    narrow_sum_bits: int = 24
    """Bits of the significand that matrix units keep of a sum of products of 8-bit floats."""
    dot_min: tuple[int, int, int] = (16, 16, 16)
    """Least M, N, K of a matrix product of 16- or 32-bit elements."""
    dot_min_k8: int = 32
    """Least K for 8-bit elements."""
    preferred: Preferred | None = Preferred()
    """Good defaults; None where nothing is to be gained by any, so that those of the frontend stand."""
