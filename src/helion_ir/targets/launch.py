"""Options of a kernel's launch that only some devices have; their values are what a tuner may try."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LaunchOption:
    """One keyword of Triton's launch, which becomes a knob of the same name."""

    name: str
    values: tuple[int | None, ...]
    """The first is the default; None leaves the decision to Triton."""
    doc: str
    products: bool = False
    """Whether it means something only where there is a matrix product."""


REGISTERS = LaunchOption(
    "maxnreg", (None, 32, 64, 96, 128, 160, 192, 256), "registers a thread may use at most; none for what it needs"
)
CLUSTER = LaunchOption("num_ctas", (1, 2, 4), "thread blocks of a cluster, which share one program")
WAVES = LaunchOption("waves_per_eu", (0, 1, 2, 3, 4), "waves that a SIMD unit should hold; 0 for no wish")
MATRIX_EXTENT = LaunchOption(
    "matrix_instr_nonkdim", (0, 16, 32), "rows and columns of a matrix instruction; 0 for the compiler's choice", True
)
K_PACK = LaunchOption("kpack", (1, 2), "vectors of the inner dimension that one read of LDS brings", True)
