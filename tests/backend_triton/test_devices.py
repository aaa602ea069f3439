"""From what a device says of itself to its record."""

from __future__ import annotations

from types import SimpleNamespace

from helion_ir.backend_triton.devices import get_device_target, nearest_target
from helion_ir.targets import get_target


def nvidia(name: str, capability: tuple[int, int], units: int, shared: int) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, major=capability[0], minor=capability[1], multi_processor_count=units, warp_size=32,
        regs_per_multiprocessor=65536, shared_memory_per_block_optin=shared,
    )  # fmt: skip


def test_known_devices() -> None:
    assert get_device_target("cpu") is get_target("cpu")
    for name, record in (("NVIDIA H200", "h200"), ("NVIDIA H100 80GB HBM3", "h100")):
        assert nearest_target(nvidia(name, (9, 0), 132, 232448), "cuda") is get_target(record)
    assert nearest_target(nvidia("NVIDIA GeForce RTX 5090", (12, 0), 170, 101376), "cuda") is get_target("rtx5090")


def test_a_variant_keeps_the_record_with_its_own_sizes() -> None:
    made = nearest_target(nvidia("NVIDIA H100 PCIe", (9, 0), 114, 232448), "cuda")
    assert (made.name, made.arch, made.compute_units) == ("h100", 90, 114)
    assert made.tensor_descriptors


def test_an_unknown_device_gets_the_newest_record_that_is_not_newer() -> None:
    made = nearest_target(nvidia("NVIDIA GeForce RTX 4090", (8, 9), 128, 101376), "cuda")
    assert (made.name, made.arch, made.compute_units) == ("nvidia-geforce-rtx-4090", 89, 128)
    assert made.shared_memory == 101376
    assert not made.tensor_descriptors  # as an A100, not as an H100
    old = nearest_target(nvidia("Tesla T4", (7, 5), 40, 65536), "cuda")
    assert (old.arch, old.shared_memory, old.tensor_descriptors) == (75, 65536, False)


def test_amd() -> None:
    properties = SimpleNamespace(
        name="AMD Instinct MI350X", gcnArchName="gfx950:sramecc+:xnack-", major=9, minor=5,
        multi_processor_count=256, warp_size=64,
    )  # fmt: skip
    assert nearest_target(properties, "hip") is get_target("mi350x")
