"""helion-ir-opt: run passes on the text of a module and print what becomes of it.

It imports neither PyTorch nor Triton, so that it starts at once; only `-t triton` and what Triton compiles to need them.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import IO, Any, ClassVar

from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.universe import XDSL_UNIVERSE
from xdsl.utils.arg_spec import ArgSpec, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError, DiagnosticException, ParseError
from xdsl.utils.lexer import Span
from xdsl.utils.target import Target
from xdsl.xdsl_opt_main import xDSLOptMain

from helion_ir.exc import BaseError
from helion_ir.passes.registry import available_passes, plugin_universes
from helion_ir.tools.diagnostics import Failure, from_parse_error, pipeline_failure, verify
from helion_ir.tools.instrument import Instrumentation, PrintIR, Reproducer, Timing, Verify, run_passes
from helion_ir.tools.outputs import OUTPUTS, read_config
from helion_ir.tools.source import describe, parse_source
from helion_ir.tools.universe import DIALECTS

DEFAULT_PIPELINE = "default-pipeline"
"""In `-p`: the compiler's own passes, those that the module has not been through yet."""

_GENERIC_PASSES = ("apply-individual-rewrite", "apply-pdl", "mlir-opt")
_GENERIC_DIALECTS = ("pdl", "test")


class HelionIROpt(xDSLOptMain):
    """The tool: xDSL's driver with our dialects, passes, outputs and hooks."""

    version_format: ClassVar[str] = "helion-ir-opt, built on xDSL {xdsl_version}"

    def __init__(self, args: Sequence[str] | None = None):
        self.specs: tuple[ArgSpec, ...] = ()
        self.spans: dict[Operation, Span] = {}
        self.line_offset = 0
        # With --disable-verify xDSL's constructor disables the checks of attributes for the whole process.
        checked = Attribute.__post_init__
        try:
            super().__init__("Run passes of helion-ir on the text of a module.", args)
        except ArgSpecParseError as error:
            raise _option_failure("-t", self.args.target, error) from None
        finally:
            Attribute.__post_init__ = checked

    # ---- what there is ----------------------------------------------------------------------------------------------

    def register_all_dialects(self) -> None:
        self.ctx.load_dialect(Builtin)
        for name, factory in DIALECTS.items():
            self.ctx.register_dialect(name, factory)
        for name in _GENERIC_DIALECTS:
            self.ctx.register_dialect(name, XDSL_UNIVERSE.all_dialects[name])
        for universe in plugin_universes().values():
            for name, factory in universe.all_dialects.items():
                self.ctx.register_dialect(name, factory)

    def register_all_passes(self) -> None:
        for name, factory in available_passes().items():
            self.register_pass(name, factory)
        for name in _GENERIC_PASSES:
            self.available_passes.setdefault(name, XDSL_UNIVERSE.all_passes[name])

    def register_all_targets(self) -> None:
        for name, output in OUTPUTS.items():
            self.available_targets[name] = _factory(output)
        for universe in plugin_universes().values():
            for name, factory in universe.all_targets.items():
                self.available_targets.setdefault(name, factory)

    def register_all_frontends(self) -> None:
        def parse_mlir(stream: IO[bytes]) -> ModuleOp:
            implicit = not self.args.no_implicit_module
            module, self.spans = parse_source(self.ctx, stream.read(), self.get_input_name(), implicit)
            return module

        self.available_frontends["mlir"] = parse_mlir

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        arg_parser.set_defaults(print_debuginfo=True)
        arg_parser.epilog = (
            f"'{DEFAULT_PIPELINE}' in -p stands for the passes of the compiler that the module has not been through; "
            f'its options are those of bind-structure and materialize-config: {DEFAULT_PIPELINE}{{config="..."}}.'
        )
        add = arg_parser.add_argument_group("helion-ir").add_argument
        add("--print-ir-before", default="", metavar="P,..", help="print the IR on stderr before these passes")
        add("--print-ir-after", default="", metavar="P,..", help="print the IR on stderr after these passes")
        add("--print-ir-before-all", action="store_true", help="print the IR before every pass")
        add("--print-ir-after-all", action="store_true", help="print the IR after every pass")
        add("--print-ir-after-change", action="store_true", help="print the IR after every pass that changed it")
        add("--print-ir-dir", metavar="DIR", help="write 00-input.mlir, 01-<pass>.mlir, ... into DIR")
        add("--crash-reproducer", metavar="FILE", help="on failure write the IR before it and the command to FILE")
        add("--no-locations", dest="print_debuginfo", action="store_false", help="print the IR without locations")
        add("--debug", action="store_true", help="show Python's traceback of an error")

    # ---- running ----------------------------------------------------------------------------------------------------

    def setup_pipeline(self) -> None:
        # Every name and option is checked now; the alias is expanded once there is a module.
        self.specs = _parse_passes(self.args.passes)
        for spec in self.specs:
            if spec.name != DEFAULT_PIPELINE:
                self._instance(spec)

    def _instance(self, spec: ArgSpec) -> ModulePass:
        try:
            factory = self.available_passes[spec.name]
        except KeyError:
            raise pipeline_failure(self.args.passes, spec.name, _unknown("pass", spec.name, self.available_passes)) from None  # fmt: skip
        try:
            return factory().from_spec(spec)
        except ImportError as error:
            raise pipeline_failure(self.args.passes, spec.name, f"cannot load {spec.name}: {error}") from error
        except (ValueError, TypeError) as error:
            raise pipeline_failure(self.args.passes, spec.name, f"{spec.name}: {describe(error)}") from error

    def passes_for(self, module: ModuleOp) -> tuple[ModulePass, ...]:
        """The passes of `-p` for this module, the alias expanded."""
        out: list[ModulePass] = []
        for spec in self.specs:
            if spec.name != DEFAULT_PIPELINE:
                out.append(self._instance(spec))
                continue
            from helion_ir.tools.default_pipeline import expand

            try:
                out += expand(module, spec)
            except ValueError as error:
                raise pipeline_failure(self.args.passes, spec.name, describe(error)) from error
        return tuple(out)

    def hooks(self, passes: tuple[ModulePass, ...], chunk: int) -> list[Instrumentation]:
        """The hooks that the options ask for, outermost first."""
        g = self.args
        hooks: list[Instrumentation] = []
        if g.crash_reproducer:
            hooks.append(Reproducer(Path(g.crash_reproducer), passes, "" if g.target == "mlir" else g.target))
        printing = PrintIR(
            before_names=self._names(g.print_ir_before),
            after_names=self._names(g.print_ir_after),
            before_all=g.print_ir_before_all,
            after_all=g.print_ir_after_all or g.print_between_passes,
            only_changes=g.print_ir_after_change,
        )
        if printing != PrintIR():
            hooks.append(printing)
        if g.print_ir_dir:
            directory = Path(g.print_ir_dir) / (str(chunk) if chunk else "")
            hooks.append(PrintIR(directory=directory, only_changes=g.print_ir_after_change))
        if not g.disable_verify:
            hooks.append(Verify())
        if g.time_passes:
            hooks.append(Timing())
        return hooks

    def _names(self, text: str) -> frozenset[str]:
        names = frozenset(n.strip() for n in text.split(",") if n.strip())
        for name in names:
            if name not in self.available_passes:
                raise Failure(_unknown("pass", name, self.available_passes))
        return names

    def run(self) -> None:
        """Parse, run and print every chunk of the input. Raises Failure for what the user can put right."""
        try:
            chunks, extension = self.prepare_input()
        except (OSError, ValueError) as error:
            raise Failure(describe(error)) from error
        output = StringIO()
        for number, (stream, self.line_offset) in enumerate(chunks):
            if number:
                output.write("// -----\n")
            try:
                module = self.available_frontends[extension](stream)
                output.write(self.process(module, number))
            except ParseError as error:
                failure = from_parse_error(error, self.line_offset)
                if not self.args.parsing_diagnostics:
                    raise failure from error
                output.write(f"{failure}\n")
            except Failure as failure:
                if not self.args.verify_diagnostics:
                    raise
                output.write(f"{failure}\n")
        self._write(output.getvalue())

    def process(self, module: ModuleOp, chunk: int = 0) -> str:
        """Verify, run the passes, and give the text of the output asked for."""
        if not self.args.disable_verify:
            verify(module, self.spans, "", self.line_offset)
        passes = self.passes_for(module)
        hooks = self.hooks(passes, chunk)
        current = _Current()
        try:
            run_passes(passes, self.ctx, module, [*hooks, current])
        except Failure:
            raise
        except Exception as error:
            raise _pass_failure(current.name, error) from error
        try:
            return self.output_resulting_program(module)
        except Failure:
            raise
        except Exception as error:
            for hook in hooks:
                if isinstance(hook, Reproducer):
                    from helion_ir.dialects.context import module_text

                    hook.write((), module_text(module), f"-t {self.args.target}", error)
            raise Failure(f"-t {self.args.target}: {describe(error)}") from error

    def _write(self, text: str) -> None:
        if self.args.output_file is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        try:
            Path(self.args.output_file).write_text(text)
        except OSError as error:
            raise Failure(describe(error)) from error


