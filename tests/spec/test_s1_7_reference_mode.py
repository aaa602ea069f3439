"""Section 1.7: the reference mode, in which Python runs the kernel's body on tensors."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.spec.spec import Item, difference

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import RefMode, exc

DIFFERS = {
    "attributes": "one tile for the whole range", "functions": "one tile for the whole range",
    "begins_elsewhere": "one tile for the whole range", "index_dtypes": "t.begin of one tile is 0",
    "blocks": "one tile for the whole range", "scalars": "t.begin of one tile is 0",
    "int_scans": "a scan of a tile is one of the whole range", "registered": "the block is the largest, the tile is shorter",
    "tunables": "the item asks for values of its own", "float_tunables": "the item asks for values of its own",
    "inline": "needs Triton", "four_bits": "the last tile has not the lanes of the block that it is reshaped by",
    "moved": "the last tile has not the lanes of the block that it is reshaped by",
}  # fmt: skip
"""Items that say what a tile of some block size is, by the name of their kernel."""


def items() -> Iterator[Item]:
    for path in sorted(Path(__file__).parent.glob("test_s*.py")):
        section = getattr(importlib.import_module(f"tests.spec.{path.stem}"), "SECTION", None)
        if section is not None:
            yield from section.items


def test_every_item_runs_eagerly() -> None:
    wrong: list[str] = []
    count = 0
    for item in items():
        if (name := item.kernel.__name__) in DIFFERS:
            continue
        run = helion.kernel(item.kernel, ref_mode=RefMode.EAGER, ignore_warnings=[exc.BaseWarning])
        for size in {item.sizes[1 % len(item.sizes)], item.sizes[-1]}:
            count += 1
            try:
                text = difference(item, run, size)
            except Exception as error:  # whatever Python says
                text = f"{type(error).__name__}: {error}"
            if text:
                wrong.append(f"{name}, size {size}: {text}")
    assert count > 150 and not wrong, "\n".join(wrong)


def prints(x):
    for t in hl.tile(x.size(0), block_size=4):
        print("tile", t.begin, x[t].sum().item())
        x[t] = x[t] * 2


def eagerly(kernel: Any, **settings: Any) -> Any:
    return helion.kernel(kernel, ref_mode=RefMode.EAGER, **settings)


def test_print_is_pythons_and_explicit_blocks_are_tiles(capsys: pytest.CaptureFixture[str]) -> None:
    x = torch.arange(6.0)
    run_prints = eagerly(prints)
    with pytest.raises(exc.Base):  # compiled kernels print device tensors after a prefix only
        helion.kernel(prints)(x)
    assert run_prints(x) is None and torch.equal(x, torch.arange(6.0) * 2)
    assert capsys.readouterr().out == "tile 0 6.0\ntile 4 9.0\n"


def adds(x):
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        v.add_(1)
        x[t, 0:2] = v[:, 0:2]


def test_in_place_methods_never_write_memory() -> None:
    x = torch.zeros(3, 4)
    eagerly(adds)(x)
    assert torch.equal(x, torch.tensor([[1.0, 1, 0, 0]] * 3))


def scatters(x, i):
    for t in hl.tile(x.size(0)):
        v = x[t]
        hl.store(x, [i[t]], v, extra_mask=v > 0)


def test_an_element_stored_twice_is_an_error() -> None:
    eagerly(scatters)(torch.ones(4), torch.tensor([0, 1, 3, 2]))
    with pytest.raises(exc.DuplicateStoreIndicesError) as caught:
        eagerly(scatters)(torch.ones(4), torch.tensor([0, 1, 1, 2]))
    assert caught.value.message == "A store writes one element twice, so the result would depend on the order."


def test_block_sizes_are_ignored_and_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    eagerly(adds, config={"block_sizes": [4]})(torch.zeros(3, 4))
    assert (
        capsys.readouterr().err
        == "WARNING[BlockSizeIgnoredInInterpretMode]: Block sizes have no effect in interpret mode.\n"
    )


def row_sums(n, x):
    total = hl.zeros([1])
    for j in hl.jagged_tile(n):
        total = total + x[j]
    return total


def helped(x, lengths):
    for t in hl.tile(x.size(0)):
        x[t, 0] = row_sums(lengths[t], x)


def test_what_needs_lanes_is_refused() -> None:
    with pytest.raises(exc.BackendUnsupported, match=r"hl\.jagged_tile must be called in the kernel's own function"):
        eagerly(helped)(torch.ones(7, 9), torch.ones(7, dtype=torch.int32))


def test_the_environment_turns_it_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HELION_INTERPRET", "1")
    helion.kernel(prints)(torch.ones(2))
    assert capsys.readouterr().out == "tile 0 2.0\n"


def scaled_product(a, sa, b, sb):
    out = torch.empty([a.size(0), b.size(1)])
    for m, n in hl.tile(out.size()):
        out[m, n] = hl.dot_scaled(a[m, :], sa[m, :], "e2m1", b[:, n], sb[n, :], "e5m2")
    return out


def test_microscaled_products() -> None:
    torch.manual_seed(0)
    a = torch.randint(0, 256, (16, 32), dtype=torch.uint8)
    b = torch.randint(0, 120, (64, 16), dtype=torch.uint8).view(torch.float8_e5m2)
    sa, sb = torch.randint(120, 134, (2, 16, 2), dtype=torch.uint8)
    values = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    codes = torch.tensor(values + [-v for v in values])
    left = torch.stack([codes[(a & 15).long()], codes[(a >> 4).long()]], -1).reshape(16, 64).double()
    left *= torch.exp2(sa.double() - 127).repeat_interleave(32, 1)
    right = b.double() * torch.exp2(sb.double() - 127).repeat_interleave(32, 1).T
    torch.testing.assert_close(eagerly(scaled_product)(a, sa, b, sb).double(), left @ right, rtol=1e-5, atol=1e-5)
