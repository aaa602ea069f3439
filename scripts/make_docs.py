"""Write docs/passes, docs/knobs.md and the list in docs/index.md from docstrings, from runs of the passes and from the knobs of the examples.

`python -m scripts.make_docs` writes the pages; with `--check` it only says which of them are not what it would write,
and ends with 1 if there are any. A pass's page shows what it makes of the first module of its file in
tests/filecheck/passes; a knob's entry shows what another value of it changes in the Triton of an example.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import functools
import inspect
import io
import itertools
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]

DOCS = ROOT / "docs"
FILECHECK = ROOT / "tests" / "filecheck" / "passes"
RUN = re.compile(r"^// RUN: helion-ir-opt %s (.*?)\s*\| filecheck", re.MULTILINE)

TARGETS = ("h200", "b200", "mi350x", "mi300x")
FIRST_EXAMPLES = ("matmul", "row_sum")
"""Where most knobs are shown, and all of the last target; the other examples follow for those that these have not."""
REFUSING = ("check-types",)
"""Passes that change nothing: they have no module before and after to show."""
DIFF_LINES = 30
IR_LINES = 12
"""Lines of a change that are shown: of Triton, and of the IR."""
IR_COLUMNS = 180
LOCATION = re.compile(r" loc\(.*\)$", re.MULTILINE)
CANDIDATES = 12
"""Examples in which another value of a knob is tried before its entry says that it changes nothing."""
MARKS = ("<!-- passes -->", "<!-- end of passes -->")
PARAMETER = re.compile(r"[+-] +\w+: tl\.constexpr,")
ARGUMENT = re.compile(r"[+-] +(\w+)=.*,")
READ_LINES = 4
"""Lines of a kernel that are shown to read what a configuration sets."""


# -- passes ------------------------------------------------------------------------------------------------------------
def pass_pages() -> Iterator[tuple[str, str]]:
    """(path below docs, text) of every pass's page."""
    from helion_ir.passes.registry import PASSES, load_pass

    for name in PASSES:
        yield f"passes/{name}.md", pass_page(name, load_pass(name))


def pass_page(name: str, cls: type) -> str:
    source = Path(inspect.getsourcefile(cls) or "").relative_to(ROOT)
    parts = [
        f"# {name}",
        inspect.cleandoc(cls.__doc__ or ""),
        f"Class `{cls.__name__}` in [{source}](../../{source}); {place(name)}",
        *options(cls),
    ]
    if name not in REFUSING and (FILECHECK / f"{name}.mlir").exists():
        before, after, command = example(name)
        parts += [
            "## An example",
            f"`{command}` on the first module of [tests/filecheck/passes/{name}.mlir]"
            f"(../../tests/filecheck/passes/{name}.mlir), which checks it line by line.",
            f"Before:\n\n```mlir\n{before}\n```",
            f"After:\n\n```mlir\n{after}\n```",
        ]
    return "\n\n".join(parts) + "\n"


def place(name: str) -> str:
    """Where the compiler runs a pass, in words."""
    from helion_ir.passes.pipeline import FRONT, LOWER

    order = [*(p.name for p in FRONT), "bind-structure", *(p.name for p in LOWER), "materialize-config"]
    words = []
    for i, other in enumerate(order):
        if other == name:
            before = f"after `{order[i - 1]}`" if i else "first"
            words.append(before + (f" and before `{order[i + 1]}`" if i + 1 < len(order) else ""))
    return "the compiler runs it " + ", and again ".join(words) + "."


def options(cls: type) -> Iterator[str]:
    rows = [f"| `{f.name}` | `{f.type}` | `{f.default!r}` |" for f in dataclasses.fields(cls)]
    if rows:
        yield "\n".join(["| option | type | default |", "|---|---|---|", *rows])