class _Current(Instrumentation):
    """Remembers which pass runs."""

    name = ""

    def before(self, p: ModulePass, module: ModuleOp) -> None:
        self.name = p.name


def _factory(output: type[Target]) -> Callable[[], type[Target]]:
    return lambda: output


def _parse_passes(text: str) -> tuple[ArgSpec, ...]:
    try:
        return tuple(_with_config_read(spec) for spec in parse_pipeline(text))
    except ArgSpecParseError as error:
        raise _option_failure("-p", text, error) from None


def _with_config_read(spec: ArgSpec) -> ArgSpec:
    # config="@FILE": read here, so that a pass sees JSON and a reproducer holds all it needs.
    match spec.parameters.get("config"):
        case (str() as text,):
            return ArgSpec(spec.name, {**spec.parameters, "config": (read_config(text),)})
        case _:
            return spec


def _option_failure(option: str, text: str, error: ArgSpecParseError) -> Failure:
    # xDSL's message is three lines: a heading, the text with a caret, and what was expected.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    caret = next((line for line in str(error).splitlines() if set(line.strip()) == {"^"}), "")
    return Failure(lines[-1] if lines else "malformed", f"{option}:1:{caret.find('^') + 1}", text, caret.find("^") + 1)


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1)
    return f"there is no {what} named '{name}'" + (f"; did you mean '{close[0]}'?" if close else "")


