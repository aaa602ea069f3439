"""The commands of `helion-ir` about tuning: tune, export, results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

KernelArgument = Annotated[str, typer.Argument(metavar="FILE.py:KERNEL", help="the kernel; the file says what to call it with")]  # fmt: skip
ShapesOption = Annotated[
    list[str] | None,
    typer.Option(help='arguments as words, as in "4096x4096:bf16 4096:f32 0.5"; may be given several times'),
]

StoreOption = Annotated[Path | None, typer.Option(help="the database; by default that of this user")]


def add(app: typer.Typer, explained: Callable[[], AbstractContextManager[None]]) -> None:
    """Add the commands to the application; `explained` turns errors of the user's into messages."""

    @app.command()
    def tune(
        kernel: KernelArgument,
        target: Annotated[str, typer.Option(help="rank for this device, which need not be present")] = "",
        shapes: ShapesOption = None,
        output: Annotated[Path | None, typer.Option("-o", "--output", help="write the configurations here")] = None,
        seconds: Annotated[float | None, typer.Option(help="for one shape")] = None,
        evaluations: Annotated[int | None, typer.Option(help="configurations for one shape")] = None,
        search: Annotated[str | None, typer.Option(help="surrogate, pattern, evolution or random")] = None,
        seed: Annotated[int | None, typer.Option(help="makes the search repeatable")] = None,
        most: Annotated[int, typer.Option(help="configurations for all shapes together")] = 8,
        enough: Annotated[float, typer.Option(help="a loss by this factor is small enough")] = 1.05,
        plot: Annotated[Path | None, typer.Option(help="write pictures into this folder")] = None,
        log: Annotated[str, typer.Option(help="write PREFIX.csv and PREFIX.trace.json")] = "",
        jobs: Annotated[int | None, typer.Option(help="compilers at a time")] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print the configuration alone")] = False,
    ) -> None:
        """Find the best configuration of a kernel, for one shape or for several."""
        from helion_ir.tools import tune_command as command
        from helion_ir.tools.kernel_file import load_kernel
        from helion_ir.tools.shapes import parse_arguments

        with explained():
            file = load_kernel(kernel)
            options = command.Options(target, seconds, evaluations, search, seed, quiet, log, jobs)
            device = "cpu" if target else _device()
            calls = [parse_arguments(text, device, blank=bool(target)) for text in shapes or []]
            calls = calls or [_moved(file.args, device)]
            found = [command.tune_shape(file, args, options) for args in calls]
            if plot is not None:
                _plot(found, plot)
            if len(found) == 1:
                portfolio = command.single(found[0], measured=not target)
                print(f"@helion.kernel(config={found[0].tuned.config!r})")
            else:
                portfolio = command.make_portfolio(found, options, most, enough)
                print(command.describe(portfolio))
            if output is not None:
                portfolio.save(output)

    @app.command()
    def export(
        kernel: KernelArgument,
        output: Annotated[Path, typer.Option("-o", "--output", help="the file to write")],
        configs: Annotated[Path | None, typer.Option(help="configurations that `tune -o` wrote")] = None,
        shapes: ShapesOption = None,
        target: Annotated[str, typer.Option(help="the device to write for; by default the one of the arguments")] = "",
    ) -> None:
        """Write a kernel as one Python file that imports torch and triton only."""
        from helion_ir.autotuner.portfolio import Portfolio
        from helion_ir.tools.kernel_file import load_kernel
        from helion_ir.tools.shapes import parse_arguments
        from helion_ir.tools.standalone import Variant, standalone

        with explained():
            file = load_kernel(kernel)
            portfolio = Portfolio.load(configs) if configs is not None else None
            calls = [parse_arguments(text, "cpu", blank=True) for text in shapes or []] or [file.args]
            variants = []
            for args in calls:
                bound = file.kernel.bind(tuple(args))
                given = portfolio.config_for(args) if portfolio is not None else next(iter(bound.configs), None)
                variants.append(Variant(bound, args, given, target or (portfolio.target if portfolio else "")))
            output.write_text(standalone(variants))
            print(f"{len(variants)} variants of {file.kernel.name} in {output}")

    results = typer.Typer(no_args_is_help=True, help="Stored tuning results: list them, or carry them as JSON.")
    app.add_typer(results, name="results")

    @results.command("list")
    def list_results(store: StoreOption = None) -> None:
        """Show the best configuration of every kernel, shape and device."""
        from helion_ir.autotuner.store import SqliteStore

        with explained():
            for key, best in SqliteStore(store).everything():
                print(f"{key.kernel}  {key.target}  {best.milliseconds:.4f} ms  {key.specialization[:100]}")

    @results.command("export")
    def export_results(path: Path, kernel: Annotated[str, typer.Option()] = "", store: StoreOption = None) -> None:
        """Write results as JSON."""
        from helion_ir.autotuner.exchange import export_results
        from helion_ir.autotuner.store import SqliteStore

        with explained():
            print(f"{export_results(SqliteStore(store), path, kernel or None)} configurations in {path}")

    @results.command("import")
    def import_results(path: Path, store: StoreOption = None) -> None:
        """Add results from JSON, where nothing better is known."""
        from helion_ir.autotuner.exchange import import_results
        from helion_ir.autotuner.store import SqliteStore

        with explained():
            print(f"{import_results(SqliteStore(store), path, print)} configurations added")


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _moved(args: tuple[object, ...], device: str) -> tuple[object, ...]:
    from helion_ir.autotuner.tensors import map_tensors

    return map_tensors(args, lambda t: t.to(device))


def _plot(found: list, folder: Path) -> None:  # pyright: ignore[reportMissingTypeArgument]
    from helion_ir.tools import plots

    if not plots.available():
        raise ValueError("pictures need matplotlib: pip install 'helion-ir[plot]'")
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(found):
        title = f"{one.bound.kernel.name} on {one.target}"
        plots.plot_history(one.tuned.history, title, folder / f"{number}-history.png")
        plots.plot_knobs(one.tuned.history, title, folder / f"{number}-knobs.png")
