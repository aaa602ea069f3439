"""What an author may write, item by item of the language's specification, checked on every size where tiles have edges.

A file of this folder is a section. Each item is a kernel with eager PyTorch's answer, or with the error it must give:

* at the tile level, traced for the first two and the last of `sizes`, and as the final template in our interpreter;
* as printed Triton in Triton's interpreter, traced once with `static_shapes=False` for all sizes:
  `tests/spec/test_in_triton.py`.
"""

from __future__ import annotations

import importlib
import traceback
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import torch
from xdsl.dialects.builtin import ModuleOp

from helion_ir import exc
from helion_ir.dialects.knob import declarations
from helion_ir.frontend.trace import trace
from helion_ir.interpreter import compile_module
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.targets import get_target

BLOCK = 4
EDGES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 11)
"""Nothing, one element, and what lies next to one tile of BLOCK and to three of them."""
Arguments = tuple[Any, ...]


def numbers(*shape: int) -> torch.Tensor:
    """Quarters from -4 to 4 without zero: sums and products of a few are exact in float32."""
    quarters = torch.randint(1, 17, shape) / 4
    return torch.where(torch.rand(shape) < 0.5, quarters, -quarters)


def whole(*shape: int, low: int = 1, high: int = 9) -> torch.Tensor:
    """int32 numbers in [low, high)."""
    return torch.randint(low, high, shape, dtype=torch.int32)


@dataclass(frozen=True)
class Item:
    """One line of the specification and the kernel that shows it."""

    name: str
    kernel: Callable[..., Any]
    args: Callable[[int], Arguments]
    """The arguments of a call, of one size."""
    expected: Callable[..., Any]
    sizes: Sequence[int] = EDGES
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Of the configuration, besides blocks of BLOCK or what is nearest to it."""
    tolerance: float = 0.0
    """Of a result, absolute and relative; 0 for exact."""
    dynamic: str = ""
    """Why it cannot be traced with `static_shapes=False`; "" where it can."""
    triton: str = ""
    """Why Triton's interpreter cannot run it; "" where it can."""
    where: tuple[str, int] = ("", 0)


@dataclass(frozen=True)
class Refusal:
    """One line of the specification that says what may not be written, and the error."""

    name: str
    kernel: Callable[..., Any]
    args: Arguments
    error: type[exc.Base]
    text: str
    """What the error says, whole."""
    where: tuple[str, int] = ("", 0)


class Section:
    """The items of one section, in order; functions become items by its decorators."""

    def __init__(self, title: str):
        self.title = title
        self.items: list[Item] = []
        self.refusals: list[Refusal] = []
        self.covered: list[tuple[str, str]] = []
        """Items that tests elsewhere show: (item, test)."""
        self.missing: list[tuple[str, str]] = []
        """Items that do not work: (item, what happens and why)."""

    def item(self, name: str, args: Callable[[int], Arguments], expected: Callable[..., Any], **more: Any) -> Callable:
        def decorate(kernel: types.FunctionType) -> types.FunctionType:
            code = kernel.__code__
            self.items.append(Item(name, kernel, args, expected, where=(code.co_filename, code.co_firstlineno), **more))
            return kernel

        return decorate

    def refuses(self, name: str, error: type[exc.Base], text: str, args: Arguments | None = None) -> Callable:
        def decorate(kernel: types.FunctionType) -> types.FunctionType:
            code = kernel.__code__
            where = (code.co_filename, code.co_firstlineno)
            given = args if args is not None else (torch.ones(11, 6),)
            self.refusals.append(Refusal(name, kernel, given, error, text, where))
            return kernel

        return decorate


# ---- running --------------------------------------------------------------------------------------------------------