def _pass_failure(name: str, error: Exception) -> Failure:
    place = getattr(error, "place", None)
    if isinstance(error, BaseError) and place is not None:
        where = f"{place.file}:{place.line}:{place.column}"
        return Failure(error.message, where, place.text, place.column, place.end_column - place.column, (f"in pass '{name}'",))  # fmt: skip
    expected = isinstance(error, DiagnosticException | BaseError | ValueError)  # a bad config is a ValueError
    message = f"pass '{name}' failed: {describe(error)}"
    return Failure(message, notes=() if expected else (_COMPILER_ERROR,))


_COMPILER_ERROR = (
    "this is an error of the compiler: --crash-reproducer=FILE writes what is needed to repeat it, "
    "--debug shows where it was raised"
)


def run(args: Sequence[str]) -> int:
    """Run the tool in this process, on `sys.stdout` and `sys.stderr`.

    Args:
        args: the command line, without the name of the program.

    Returns:
        The exit code: 0, or 1 after an error has been printed.
    """
    try:
        HelionIROpt(args).run()
        return 0
    except Failure as failure:
        if "--debug" in args:
            traceback.print_exception(failure)
        print(failure, file=sys.stderr)
        return 1
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a usage error
        return 1 if stop.code else 0


def main() -> None:
    """The command."""
    try:
        sys.exit(run(sys.argv[1:]))
    except BrokenPipeError:  # the reader of our output has left; nothing more to say to it
        sys.exit(1)


if __name__ == "__main__":
    main()
