"""The pages under docs: made from the code as it is, under the names that the code has, and linked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts import make_docs

from helion_ir.passes.pipeline import FRONT, LOWER
from helion_ir.passes.registry import PASSES, load_pass

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return make_docs.pages()


def test_pages_are_up_to_date(made: dict[str, str]) -> None:
    assert make_docs.stale(made) == [], "run `python -m scripts.make_docs`"


def test_a_pages_difference_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_docs, "DOCS", tmp_path)
    (tmp_path / "passes").mkdir()
    (tmp_path / "knobs.md").write_text("as it is\n")
    (tmp_path / "passes" / "gone.md").write_text("of a pass that is no more\n")
    assert make_docs.stale({"knobs.md": "as it is\n"}) == ["passes/gone.md"]
    assert make_docs.stale({"knobs.md": "other\n", "passes/gone.md": "of a pass that is no more\n"}) == ["knobs.md"]
    assert make_docs.stale({"passes/new.md": "", "knobs.md": "as it is\n"}) == ["passes/new.md", "passes/gone.md"]


@pytest.mark.parametrize("name", sorted(PASSES))
def test_a_pass_has_one_name_everywhere(name: str) -> None:
    """File, class, stage of a dump, page and tests."""
    cls = load_pass(name)
    stem = name.replace("-", "_")
    module = ROOT / "src" / "helion_ir" / "passes" / stem
    assert module.with_suffix(".py").exists() or (module / "__init__.py").exists()
    assert cls.__name__ == "".join(word.title() for word in name.split("-"))
    assert cls.name == cls().name == name
    page = (DOCS / "passes" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n") and f"Class `{cls.__name__}` in [src/helion_ir/passes/{stem}" in page
    own = ROOT / "tests" / "filecheck" / "passes" / f"{name}.mlir"
    assert own.exists() and f"-p {name}" in own.read_text().replace(f"-p '{name}", f"-p {name}")


def test_stages_of_a_dump_are_named_after_passes() -> None:
    from examples import registry

    example = registry.load("vector_add")
    names = [stage for stage, _ in example.kernel.bind(example.cases[0].blank()).stages()]
    passes = [n for n in names if n in PASSES]
    compiler = [*(p.name for p in FRONT), "bind-structure", *(p.name for p in LOWER), "materialize-config"]
    assert passes == [n for n in compiler if n in passes]
    assert {p.name for p in LOWER} <= set(passes)


def test_every_pass_and_page_is_linked_from_the_index() -> None:
    linked = set(LINK.findall((DOCS / "index.md").read_text()))
    assert {f"passes/{name}.md" for name in PASSES} <= linked
    assert {f.name for f in DOCS.glob("*.md")} - {"index.md"} <= linked


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: str(p.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in LINK.findall(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}, link


def test_an_example_shows_a_change(made: dict[str, str]) -> None:
    """Before and after differ, in every page that has both."""
    for path, text in made.items():
        blocks = re.findall(r"^(?:Before|After):\n\n```mlir\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if "## An example" in text:
            assert len(blocks) == 2 and blocks[0] != blocks[1], path


def test_every_knob_changes_the_code(made: dict[str, str]) -> None:
    """Each kind of knob, set to another value in the example its entry shows, changes the Triton program."""
    entries = made["knobs.md"].split("\n## ")[1:]
    assert len(entries) > 25
    for entry in entries:
        heading, _, body = entry.partition("\n")
        assert "```diff" in body and "changes nothing" not in body, f"{heading} no longer changes anything"


def test_a_change_is_one_of_code_and_is_seen() -> None:
    """What a launch sets and no line of the kernel reads changes nothing; lines too long for a page show where they differ."""
    kernel = ["    size: tl.constexpr,", "    idle: tl.constexpr,", "    v = tl.arange(0, size)", "        size=32,"]
    assert make_docs.readers(["-        size=16,", "+        size=32,"], kernel) == (["v = tl.arange(0, size)"], False)
    assert make_docs.readers(["-        idle=1,", "+        idle=2,"], kernel) == ([], True)
    assert make_docs.readers(["-        num_warps=4,", "+        num_warps=8,"], kernel) == ([], False)
    assert make_docs.readers(["-        idle=1,", "+        idle=2,", "+    v += 1"], kernel) == ([], False)
    assert make_docs.counterparts(["-a", "-b", "+A", "+B", "+C", "-d"]) == ["+A", "+B", "-a", "-b", "", ""]
    long = "-" + "a" * 300 + "b" + "c" * 300
    shown = make_docs.cut(long, long.replace("b", "d").replace("-", "+"))
    assert shown.startswith("-…a") and "abc" in shown and len(shown) == make_docs.IR_COLUMNS
