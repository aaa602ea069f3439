"""helion-ir: look into a kernel from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helion_ir.tools import tuning_commands

if TYPE_CHECKING:
    from helion_ir.dialects.knob import KnobValue
    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.runtime.stages import Stages

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look into kernels: their IR, their code, their results."
)

KernelArgument = Annotated[str, typer.Argument(metavar="FILE.py:KERNEL", help="the kernel; the file says what to call it with")]  # fmt: skip
ConfigOption = Annotated[str, typer.Option(help="JSON, by knob or by field of Config; @FILE reads it from a file")]
TargetOption = Annotated[str, typer.Option(help="a device, present or not; by default the one of the arguments")]


@app.command()
def dump(
    kernel: KernelArgument,
    stage: Annotated[
        str, typer.Option(help="tile, declared, a pass, template, materialize-config, triton, or all")
    ] = "all",
    config: ConfigOption = "",
    target: TargetOption = "",
    directory: Annotated[
        Path | None, typer.Option("--dir", help="write a file a stage here instead of printing")
    ] = None,
) -> None:
    """Print the IR of a kernel after the stages of the compiler."""
    with _explained():
        stages, assignment = _stages(_bound(kernel), config, target)
        texts = [*stages.texts(assignment), ("triton", stages.printed(assignment).text)]
        if stage != "all":
            found = [(name, text) for name, text in texts if name == stage]
            if not found:
                there_are = ", ".join(dict.fromkeys(name for name, _ in texts))
                raise ValueError(f"there is no stage {stage!r}; there are: {there_are}, all")
            texts = found[-1:]
        if directory is None:
            for name, text in texts:
                if stage == "all":
                    print(f"// -----// {name} //----- //")
                print(text, end="")
            return
        directory.mkdir(parents=True, exist_ok=True)
        for number, (name, text) in enumerate(texts):
            ending = "py" if name == "triton" else "mlir"
            (directory / f"{number:02d}-{name}.{ending}").write_text(text)
        print(f"{len(texts)} files in {directory}")


@app.command()
def compile(
    kernel: KernelArgument,
    config: ConfigOption = "",
    target: Annotated[
        list[str] | None, typer.Option(help="a device, present or not; may be given several times")
    ] = None,
    emit: Annotated[str, typer.Option(help="print this instead: triton, ttir, ttgir, llir, ptx, amdgcn")] = "",
) -> None:
    """Compile a configuration, by default the kernel's own, and say what it needs of each device."""
    from helion_ir.backend_triton.compile import compile_kernels

    with _explained():
        bound = _bound(kernel)
        rows: list[tuple[str, ...]] = [("target", "kernel", "shared memory", "registers", "spilled", "tensor memory")]
        for name in target or [""]:
            stages, assignment = _stages(bound, config, name)
            printed = stages.printed(assignment)
            if emit == "triton":
                print(printed.text, end="")
                continue
            if not stages.target.backend:
                raise ValueError(f"nothing compiles for {stages.target.name}; give a --target, such as h100")
            for compiled in compile_kernels(printed, stages.target):
                if emit:
                    print(_text(compiled.asm, emit), end="")
                    continue
                r = compiled.resources
                cells = (r.shared_memory, r.registers, r.spilled, r.tensor_memory)
                shown = ["unknown" if c is None else str(c) for c in cells]
                rows.append((stages.target.name, compiled.kernel, *shown))
        if len(rows) > 1:
            _print_table(rows)


@app.command()
def explain(
    kernel: KernelArgument,
    target: TargetOption = "",
    plain: Annotated[bool, typer.Option(help="a line a row, to search in")] = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="the tiles live at each line, the peak and what makes it, needs and limits")
    ] = False,
    config: ConfigOption = "",
    picture: Annotated[Path | None, typer.Option(help="draw the live bytes to this file, with matplotlib")] = None,
) -> None:
    """Say what may be tuned: the knobs, the values ruled out and why, and what every configuration must hold to.

    With --memory, say instead what one configuration keeps at each line and needs of the device.
    """
    with _explained():
        if not memory and (config or picture is not None):
            raise ValueError("--config and --picture go with --memory")
        bound = _bound(kernel)
        if memory:
            from helion_ir.tools.explain_memory import show as show_memory

            stages, assignment = _stages(bound, config, target)
            show_memory(stages, assignment, f"{kernel} for {stages.target.name}", picture)
            return
        from helion_ir.tools.explain import show

        stages = bound.stages_for(target) if target else bound.lowering
        explanation = stages.space.explain()
        if plain:
            print(explanation)
        else:
            show(explanation, f"{kernel} for {stages.target.name}")


@app.command()
def check(kernel: KernelArgument, config: ConfigOption = "", target: TargetOption = "") -> None:
    """Run the IR after every pass on the CPU and compare the results, with the file's reference if it has one."""
    from helion_ir.tools.kernel_file import load_kernel
    from helion_ir.tools.stage_check import check_stages

    with _explained():
        file = load_kernel(kernel)
        stages, assignment = _stages(file.bind(), config, target)
        wrong = ""
        for result in check_stages(file, stages.texts(assignment), assignment):
            print(f"{result.stage:24} {result.problem or f'ok, relative error {result.error:.2g}'}", flush=True)
            wrong = wrong or (result.stage if result.problem else "")
        if wrong:
            raise ValueError(f"the first stage with wrong results is {wrong}")


def _bound(spec: str) -> BoundKernel:
    from helion_ir.tools.kernel_file import load_kernel

    return load_kernel(spec).bind()


def _stages(bound: BoundKernel, config: str, target: str) -> tuple[Stages, dict[str, KnobValue]]:
    stages = bound.stages_for(target) if target else bound.lowering
    if not config:
        own = bound.configs
        return stages, dict(stages.space.encode(own[0]) if own else stages.space.legal_default())
    from helion_ir.tools.outputs import read_config

    given = json.loads(read_config(config))
    if not isinstance(given, dict):
        raise ValueError("the configuration must be a JSON object")
    return stages, dict(stages.space.encode(given))


def _text(asm: Mapping[str, str | bytes], stage: str) -> str:
    texts = {name: text for name, text in asm.items() if isinstance(text, str)}
    if stage not in texts:
        raise ValueError(f"there is no {stage}; there are: triton, {', '.join(texts)}")
    return texts[stage]


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of the author's or the command line's are one message; others keep their traceback."""
    from helion_ir.exc import BaseError
    from helion_ir.tools.diagnostics import Failure

    try:
        yield
    except BaseError as error:
        print(error.report(), file=sys.stderr)
    except (ValueError, OSError, Failure) as error:
        print(f"helion-ir: error: {error}", file=sys.stderr)
    else:
        return
    raise typer.Exit(1)


tuning_commands.add(app, _explained)


def main() -> None:
    """The command."""
    app()


if __name__ == "__main__":
    main()
