"""Hooks around every pass of a run: verifying, printing, timing, and writing down what fails."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec

from helion_ir.passes.base import TARGET
from helion_ir.tools.diagnostics import verify
from helion_ir.tools.source import describe


def _text(module: ModuleOp) -> str:
    from helion_ir.dialects.context import module_text  # loads every dialect, which --help does not need

    return module_text(module)


class Instrumentation:
    """Hooks around every pass; these do nothing."""

    def before(self, p: ModulePass, module: ModuleOp) -> None: ...

    def after(self, p: ModulePass, module: ModuleOp) -> None: ...

    def failed(self, p: ModulePass, module: ModuleOp, error: Exception) -> None: ...

    def finish(self) -> None: ...


def run_passes(
    passes: Iterable[ModulePass], ctx: Context, module: ModuleOp, hooks: Sequence[Instrumentation] = ()
) -> None:
    """Apply passes in order with the hooks around each, nested: the last one is next to the pass.

    Whatever a pass or a hook raises ends the run.
    """
    try:
        for p in passes:
            for hook in hooks:
                hook.before(p, module)
            try:
                p.apply(ctx, module)
                for hook in reversed(hooks):
                    hook.after(p, module)
            except Exception as error:
                for hook in hooks:
                    hook.failed(p, module, error)
                raise
    finally:
        for hook in hooks:
            hook.finish()


class Verify(Instrumentation):
    """Verifies after every pass, so that the pass at fault is known."""

    def after(self, p: ModulePass, module: ModuleOp) -> None:
        verify(module, {}, p.name)


@dataclass
class PrintIR(Instrumentation):
    """Prints the module before and after passes: on stderr, or a file each in `directory`.

    `everything` stands for all passes; with `only_changes` a text equal to the one before is left out.
    """

    before_names: frozenset[str] = frozenset()
    after_names: frozenset[str] = frozenset()
    before_all: bool = False
    after_all: bool = False
    only_changes: bool = False
    directory: Path | None = None
    step: int = 0
    last: str = ""

    def before(self, p: ModulePass, module: ModuleOp) -> None:
        if self.step == 0:
            self._start(module)
        self.step += 1
        if self.directory is None and (self.before_all or p.name in self.before_names):
            self._show(f"before {p.name}", _text(module))

    def after(self, p: ModulePass, module: ModuleOp) -> None:
        if not (self.after_all or self.only_changes or self.directory is not None or p.name in self.after_names):
            return
        text = _text(module)
        changed, self.last = text != self.last, text
        if self.only_changes and not changed:
            return
        if self.directory is None:
            self._show(f"after {p.name}", text)
        else:
            (self.directory / f"{self.step:02d}-{p.name}.mlir").write_text(text)

    def _start(self, module: ModuleOp) -> None:
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            (self.directory / "00-input.mlir").write_text(_text(module))
        if self.only_changes:
            self.last = _text(module)

    def _show(self, title: str, text: str) -> None:
        print(f"// -----// IR {title} //----- //\n{text}", file=sys.stderr)


@dataclass
class Timing(Instrumentation):
    """A table of the time each pass took, on stderr; verification and printing are not counted."""

    rows: list[tuple[str, float]] = field(default_factory=list)
    start: float = 0.0

    def before(self, p: ModulePass, module: ModuleOp) -> None:
        self.start = time.perf_counter()

    def after(self, p: ModulePass, module: ModuleOp) -> None:
        self.rows.append((p.name, time.perf_counter() - self.start))

    def finish(self) -> None:
        total = sum(seconds for _, seconds in self.rows)
        for name, seconds in [*self.rows, ("total", total)]:
            share = 100 * seconds / total if total else 0.0
            print(f"{seconds * 1e3:10.3f} ms {share:6.1f} %  {name}", file=sys.stderr)


@dataclass
class Reproducer(Instrumentation):
    """On failure writes the IR before the failing pass, with the command that fails on it.

    `rest` is the whole pipeline; `output` is the `-t` of the command, "" for plain IR.
    """

    path: Path
    rest: tuple[ModulePass, ...]
    output: str = ""
    text: str = ""
    index: int = -1

    def before(self, p: ModulePass, module: ModuleOp) -> None:
        self.text = _text(module)
        self.index += 1

    def failed(self, p: ModulePass, module: ModuleOp, error: Exception) -> None:
        target = module.attributes.get(TARGET)
        self.write(self.rest[self.index :], self.text, p.name, error, None if target is None else str(target))

    def write(
        self, passes: Sequence[ModulePass], text: str, stage: str, error: Exception, target: str | None = None
    ) -> None:
        """Write the file: what to run in the first line, then what happened, then the IR."""
        command = ["helion-ir-opt", "%s"]
        if passes:
            command += ["-p", shlex.quote(pipeline_text(passes))]
        if self.output:
            command += ["-t", shlex.quote(self.output)]
        lines = [f"// RUN: {' '.join(command)}", f"// failed: {stage}: {describe(error)}"]
        if target is not None:
            lines.append(f"// target: {target}")
        self.path.write_text("\n".join(lines) + "\n" + text)
        print(f"helion-ir-opt: note: reproducer written to {self.path}", file=sys.stderr)


def pipeline_text(passes: Iterable[ModulePass]) -> str:
    """The passes with their options as `-p` takes them.

    >>> from helion_ir.passes.cse import Cse
    >>> pipeline_text([Cse(), Cse()])
    'cse,cse'
    """
    return ",".join(spec_text(p.spec()) for p in passes)


def spec_text(spec: ArgSpec) -> str:
    """One pass of a pipeline. xDSL's own text of a spec does not escape what it quotes."""
    options = " ".join(_option(key.replace("_", "-"), values) for key, values in spec.parameters.items())
    return f"{spec.name}{{{options}}}" if options else spec.name


def _option(key: str, values: Sequence[str | int | float | bool]) -> str:
    def one(value: str | int | float | bool) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return '"' + "".join(_ESCAPES.get(c, c) for c in value) + '"'
        return str(value)

    return f"{key}={','.join(map(one, values))}" if values else key


_ESCAPES: Mapping[str, str] = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
