"""The record of the device that is present, corrected by what the device says of itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from helion_ir.targets import TARGETS, Target

if TYPE_CHECKING:
    import torch


def get_device_target(device: torch.device | str | int | None = None) -> Target:
    """The target of a torch device; the current CUDA or HIP device, or the CPU, where none is given.

    A device without a record gets the nearest one of its vendor, with its own name, architecture and sizes.

    Raises:
        RuntimeError: the device's vendor has no record at all.

    >>> get_device_target("cpu").name
    'cpu'
    """
    import torch

    if device is None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    if device.type == "cpu":
        return TARGETS["cpu"]
    return nearest_target(torch.cuda.get_device_properties(device), "hip" if torch.version.hip else "cuda")


def nearest_target(properties: Any, backend: str) -> Target:
    """The record for properties as torch.cuda.get_device_properties gives them.

    Of the records with the device's architecture, the one its name contains and whose number of compute units it has;
    else the newest architecture that is not newer than the device.
    """
    records = [t for t in TARGETS.values() if t.backend == backend]
    if not records:
        raise RuntimeError(f"no target is known for the backend {backend!r} of {properties.name}")
    # Architectures are numbers or names, as in the vendor's records.
    named = isinstance(records[0].arch, str)
    arch = properties.gcnArchName.split(":")[0] if named else properties.major * 10 + properties.minor
    name = properties.name.lower().replace(" ", "")

    def closeness(t: Target) -> tuple[bool, bool, int, bool, int]:
        newer = _order(t.arch) > _order(arch)
        distance = -_order(t.arch) if not newer else _order(t.arch)
        units = abs(t.compute_units - properties.multi_processor_count)
        return (t.arch != arch, newer, distance, t.name not in name, units)

    record = min(records, key=closeness)
    sizes = {
        "compute_units": properties.multi_processor_count,
        "warp_size": getattr(properties, "warp_size", record.warp_size),
        "registers": getattr(properties, "regs_per_multiprocessor", 0) or record.registers,
        "shared_memory": getattr(properties, "shared_memory_per_block_optin", 0) or record.shared_memory,
    }
    if record.arch == arch and all(getattr(record, k) == v for k, v in sizes.items()):
        return record
    own = record.name if record.arch == arch and record.name in name else "-".join(properties.name.lower().split())
    return dataclasses.replace(record, name=own, arch=arch, **sizes)


def _order(arch: int | str) -> int:
    """Architectures in order of age: 90, or gfx950 as a hexadecimal number."""
    return arch if isinstance(arch, int) else int(arch.removeprefix("gfx") or "0", 16)
