"""Every op of every dialect survives its text: in its own syntax and in the generic one, with its location."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from xdsl.dialects.test import Test

from helion_ir.dialects.context import DIALECTS, module_text, new_context
from helion_ir.tools.opt import run
from helion_ir.tools.source import parse_source

FOLDER = Path(__file__).parents[1] / "filecheck" / "dialects"
FILES = sorted(f for f in FOLDER.rglob("*.mlir") if f.name != "invalid.mlir")


def parse(text: str):
    ctx = new_context()
    ctx.load_dialect(Test)
    return parse_source(ctx, text.encode(), "text")[0]


def opt(*args: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        assert run(args) == 0
    return out.getvalue()


@pytest.mark.parametrize("path", FILES, ids=[str(f.relative_to(FOLDER)) for f in FILES])
def test_text_is_a_fixed_point(path: Path) -> None:
    module = parse(path.read_text())
    module.verify()
    text = module_text(module)
    assert module_text(parse(text)) == text
    assert text.count(" loc(") >= path.read_text().count('loc("') // 2  # the other half stands in its comments


@pytest.mark.parametrize("path", FILES, ids=[str(f.relative_to(FOLDER)) for f in FILES])
def test_generic_form_is_the_same_module(path: Path, tmp_path: Path) -> None:
    generic = tmp_path / "generic.mlir"
    generic.write_text(opt(str(path), "--print-op-generic"))
    assert '"builtin.module"() ({' in generic.read_text()
    assert opt(str(generic)) == opt(str(path))


@pytest.mark.parametrize("path", FILES, ids=[str(f.relative_to(FOLDER)) for f in FILES])
def test_a_clone_prints_alike(path: Path) -> None:
    module = parse(path.read_text())
    assert module_text(module.clone()) == module_text(module)


def test_every_op_is_there() -> None:
    seen = {op.name for path in FILES for op in parse(path.read_text()).walk()}
    there_are = {op.name for dialect in DIALECTS[1:] for op in dialect.operations}
    assert there_are - seen == set()
