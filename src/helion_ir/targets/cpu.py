"""No device: kernels run in an interpreter, ours or Triton's."""

from helion_ir.targets.target import Target

CPU = Target(
    name="cpu",
    vendor="",
    backend="",
    arch="",
    warp_size=1,
    compute_units=3,  # a persistent loop gets more than one iteration and an uneven share
    shared_memory=1 << 40,
    registers=1 << 40,
    max_registers_per_thread=1 << 20,
    libdevice=False,
    rounds_bf16=False,
    tensor_descriptors=True,
    dot_precisions=("ieee",),
    dot_min=(16, 16, 16),
    preferred=None,
)
