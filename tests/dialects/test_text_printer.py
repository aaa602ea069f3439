"""Our printer writes what xDSL's does."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, FloatAttr, IntAttr, ModuleOp, NameLoc, StringAttr, f32
from xdsl.printer import Printer

from helion_ir.dialects.context import parse_module
from helion_ir.dialects.text_printer import TextPrinter
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.targets import get_target

PASSES = Path(__file__).parents[1] / "passes"


def both(module: ModuleOp, locations: bool) -> tuple[str, str]:
    ours, theirs = TextPrinter(print_debuginfo=locations), io.StringIO()
    ours.print_op(module)
    Printer(theirs, print_debuginfo=locations).print_op(module)
    return ours.text(), theirs.getvalue()


@pytest.mark.parametrize("path", sorted(PASSES.glob("*.mlir")), ids=lambda p: p.stem)
def test_every_stage(path: Path) -> None:
    module = parse_module(path.read_text(), path.name)
    seen: set[str] = set()

    def compare(stage: str, at: ModuleOp) -> None:
        for locations in (True, False):
            ours, theirs = both(at, locations)
            assert ours == theirs, stage
            seen.add(ours)

    prepare(module, get_target("h200"), compare)
    lower(module, complete(module, {}), compare)
    assert len(seen) > 20


def test_attributes() -> None:
    """Characters that are escaped, equal attributes that print differently, locations in one another, lines."""
    place = FileLineColLoc(StringAttr('a "b".py'), IntAttr(3), IntAttr(4))
    texts = ['a\\b"c"\n\t\x7f é', "", "".join(map(chr, range(128)))]
    numbers = [FloatAttr(0.0, f32), FloatAttr(-0.0, f32), FloatAttr(0.0, f32)]
    attributes = {
        "texts": ArrayAttr([StringAttr(t) for t in texts]), "numbers": ArrayAttr(numbers), "place": place,
        "named": NameLoc(StringAttr("pass"), place), "again": ArrayAttr([place, NameLoc(StringAttr("x"), place), place]),
    }  # fmt: skip
    ours, theirs = both(ModuleOp([], attributes=attributes), True)
    assert ours == theirs and "-0.0" in ours and '\\22c\\22\\0A\\09\\7F \\C3\\A9"' in ours