def example(name: str) -> tuple[str, str, str]:
    """A module before and after a pass, and the command."""
    text = (FILECHECK / f"{name}.mlir").read_text()
    found = RUN.search(text)
    if found is None:
        raise ValueError(f"tests/filecheck/passes/{name}.mlir has no `// RUN: helion-ir-opt %s …` line")
    arguments = [a for a in shlex.split(found[1]) if a not in ("--split-input-file", "--no-locations")]
    first = "\n".join(line for line in text.split("// -----\n")[0].splitlines() if not line.strip().startswith("//"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.mlir"
        path.write_text(first)
        # As it is read, so that the two texts differ by the pass alone.
        before, after = opt(str(path)), opt(str(path), *arguments)
    return before.strip(), after.strip(), f"helion-ir-opt {shlex.join(arguments)}"


def opt(*arguments: str) -> str:
    from helion_ir.tools.opt import run

    out = io.StringIO()
    with redirect_stdout(out):
        code = run([*arguments, "--no-locations"])
    if code:
        raise ValueError(f"helion-ir-opt {' '.join(arguments)} ended with {code}")
    return out.getvalue()


# -- knobs -------------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """A kind of knob with where it was found first."""

    pattern: str
    declaration: Any
    example: str
    target: str
    stages: Any


def pattern_of(declaration: Any) -> str:
    """A knob's name with what differs from kernel to kernel left open.

    `tile_m.block_size` becomes `<tile>.block_size`, `loop.tile_k.num_stages` becomes `loop.<loop>.num_stages`.
    """
    name, owner = declaration.sym_name.data, declaration.owner.data
    head, _, last = name.rpartition(".")
    if not head:
        return name if owner != "frontend" else "<tunable>" if declaration.field is None else "<variable>"
    kind = name.split(".")[0]
    if kind == "reduction":
        return "reduction.<axis>.online" if last == "online" and name.count(".") > 1 else "reduction.<axis>"
    if kind in ("load", "store", "atomic"):
        return f"{kind}.<site>.{last}"
    if kind == "loop":
        return f"loop.<loop>.{last}"
    return f"<{'tile' if owner == 'frontend' else 'root'}>.{last}"


def shown_knobs() -> list[Shown]:
    """Every kind of knob that an example declares for one of the targets, in the order of declaration."""
    import torch
    from benchmarks import algorithm_kernels
    from examples import registry

    from helion_ir.dialects.knob import declarations

    found: dict[str, list[Shown]] = {}
    names = [*FIRST_EXAMPLES, *(n for n in registry.CORE if n not in FIRST_EXAMPLES)]
    bound = {n: (e := registry.load(n)).kernel.bind(e.bench[0].blank()) for n in names}
    # Knobs of what no example leaves to the compiler.
    half = torch.bfloat16
    heads = tuple(torch.empty(64, 4096, 64, dtype=half) for _ in range(3))
    bound["plain_causal"] = algorithm_kernels.plain_causal.bind(heads)
    few = torch.empty(16, 8192, dtype=half), torch.empty(8192, 8192, dtype=half)
    bound["matmul_f32"] = algorithm_kernels.matmul_f32.bind(few)
    bound["scaled_rows"] = algorithm_kernels.scaled_rows.bind((*few, torch.empty(16)))
    names = list(bound)
    for target in TARGETS:
        for name in names if target != TARGETS[-1] else FIRST_EXAMPLES:
            stages = bound[name].stages_for(target)
            for d in declarations(stages.declared):
                pattern = pattern_of(d)
                if len(d.domain.data.values) < 2:  # shows nothing
                    continue
                found.setdefault(pattern, []).append(Shown(pattern, d, name, target, stages))
    # One that is always used shows more; of those that are not, in some kernels nothing else is legal.
    ordered = [sorted(c, key=lambda s: s.declaration.when is not None) for c in found.values()]
    return [next((s for s in c[:CANDIDATES] if changed(s).triton), c[0]) for c in ordered]


@dataclasses.dataclass(frozen=True)
class Change:
    """What another value of a knob changes."""

    old: str
    new: str
    triton: list[str]
    """Changed lines of the Triton module."""
    ir: list[str]
    """Changed lines of the IR of the whole configuration, from which it is printed."""
    read: list[str]
    """The kernel's lines that read what the changed lines of a launch set; none for an option of the launch."""


@functools.cache
def changed(shown: Shown) -> Change:
    """The change that the first other value makes which makes any."""
    from helion_ir.dialects.context import module_text
    from helion_ir.dialects.knob import declarations, value_text
    from helion_ir.index.expr import compiled, knobs_of

    d, space = shown.declaration, shown.stages.space
    name, base = d.sym_name.data, dict(space.legal_default())
    if d.when is not None and not compiled(d.when.data)(base):
        known = {o.sym_name.data: o for o in declarations(shown.stages.declared)}
        names = sorted(knobs_of(d.when.data))
        together = itertools.product(*[known[n].domain.data.values for n in names])
        used = [u for values in together if compiled(d.when.data)(base | (u := dict(zip(names, values))))]
        # As few knobs as can be have another value, of which there may be some to choose from.
        least = min(sum(base[n] != u[n] for n in names) for u in used)
        used = [u for u in used if sum(base[n] != u[n] for n in names) == least]
        base |= used[len(used) // 2]

    def text(assignment: Any) -> list[str]:
        template = shown.stages.template(assignment, whole=True)  # else what goes with the last default would show
        return shown.stages.print_template(template, assignment).text.splitlines()

    old = text(base)
    values = d.domain.data.values
    place = [repr(v) for v in values].index(repr(base[name]))
    for value in (*values[place + 1 :], *values[:place]):
        other = base | {name: value}
        if space.is_legal(other) is not None:
            continue
        new = text(other)
        lines = difference(old, new)
        # That the kernel takes what is set is seen where it is launched.
        lines = [line for line in lines if not PARAMETER.fullmatch(line)] or lines
        read, idle = readers(lines, new)
        if lines and not idle:
            before, after = (
                LOCATION.sub("", module_text(shown.stages.concrete(a, whole=True))).splitlines() for a in (base, other)
            )
            # The first line only repeats which structure it is.
            return Change(value_text(base[name]), value_text(value), lines, difference(before[1:], after[1:]), read)
    return Change(value_text(base[name]), "", [], [], [])


def readers(lines: list[str], text: list[str]) -> tuple[list[str], bool]:
    """The kernel's lines that read what `lines` set, and whether they set what nothing reads and do nothing else.

    >>> kernel = ["    unused: tl.constexpr,", "    size: tl.constexpr,", "    v = tl.arange(0, size)"]
    >>> readers(["-        unused=1,", "+        unused=2,"], kernel)
    ([], True)
    >>> readers(["-        size=16,", "+        size=32,"], kernel)
    (['v = tl.arange(0, size)'], False)
    >>> readers(["-        num_warps=4,", "+        num_warps=8,"], kernel)
    ([], False)
    """
    found = [ARGUMENT.fullmatch(line) for line in lines]
    names = dict.fromkeys(m[1] for m in found if m)
    taken = [n for n in names if any(line.strip().startswith(f"{n}: tl.constexpr") for line in text)]
    word = re.compile(rf"\b(?:{'|'.join(taken)})\b(?!: tl\.constexpr|=)") if taken else None
    read = [line.strip() for line in text if word is not None and word.search(line)]
    return read, all(found) and bool(taken) and len(taken) == len(names) and not read


def difference(old: list[str], new: list[str]) -> list[str]:
    """The lines that differ, after `-` and `+`."""
    lines = list(difflib.unified_diff(old, new, n=0))[2:]
    return [line for line in lines if not line.startswith("@@")]


def knobs_page() -> str:
    shown = shown_knobs()
    rows = []
    for s in shown:
        d = s.declaration
        field = (
            f"`{d.field.data}`"
            if d.field is not None
            else f"`{d.sym_name.data}`"
            if "<" not in s.pattern
            else "by name"
        )
        cells = (f"[`@{s.pattern}`](#{anchor(s.pattern)})", field, f"`{d.domain.data}`", f"`{d.owner.data}`")
        rows.append("| " + " | ".join(c.replace("\n", " ") for c in cells) + " |")
    parts = [
        "# Knobs",
        "What the tuner may decide, as the examples declare it. A knob is written in the IR by the pass that owns it; "
        "`Config` takes its name, or the next entry of the list it belongs to, in the order of declaration. Domains are "
        "those of the kernel that an entry is shown with; they depend on shapes and on the target. What changes is shown "
        "of the IR with every knob bound, and of the program printed from it.",
        "\n".join(["| knob | field of `Config` | domain | owner |", "|---|---|---|---|", *rows]),
    ]
    parts += [knob_entry(s) for s in shown]
    return "\n\n".join(parts) + "\n"


def knob_entry(shown: Shown) -> str:
    d = shown.declaration
    change = changed(shown)
    what = f"`@{d.sym_name.data}` of `{shown.example}` for {shown.target}"
    when = f" Used when `{_when(d)}`." if d.when is not None else ""
    head = (
        f"## `@{shown.pattern}`\n\n{d.doc.data[:1].upper()}{d.doc.data[1:]}.{when} Owner: {owner_link(d.owner.data)}."
    )
    if not change.triton:
        return f"{head}\n\n{what} changes nothing in this kernel."
    text = (
        f"{head}\n\n{what}, from `{change.old}` to `{change.new}`. In the IR:\n\n{fenced(change.ir, IR_LINES)}"
        f"\n\nIn Triton:\n\n{fenced(change.triton, DIFF_LINES)}"
    )
    # Where other lines change too, they show what it does.
    if change.read and all(ARGUMENT.fullmatch(line) for line in change.triton):
        text += "\n\nwhich the kernel reads:\n\n" + fenced(change.read, READ_LINES, "python")
    return text


def fenced(lines: list[str], most: int, language: str = "diff") -> str:
    """Lines as a block, cut where they are many, and around where they differ if they are long."""
    rest = len(lines) - most
    shown = [cut(line, other) for line, other in zip(lines, counterparts(lines))][:most]
    return "\n".join([f"```{language}", *shown, *([f"… {rest} more lines"] if rest > 0 else []), "```"])


def counterparts(lines: list[str]) -> list[str]:
    """For each changed line the one that takes its place, or whose place it takes; empty for none.

    >>> counterparts(["-a", "-b", "+A", "+B", "-c", "+C", "+D"])
    ['+A', '+B', '-a', '-b', '+C', '-c', '']
    """
    out: list[str] = []
    runs = [(sign, list(run)) for sign, run in itertools.groupby(lines, key=lambda line: line[:1])]
    for i, (sign, run) in enumerate(runs):
        other = runs[i + 1 : i + 2] if sign == "-" else runs[i - 1 : i] if sign == "+" and i else []
        others = other[0][1] if other and {sign, other[0][0]} == {"-", "+"} else []
        out += [*others, *[""] * len(run)][: len(run)]
    return out


def cut(line: str, other: str) -> str:
    """A line in at most `IR_COLUMNS`, of which what differs from another is a part.

    >>> cut("-" + "a" * 300 + "b" + "c" * 300, "+" + "a" * 300 + "d" + "c" * 300).count("b")
    1
    """
    if len(line) <= IR_COLUMNS:
        return line
    same = len(os.path.commonprefix([line[1:], other[1:]])) if other else 0
    begin = max(1, min(1 + same - IR_COLUMNS // 3, len(line) - IR_COLUMNS + 2))
    if begin == 1:
        return f"{line[: IR_COLUMNS - 1]}…"
    end = begin + IR_COLUMNS - 3
    return f"{line[0]}…{line[begin:end]}" + ("…" if end < len(line) else "")


def _when(declaration: Any) -> str:
    from helion_ir.index.text import expr_text

    return expr_text(declaration.when.data)


def owner_link(owner: str) -> str:
    return f"[{owner}](passes/{owner}.md)" if (FILECHECK / f"{owner}.mlir").exists() else owner


def anchor(pattern: str) -> str:
    """The anchor that Markdown gives a heading with this pattern.

    >>> anchor("loop.<loop>.num_stages")
    'looploopnum_stages'
    """
    return re.sub(r"[^\w-]", "", pattern).lower()


# -- all ---------------------------------------------------------------------------------------------------------------
def pages() -> dict[str, str]:
    """Path below docs → text, of every page that is made."""
    return {**dict(pass_pages()), "knobs.md": knobs_page(), "index.md": index_page()}


def index_page() -> str:
    """The index as it stands, with the list of passes between its marks made anew."""
    from helion_ir.passes.registry import PASSES, load_pass

    rows = []
    for name in PASSES:
        first = inspect.cleandoc(load_pass(name).__doc__ or "").split("\n\n")[0].replace("\n", " ")
        rows.append(f"| [{name}](passes/{name}.md) | {first} |")
    before, rest = (DOCS / "index.md").read_text().split(MARKS[0])
    table = "\n".join(["| pass | what it does |", "|---|---|", *rows])
    return f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def stale(made: Mapping[str, str]) -> list[str]:
    """The pages that are not there, are not up to date, or should not be there."""
    wrong = [p for p, text in made.items() if not (DOCS / p).exists() or (DOCS / p).read_text() != text]
    extra = [f"passes/{f.name}" for f in sorted((DOCS / "passes").glob("*")) if f"passes/{f.name}" not in made]
    return wrong + extra


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if a page is not up to date")
    check = parser.parse_args().check
    made = pages()
    wrong = stale(made)
    for path in wrong:
        print(f"{'not up to date' if check else 'written' if path in made else 'removed'}: docs/{path}")
        if check:
            continue
        if path not in made:
            (DOCS / path).unlink()
            continue
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(made[path])
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