def blocks_of(module: ModuleOp, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Every block of BLOCK lanes, or what is nearest among those the kernel can have; and what an item asks for."""
    out: dict[str, Any] = {}
    for d in declarations(module):
        name = d.sym_name.data
        if name in knobs:
            out[name] = knobs[name]
        elif name.endswith(".block_size"):
            out[name] = min(d.domain.data.values, key=lambda v: abs(v - BLOCK))  # pyright: ignore
    return out


def lowered(module: ModuleOp, knobs: Mapping[str, Any]) -> tuple[ModuleOp, dict[str, Any]]:
    """The final template for the CPU and the configuration."""
    prepare(module, get_target("cpu"))
    assignment = complete(module, blocks_of(module, knobs))
    return lower(module, assignment), dict(assignment)


def difference(item: Item, run: Callable[..., Any], size: int) -> str:
    """What is unlike eager PyTorch: a result, or an argument afterwards, since kernels write to them."""
    args, reference = _arguments(item, size), _arguments(item, size)
    torch.default_generator.manual_seed(5)
    actual = run(*args)
    torch.default_generator.manual_seed(5)
    expected = item.expected(*reference)
    for a, e in [(actual, expected), *zip(args, reference, strict=True)]:
        for x, y in zip(list(_leaves(a)), list(_leaves(e)), strict=True):
            if text := _unlike(x, y, item.tolerance):
                return text
    return ""


def _arguments(item: Item, size: int) -> Arguments:
    torch.default_generator.manual_seed(size)
    return item.args(size)


def _leaves(value: Any) -> Iterator[Any]:
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        for v in value:
            yield from _leaves(v)
    else:
        yield value


def _unlike(x: Any, y: Any, tolerance: float) -> str:
    if not isinstance(y, torch.Tensor):
        return "" if callable(y) or x == y else f"{x!r}, not {y!r}"
    if x.dtype != y.dtype or x.shape != y.shape:
        return f"{x.dtype} {list(x.shape)}, not {y.dtype} {list(y.shape)}"
    if y.dtype == torch.float4_e2m1fn_x2:
        x, y = x.view(torch.uint8), y.view(torch.uint8)
    wide = torch.float64 if y.dtype.is_floating_point else y.dtype
    a, b = x.to(wide), y.to(wide)
    fine = (a == b) | ((a != a) & (b != b))
    if tolerance and y.dtype.is_floating_point:
        fine |= torch.isclose(a, b, rtol=tolerance, atol=tolerance)
    if fine.all():
        return ""
    at = tuple((~fine).nonzero()[0].tolist())
    return f"element {at} is {x[at].item()}, not {y[at].item()}; {int((~fine).sum())} differ"


def check_stages(item: Item) -> str:
    """What is wrong with kernels of constant sizes: at the tile level, and with the final template of the largest."""
    for size in sorted({*item.sizes[:2], item.sizes[-1]}):
        module = trace(item.kernel, _arguments(item, size))
        run = compile_module(module, complete(module, blocks_of(module, item.knobs)), globals=item.kernel.__globals__)
        if text := difference(item, run, size):
            return f"tile level, size {size}: {text}"
    template, assignment = lowered(module, item.knobs)  # of the last size
    run = compile_module(template, assignment, globals=item.kernel.__globals__)
    if text := difference(item, run, size):
        return f"template, size {size}: {text}"
    if item.triton and not item.dynamic:
        return check_dynamic(item, compile_module)
    return ""


def check_dynamic(item: Item, load: Callable[..., Any]) -> str:
    """What is wrong with the final template of one kernel for all sizes, or of constant sizes where it cannot be."""
    module = trace(item.kernel, _arguments(item, item.sizes[-1]), static_shapes=bool(item.dynamic))
    # What the trace asked about its arguments separates the calls that it serves.
    one = item.dynamic or "helion_ir.specialized" in module.attributes
    template, assignment = lowered(module, item.knobs)
    run = load(template, assignment, globals=item.kernel.__globals__)
    for size in item.sizes[-1:] if one else item.sizes:
        if text := difference(item, run, size):
            return f"{'static' if item.dynamic else 'dynamic'}, size {size}: {text}"
    return ""


def printed(template: ModuleOp, assignment: Mapping[str, Any], *, globals: dict[str, Any]) -> Callable[..., Any]:
    """The host function of the printed Triton."""
    from helion_ir.backend_triton.loader import load
    from helion_ir.backend_triton.printer import print_module

    return load(print_module(template, assignment), globals)


def check_refusal(refusal: Refusal) -> None:
    """A refusal is of its class, says its text, and points at the line marked `# here`."""
    try:
        trace(refusal.kernel, refusal.args)
    except exc.Base as error:
        assert (type(error).__name__, error.message) == (refusal.error.__name__, refusal.text)
        assert error.place is not None and "# here" in error.place.text, error.place
        return
    raise AssertionError("nothing is refused")


def failures_in_triton(section: str) -> dict[str, str]:
    """Run the items of a section where Triton interprets: what went wrong, by item."""
    module = importlib.import_module(f"tests.spec.{section}")
    results: dict[str, str] = {}
    for item in module.SECTION.items:
        if item.triton:
            continue
        try:
            results[item.name] = check_dynamic(item, printed)
        except Exception as error:  # Triton's interpreter raises classes of every kind
            where = traceback.extract_tb(error.__traceback__)[-1]
            results[item.name] = f"{type(error).__name__}: {str(error)[:600]} ({where.filename}:{where.lineno})"
    return results
