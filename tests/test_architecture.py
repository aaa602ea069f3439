"""The rules that keep the parts apart, read off the source text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helion_ir.passes.registry import PASSES, load_pass
from helion_ir.targets import TARGETS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "helion_ir"
FILES = sorted(SOURCE.rglob("*.py"))

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"exc", "folders", "index", "records", "targets"}),
    frozenset({"dialects"}),
    frozenset({"passes"}),
    frozenset({"language", "frontend", "backend_triton", "interpreter", "autotuner"}),
    frozenset({"runtime", "experimental"}),
    frozenset({"tools"}),
)
"""A part imports from its own layer and from those before it."""


ENTRANCE = {"__init__"}
"""The package itself names everything and imports it when it is used."""

LIGHT = ("index", "targets", "dialects", "passes", "tools/opt.py", "tools/instrument.py", "tools/diagnostics.py",
         "tools/source.py", "tools/outputs.py", "tools/universe.py", "tools/default_pipeline.py", "exc.py")  # fmt: skip
"""Parts without PyTorch and Triton."""

LINES = 600
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?)(_|$)")


def part(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a file, those within functions too; `if TYPE_CHECKING:` is not run, so it is not."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                yield from walk(other)
            return
        yield node
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    for node in walk(ast.parse(path.read_text(), path.name)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            names = [a.name for a in node.names] if node.module == "helion_ir" else [""]
            for name in names:
                yield node.lineno, f"{node.module}.{name}".rstrip(".")


def layer(name: str) -> int | None:
    return next((i for i, names in enumerate(LAYERS) if name in names), None)


def test_every_part_has_a_layer() -> None:
    unknown = {part(f) for f in FILES} - ENTRANCE - {n for names in LAYERS for n in names}
    assert unknown == set()


def test_imports_go_one_way() -> None:
    wrong: list[str] = []
    for path in FILES:
        if (own := layer(part(path))) is None:
            continue
        for line, module in imports(path):
            if not module.startswith("helion_ir."):
                continue
            other = module.split(".")[1]
            theirs = layer(other)
            if theirs is not None and theirs > own:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert wrong == []


def test_the_compiler_needs_neither_pytorch_nor_triton() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in FILES
        if str(path.relative_to(SOURCE)).startswith(LIGHT)
        for line, module in imports(path)
        if module.split(".")[0] in ("torch", "triton")
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(PASSES))
def test_a_pass_has_one_name(name: str) -> None:
    cls = load_pass(name)
    module, _, class_name = PASSES[name].partition(":")
    assert cls.name == name
    assert cls.__name__ == class_name == "".join(word.title() for word in name.split("-"))
    assert module == f"helion_ir.passes.{name.replace('-', '_')}"
    stem = SOURCE / "passes" / name.replace("-", "_")
    assert stem.with_suffix(".py").exists() or (stem / "__init__.py").exists()


def test_every_pass_is_registered() -> None:
    from helion_ir.passes.pipeline import FRONT, LOWER

    assert {p.name for p in (*FRONT, *LOWER)} <= set(PASSES)
    for path in sorted((SOURCE / "passes").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Pass" for b in node.bases):
                assert path.stem.replace("_", "-") in PASSES, f"{path.name} defines the pass {node.name}"


@pytest.mark.parametrize("name", sorted(PASSES))
def test_a_pass_explains_itself(name: str) -> None:
    doc = load_pass(name).__doc__ or ""
    assert len(doc.strip().splitlines()) >= 5, (
        "what it does, before and after, what it does not handle, what must precede"
    )
    assert re.search(r"[Nn]ot handle", doc), "what it does not handle"


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("src", "tests", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LINES
    }
    # A longer one says at its top why it is.
    assert {name for name in long if "lines because" not in (ROOT / name).read_text()[:1500]} == set()


def test_no_file_is_a_drawer() -> None:
    names = [p for p in (ROOT / "src").rglob("*") if FORBIDDEN_NAMES.search(p.stem)]
    assert names == []


def test_every_module_says_what_it_is() -> None:
    without = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert without == []


def test_nobody_asks_for_a_targets_name() -> None:
    """A target is asked for a field; comparing with a device's name, vendor or backend is for targets/ alone."""
    names = {*TARGETS, *(t.backend for t in TARGETS.values()), *(t.vendor for t in TARGETS.values())} - {""}
    wrong: list[str] = []
    for path in FILES:
        if part(path) == "targets":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            about_target = any(
                isinstance(s, ast.Attribute)
                and s.attr in ("name", "vendor", "backend", "arch")
                and "target" in ast.unparse(s.value).lower()
                for s in sides
            )
            named = any(
                isinstance(c, ast.Constant) and c.value in names and c.value != "cpu"
                for s in sides
                for c in ast.walk(s)
            )
            # A tensor's device has a type of PyTorch's, which is no target.
            of_a_tensor = any(isinstance(s, ast.Attribute) and s.attr == "type" for s in sides)
            if about_target or named and not of_a_tensor:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert wrong == []


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b")
    left = [
        f"{path.relative_to(ROOT)}:{i}"
        for path in FILES
        for i, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert left == []
