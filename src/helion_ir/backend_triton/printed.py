"""What the printer gives: texts, and the launches as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.ir import Attribute

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.knob import KnobValue


@dataclass(frozen=True)
class PrintOptions:
    """What a text shows besides the program."""

    origin_lines: bool = False
    """`# src[file:line]: …` above the lines of each statement of the author's."""
    dtype_asserts: bool = False
    """A `tl.static_assert` of the dtype of every tile that is given a name."""
    do_not_specialize: bool = False
    """Triton compiles one kernel whatever the values of the scalar arguments are."""


PLAIN = PrintOptions()


@dataclass(frozen=True)
class HostDescriptor:
    """A tensor descriptor that the host makes for each launch; its numbers are expressions over knobs and scalars."""

    base: str
    """The kernel's parameter whose tensor it describes."""
    dtype: str
    """As in Triton's signatures: `bf16`."""
    shape: Sequence[ExprAttr]
    strides: Sequence[ExprAttr]
    block: Sequence[ExprAttr]
    when: Attribute | None = None
    """Whether a configuration uses it; None is passed where it does not."""


@dataclass(frozen=True)
class Kernel:
    """A printed kernel: its run-time parameters as Triton's signature types (`*bf16`, `i32`), in order."""

    name: str
    parameters: Mapping[str, str]
    constexprs: tuple[str, ...]
    uses_descriptors: bool = False
    """Whether Triton needs an allocator to launch it."""
    host_descriptors: Mapping[str, HostDescriptor] = field(default_factory=dict)
    """Further parameters: the descriptors that the host passes."""


@dataclass(frozen=True)
class Launch:
    """One launch, as data: what `kernel[grid](*arguments, **constexprs, **options)` is called with."""

    kernel: str
    grid: int | str | tuple[int | str, ...]
    """Programs launched: a number, or a Python expression where it depends on run-time values or the device; of a grid
    of several axes, one of these an axis."""
    arguments: tuple[str, ...]
    """Python expressions of the host's function, one a run-time parameter."""
    constexprs: Mapping[str, KnobValue]
    options: Mapping[str, KnobValue]
    descriptors: Mapping[str, str] = field(default_factory=dict)
    """Signature types, `tensordesc<bf16[64, 64]>`, of the descriptors passed."""


@dataclass(frozen=True)
class PrintedModule:
    """A module as Python. Configurations that differ in numbers alone have equal `kernel_text`."""

    kernel_text: str
    host_text: str
    functions: tuple[str, ...] = ()
    """Names of the host's functions."""
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    launches: tuple[Launch, ...] = ()

    @property
    def text(self) -> str:
        """Both as one standalone Python file, which imports torch and triton alone."""
        return f"{self.kernel_text}\n\n{self.host_text}" if self.host_text else self.kernel_text
