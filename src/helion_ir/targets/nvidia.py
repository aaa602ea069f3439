"""NVIDIA devices. Sources: CUDA C++ Programming Guide (compute capabilities) and the vendor's data sheets."""

from dataclasses import replace

from helion_ir.targets.launch import CLUSTER, REGISTERS
from helion_ir.targets.preferred import Preferred
from helion_ir.targets.staging import Staging
from helion_ir.targets.target import Target

_STAGING = Staging(operands_in_place=True, least_copy_bits=32, results_converted=True, pipelines_any_loop=True)
_WGMMA = replace(_STAGING, async_rows=64, async_warps=(4, 8, 16, 32))
_TCGEN05 = replace(_STAGING, async_rows=64, async_warps=(4, 8))

_COMMON = dict(
    vendor="nvidia",
    backend="cuda",
    warp_size=32,
    registers=65536,
    max_registers_per_thread=255,
    acc_multi_buffer=True,
    eviction_policies=True,
    # ld and st of PTX; .ca is what a load does anyway.
    load_cache_modifiers=("", ".cg"),
    store_cache_modifiers=("", ".cs"),
    dot_precisions=("tf32", "tf32x3", "ieee"),
)

# 128 x 128 x 32 of 16 bits with mma.sync, whose operands take registers, too; a deep pipeline, since cp.async brings
# little at once.
A100 = Target(
    name="a100", arch=80, memory_bandwidth=2.0e12, dot_flops=312e12, flops=19.5e12,
    compute_units=108, shared_memory=163 * 1024,
    preferred=Preferred(inner_bytes=64, stages=4, live_registers=190, tile_registers=80, spares_registers=True),
    staging=_STAGING,
    lacks=("float8_e4m3fn",),  # PTX: cvt to and from .e4m3x2 needs sm_89; e5m2 is the upper half of an f16
    launch_options=(REGISTERS,),
    **_COMMON,  # pyright: ignore
)  # fmt: skip
# Two warp groups of wgmma, 64 rows of 256 columns each, whose sums take half of a thread's registers (or 128 columns of
# computed operands); three stages of 48 KiB. Half of the registers for other tiles leaves room for a second program.
_HOPPER = Preferred(stages=3, loaded_columns=256, accumulated_elements=128, tile_registers=128)
H100 = Target(
    name="h100",
    arch=90,
    narrow_sum_bits=14,  # DeepSeek-V3 technical report, 3.3.2
    compute_units=132,
    shared_memory=227 * 1024,
    memory_bandwidth=3.35e12,
    dot_flops=989e12,
    flops=67e12,
    tensor_descriptors=True,
    programmatic_launch=True,
    preferred=_HOPPER,
    staging=_WGMMA,
    descriptor_atomics=True,
    launch_options=(REGISTERS, CLUSTER),
    **_COMMON,  # pyright: ignore
)
H200 = Target(
    name="h200",
    arch=90,
    narrow_sum_bits=14,  # DeepSeek-V3 technical report, 3.3.2
    compute_units=132,
    shared_memory=227 * 1024,
    memory_bandwidth=4.8e12,
    dot_flops=989e12,
    flops=67e12,
    tensor_descriptors=True,
    programmatic_launch=True,
    preferred=_HOPPER,
    staging=_WGMMA,
    descriptor_atomics=True,
    launch_options=(REGISTERS, CLUSTER),
    **_COMMON,  # pyright: ignore
)
# What a loop accumulates lies in tensor memory, so that one warp group holds 128 rows; what follows the loop needs
# registers for all of it at once.
B200 = Target(
    name="b200", arch=100, memory_bandwidth=8.0e12, dot_flops=2250e12, flops=75e12,
    compute_units=148, shared_memory=227 * 1024, tensor_memory=256 * 1024, tensor_descriptors=True,
    warp_specialization=True, staging=_TCGEN05,
    preferred=Preferred(stages=4, accumulated_elements=128, live_registers=255, spares_registers=True),
    descriptor_atomics=True, programmatic_launch=True, launch_options=(REGISTERS, CLUSTER),
    **_COMMON,  # pyright: ignore
)  # fmt: skip
RTX5090 = Target(
    name="rtx5090",
    arch=120,
    compute_units=170,
    shared_memory=99 * 1024,
    memory_bandwidth=1.79e12,
    dot_flops=209e12,
    flops=105e12,
    tensor_descriptors=True,
    programmatic_launch=True,
    preferred=Preferred(inner_bytes=64, live_registers=190),
    staging=_STAGING,
    descriptor_atomics=True,
    launch_options=(REGISTERS,),
    **_COMMON,  # pyright: ignore
)
