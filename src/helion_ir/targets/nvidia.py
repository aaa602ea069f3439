"""NVIDIA devices. Sources: CUDA C++ Programming Guide (compute capabilities) and the vendor's data sheets."""

from helion_ir.targets.target import Target

_COMMON = dict(
    vendor="nvidia",
    backend="cuda",
    warp_size=32,
    registers=65536,
    max_registers_per_thread=255,
    acc_multi_buffer=True,
    eviction_policies=True,
    dot_precisions=("tf32", "tf32x3", "ieee"),
)

A100 = Target(name="a100", arch=80, compute_units=108, shared_memory=163 * 1024, **_COMMON)  # pyright: ignore
H100 = Target(
    name="h100",
    arch=90,
    compute_units=132,
    shared_memory=227 * 1024,
    tensor_descriptors=True,
    **_COMMON,  # pyright: ignore
)
H200 = Target(
    name="h200",
    arch=90,
    compute_units=132,
    shared_memory=227 * 1024,
    tensor_descriptors=True,
    **_COMMON,  # pyright: ignore
)
B200 = Target(
    name="b200", arch=100, compute_units=148, shared_memory=227 * 1024, tensor_memory=256 * 1024, tensor_descriptors=True,
    warp_specialization=True, **_COMMON,  # pyright: ignore
)  # fmt: skip
RTX5090 = Target(
    name="rtx5090",
    arch=120,
    compute_units=170,
    shared_memory=99 * 1024,
    tensor_descriptors=True,
    **_COMMON,  # pyright: ignore
)
