"""AMD devices. Sources: the CDNA3 and CDNA4 instruction set guides and the vendor's data sheets."""

from helion_ir.targets.launch import K_PACK, MATRIX_EXTENT, WAVES
from helion_ir.targets.preferred import Preferred
from helion_ir.targets.staging import Staging
from helion_ir.targets.target import Target

_COMMON = dict(
    vendor="amd",
    backend="hip",
    warp_size=64,
    registers=4 * 512 * 64,
    max_registers_per_thread=512,
    max_warps=16,
    dot_precisions=("ieee",),
    staging=Staging(chained_stages=4),
    xcds=8,
    # Loads that only L2 keeps; stores that stream, or go through to memory.
    load_cache_modifiers=("", ".cg"),
    store_cache_modifiers=("", ".cs", ".wt"),
    # Four waves of 64 lanes; two stages are registers and one buffer in LDS.
    preferred=Preferred(stages=2, l2_grouping=4, elements=2048, warps=(4, 8)),
)

MI300X = Target(
    name="mi300x",
    arch="gfx942",
    compute_units=304,
    shared_memory=64 * 1024,
    memory_bandwidth=5.3e12,
    dot_flops=1307e12,
    flops=163e12,
    launch_options=(WAVES, MATRIX_EXTENT, K_PACK),
    **_COMMON,  # pyright: ignore
)
MI350X = Target(
    name="mi350x",
    arch="gfx950",
    compute_units=256,
    shared_memory=160 * 1024,
    memory_bandwidth=8.0e12,
    dot_flops=2300e12,
    flops=157e12,
    launch_options=(WAVES, MATRIX_EXTENT),  # since gfx950 Triton packs on its own
    **_COMMON,  # pyright: ignore
)
