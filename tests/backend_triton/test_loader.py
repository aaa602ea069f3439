"""Loading texts: files, sharing, and names of the author's module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helion_ir.backend_triton import loader
from helion_ir.backend_triton.printed import PrintedModule
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.knob import KnobValue, declarations

MATMUL = parse_module((Path(__file__).parent / "matmul.mlir").read_text(), "matmul.mlir")
DEFAULTS: dict[str, KnobValue] = {d.sym_name.data: d.default.data for d in declarations(MATMUL)}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HELION_IR_CACHE_DIR", str(tmp_path))
    loader.cache_folder.cache_clear()
    loader._kernels.cache_clear()
    yield
    loader.cache_folder.cache_clear()
    loader._kernels.cache_clear()


def launches(own: dict[str, KnobValue]) -> list[tuple]:
    """What a loaded function would launch."""
    seen: list[tuple] = []
    function = loader.load(print_module(MATMUL, DEFAULTS | own))
    x, y = torch.randn(100, 50), torch.randn(50, 70)
    out = function(x, y, _launcher=lambda kernel, grid, *args, **options: seen.append((kernel, grid, args, options)))
    assert out.shape == (100, 70)
    return seen


def test_equal_texts_share_their_kernels(tmp_path: Path) -> None:
    ((first, grid, args, options),) = launches({})
    ((second, other_grid, _, other),) = launches({"tile_m.block_size": 16, "num_warps": 8})
    assert first is second
    assert (grid, other_grid) == ((4,), (14,))
    assert [tuple(a.shape) for a in args] == [(100, 50), (50, 70), (100, 70)]
    assert options == {
        "block_m": 64, "block_n": 64, "block_k": 32, "loop_k_num_stages": 2,
        "load_x_eviction": "", "num_warps": 4, "num_stages": 3,
    }  # fmt: skip
    assert (other["block_m"], other["num_warps"]) == (16, 8)
    ((third, *_),) = launches({"load.x.indexing": "block_ptr"})
    assert third is not first
    assert len(list((tmp_path / "text").iterdir())) == 2


def test_a_persistent_grid_on_the_cpu() -> None:
    ((_, grid, _, options),) = launches({"pid_type": "persistent_blocked", "tile_m.block_size": 16})
    assert (grid, options["total_programs"]) == ((3,), 14)


def test_a_damaged_file_is_replaced() -> None:
    path = loader.write_text("x = 1\n")
    path.write_text("x = ")
    assert loader.write_text("x = 1\n") == path
    assert path.read_text() == "x = 1\n"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HELION_IR_CACHE_DIR", str(tmp_path / "file" / "below"))
    loader.cache_folder.cache_clear()
    path = loader.write_text("y = 2\n")
    assert path.read_text() == "y = 2\n"


def test_names_of_the_authors_module() -> None:
    text = 'builtin.module { host.func @f ["x"] { host.python "return x * SCALE" } }'
    function = loader.load(print_module(parse_module(text)), {"SCALE": 3})
    assert function(14) == 42


def test_no_host_function() -> None:
    with pytest.raises(ValueError, match="no host function"):
        loader.load(PrintedModule("import triton\n", ""))
