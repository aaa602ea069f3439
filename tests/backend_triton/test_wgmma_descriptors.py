"""Sums of wgmma descriptors, as Triton prints them where one shared address serves two products in two formats."""

from types import SimpleNamespace
from typing import Any

import pytest

from helion_ir.backend_triton import wgmma_descriptors
from helion_ir.backend_triton.wgmma_descriptors import install, shared_addresses, split_sums

K_MAJOR, MN_MAJOR = 0x40000040, 0x80000020


def constant(high: int, low: int) -> int:
    """As PTX writes it: signed."""
    bits = high << 32 | low
    return bits - (1 << 64) if bits >> 63 else bits


TWO_FORMATS = f"""
	bfe.u32 	%r200, %r199, 4, 14;
	cvt.u64.u32 	%rd59, %r200;
	or.b64 	%rd18, %rd59, {constant(K_MAJOR, 0)};
	add.s64 	%rd20, %rd59, {constant(K_MAJOR, 2)};
	or.b64 	%rd33, %rd59, {constant(MN_MAJOR, 0)};
	add.s64 	%rd34, %rd59, {constant(MN_MAJOR, 64)};
	add.s64 	%rd60, %rd44, %rd53;
"""

ONE_FORMAT = "\n".join(line for line in TWO_FORMATS.splitlines() if str(MN_MAJOR) not in line and "-" not in line)


def test_one_address_in_two_formats_is_found() -> None:
    assert shared_addresses(TWO_FORMATS) == {"%rd59": "%r200"}
    assert shared_addresses(ONE_FORMAT) == {}


def test_every_sum_is_split_and_nothing_else_changes() -> None:
    lines = dict(zip(TWO_FORMATS.splitlines(), split_sums(TWO_FORMATS).splitlines(), strict=True))
    changed = {before.strip(): after.strip() for before, after in lines.items() if before != after}
    assert list(changed.values()) == [
        "{ .reg .b32 low; or.b32 low, %r200, 0; mov.b64 %rd18, {low, 1073741888}; }",
        "{ .reg .b32 low; add.u32 low, %r200, 2; mov.b64 %rd20, {low, 1073741888}; }",
        "{ .reg .b32 low; or.b32 low, %r200, 0; mov.b64 %rd33, {low, 2147483680}; }",
        "{ .reg .b32 low; add.u32 low, %r200, 64; mov.b64 %rd34, {low, 2147483680}; }",
    ]
    assert split_sums(ONE_FORMAT) == ONE_FORMAT


@pytest.mark.parametrize(("capability", "split"), [(90, True), (100, False)])
def test_the_hook_rewrites_what_ptxas_reads(monkeypatch: pytest.MonkeyPatch, capability: int, split: bool) -> None:
    from triton import knobs

    asked: list[Any] = []
    monkeypatch.setattr(knobs.runtime, "add_stages_inspection_hook", lambda *args: asked.append(args) or ("k", "h"))
    install()
    install()
    hook = knobs.runtime.add_stages_inspection_hook
    stages = {"cubin": lambda ptx, metadata: ptx}
    hook(SimpleNamespace(), stages, None, None, capability)
    assert (stages["cubin"](TWO_FORMATS, {}) != TWO_FORMATS) == split
    # A hook that was there is called once each time, and both are in the keys of Triton's caches.
    assert len(asked) == 1
    assert hook() == ("k" + wgmma_descriptors.CONSTRUCT, "h" + wgmma_descriptors.CONSTRUCT)
