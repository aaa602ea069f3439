"""Hardware as data: one record a device, found by name or by what Triton says is present."""

from helion_ir.targets.amd import MI300X, MI350X
from helion_ir.targets.cpu import CPU
from helion_ir.targets.nvidia import A100, B200, H100, H200, RTX5090
from helion_ir.targets.target import Target

TARGETS: dict[str, Target] = {t.name: t for t in (A100, H100, H200, B200, RTX5090, MI300X, MI350X, CPU)}


def get_target(name: str) -> Target:
    """The record of a device by name. Raises ValueError, listing the names, when there is none.

    >>> get_target("b200").shared_memory
    232448
    """
    try:
        return TARGETS[name.lower()]
    except KeyError:
        raise ValueError(f"no target named {name!r}; there are {', '.join(TARGETS)}") from None
