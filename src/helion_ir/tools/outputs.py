"""What helion-ir-opt can write with `-t`: IR, Triton, the code of each of Triton's stages, the configuration space."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import IO, Any, ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer
from xdsl.utils.target import Target

from helion_ir.dialects.knob import KnobValue, declarations, requirements, value_text
from helion_ir.passes.base import target_of
from helion_ir.tools.diagnostics import Failure


@dataclass(frozen=True)
class MLIR(Target):
    """The text of the module, with locations."""

    name: ClassVar[str] = "mlir"

    print_generic_format: bool = False
    print_properties_as_attributes: bool = False
    print_debuginfo: bool = True
    syntax_highlight: bool = False

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        if self.print_debuginfo and not (
            self.print_generic_format or self.print_properties_as_attributes or self.syntax_highlight
        ):
            from helion_ir.dialects.context import module_text  # loads every dialect, which --help does not need

            output.write(module_text(module))
            return
        from xdsl.syntax_printer import SyntaxPrinter

        text = StringIO()
        (SyntaxPrinter if self.syntax_highlight else Printer)(
            text,
            print_generic_format=self.print_generic_format,
            print_properties_as_attributes=self.print_properties_as_attributes,
            print_debuginfo=self.print_debuginfo,
        ).print_op(module)
        output.write(text.getvalue().replace(" loc(unknown)", "") + "\n")


@dataclass(frozen=True)
class Triton(Target):
    """One standalone Python file: the host function and the Triton kernels, of the configuration given."""

    name: ClassVar[str] = "triton"

    config: str = ""
    """JSON from knob names to values, or `@FILE`; what it leaves out has its default."""

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        print_module = _backend("printer:print_module")
        output.write(print_module(module, _assignment(module, self.config)).text)


@dataclass(frozen=True)
class _Assembly(Target):
    """Base of what Triton compiles to: the text of one of its stages, for every kernel of the module."""

    stage: ClassVar[str]

    config: str = ""

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        target = target_of(module)
        if not target.backend:
            raise Failure(f"nothing compiles for target '{target.name}'; set helion_ir.target on the module")
        print_module, compile_kernels = _backend("printer:print_module"), _backend("compile:compile_kernels")
        for one in compile_kernels(print_module(module, _assignment(module, self.config)), target):
            if self.stage not in one.asm:
                raise Failure(f"target '{target.name}' has no {self.stage}; there are: {', '.join(one.asm)}")
            text = one.asm[self.stage]
            output.write(text if isinstance(text, str) else text.decode())


@dataclass(frozen=True)
class TTIR(_Assembly):
    """Triton's own IR, as its frontend makes it."""

    name: ClassVar[str] = "ttir"
    stage: ClassVar[str] = "ttir"


@dataclass(frozen=True)
class PTX(_Assembly):
    """NVIDIA's virtual assembly."""

    name: ClassVar[str] = "ptx"
    stage: ClassVar[str] = "ptx"


@dataclass(frozen=True)
class AMDGCN(_Assembly):
    """AMD's assembly."""

    name: ClassVar[str] = "amdgcn"
    stage: ClassVar[str] = "amdgcn"


@dataclass(frozen=True)
class ConfigSpace(Target):
    """The knobs of the module with domains, defaults, owners and conditions, and what rules configurations out."""

    name: ClassVar[str] = "config-space"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        from helion_ir.index.text import expr_text

        rows = [("knob", "domain", "default", "field", "owner", "what it decides")]
        for d in declarations(module):
            doc = d.doc.data if d.when is None else f"{d.doc.data} (when {expr_text(d.when.data)})"
            field = "" if d.field is None else d.field.data
            default = value_text(d.default.data)
            rows.append(("@" + d.sym_name.data, str(d.domain.data), default, field, d.owner.data, doc))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
        for row in rows:
            output.write("  ".join([*(c.ljust(w) for c, w in zip(row, widths)), row[-1]]).rstrip() + "\n")
        for r in requirements(module):
            output.write(f"require {expr_text(r.condition.data)}: {r.reason.data} (by {r.owner.data})\n")


def read_config(text: str) -> str:
    """The text of a configuration: `@FILE` stands for what is in the file, and nothing for no settings.

    Raises Failure if the file cannot be read.
    """
    if not text.startswith("@"):
        return text or "{}"
    try:
        return Path(text[1:]).read_text()
    except OSError as error:
        raise Failure(f"cannot read the configuration: {error}") from error


def _assignment(module: ModuleOp, text: str) -> Mapping[str, KnobValue] | None:
    from helion_ir.passes.bind_structure import complete, parse_assignment

    if not text and not any(declarations(module)):
        return None  # every knob is bound
    return complete(module, parse_assignment(read_config(text)))


def _backend(path: str) -> Callable[..., Any]:
    # Imported by name and late: this tool must start without Triton, and without sympy where nothing needs it.
    return pkgutil.resolve_name(f"helion_ir.backend_triton.{path}")


OUTPUTS: dict[str, type[Target]] = {t.name: t for t in (MLIR, Triton, TTIR, PTX, AMDGCN, ConfigSpace)}
