"""Section 6: every class of helion_ir.exc is raised where the specification says, with its whole text and its place.

Classes with a refusal in another section are checked there; the table here has the others, and NEVER those for which
there is no occasion, with the reason. A class that is in neither is an error of this file.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.spec.spec import Refusal, Section, check_refusal

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.autotuner import EnumFragment

SECTION = Section("6 Exceptions")
refuses = SECTION.refuses
X = torch.ones(11, 6)

NEVER = {
    "CrossLoopSchedulingError": "a launch of its own orders any loop after another",
    "BarrierRequiresPersistent": "every phase is a launch of its own, which any pid_type can run",
    "PdlStateWithoutWait": "a kernel without hl.pdl_wait() is launched after the ones before have ended",
    "MultipleReductionDims": "several dimensions can be reduced at once",
    "ReductionOnNonTile": "every dimension can be reduced",
    "TracedArgNotSupported": "arguments of other types are a TypeError of the call, as in Helion",
    "BackendImplementationMissing": "what has no lowering is BackendUnsupported",
    "InductorLoweringError": "a base: what has no lowering is BackendUnsupported",
    "TritonUnrecoverableRuntimeError": "a configuration that breaks the device costs a worker process, never the caller's",
    "ErrorCompilingKernel": "what Triton cannot compile is TritonError, with the stage",
    "BlockPtrIndexingUnavailable": "versions of Triton without block pointers are not installed with this one",
    "BaseError": "a base", "BaseWarning": "a base", "Base": "a base",
}  # fmt: skip


# ---- structure ----


@refuses(
    "NestedGridLoop",
    exc.NestedGridLoop,
    "A loop over hl.tile or hl.grid must stand at the top level of the kernel or inside another one, not in a host block.",
)
def nested_grid(x):
    if x.size(0) > 3:
        for t in hl.tile(x.size(0)):  # here
            x[t, :] = 1


@refuses(
    "TopLevelStatementBetweenLoops",
    exc.TopLevelStatementBetweenLoops,
    "Nothing but hl.barrier() may stand between two top-level device loops; move it before the first or after the last.",
)
def between(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = 1
    y = torch.empty_like(x)  # here
    for t in hl.tile(x.size(0)):
        y[t, :] = 1


@refuses(
    "CrossRootDeviceValue",
    exc.CrossRootDeviceValue,
    "'row' belongs to another device loop; store it into a tensor and load it again",
)
def cross_root(x):
    out, other = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        row = x[t, :]
        out[t, :] = row
    for t in hl.tile(x.size(0)):
        other[t, :] = row  # here


@refuses(
    "BarrierOnlyAllowedAtTopLevel",
    exc.BarrierOnlyAllowedAtTopLevel,
    "hl.barrier() may stand between two top-level device loops only.",
)
def barrier_inside(x):
    for t in hl.tile(x.size(0)):
        hl.barrier()  # here
        x[t, :] = 1


@refuses(
    "LoopDependencyError: an iteration of a top-level loop needs another's element",
    exc.LoopDependencyError,
    "'x' is written, and read 1 before that along 't': another iteration of the loop has that element, and iterations of "
    "a top-level loop are in no order; use a tensor of its own for the result, or two loops",
)
def chained(x):
    for t in hl.tile(1, x.size(0)):
        x[t, :] = x[t, :] + x[t.index - 1, :]  # here


@refuses(
    "LoopDependencyError: two iterations store one element",
    exc.LoopDependencyError,
    "'x' is written, and written 1 after that along 'i': another iteration of the loop has that element, and iterations of "
    "a top-level loop are in no order; use a tensor of its own for the result, or two loops",
)
def overlapping(x):
    for i in hl.grid(x.size(0) - 1):
        x[i, :] = 1
        x[i + 1, :] = 2  # here


@refuses(
    "PdlPlacement",
    exc.PdlPlacement,
    "Programmatic launch statements may stand before the first or after the last device loop only.",
)
def late_wait(x):
    hl.pdl_wait()
    for t in hl.tile(x.size(0)):
        x[t, :] = 1
    hl.pdl_launch_dependents()
    hl.pdl_wait()  # here


@refuses(
    "NoDeviceLoopsInKernel",
    exc.NoDeviceLoopsInKernel,
    "The kernel has no loop over hl.tile or hl.grid at the top level of its body, so nothing would run on the device.",
)
def no_loops(x):  # here
    return x + 1


@refuses(
    "EmptyDeviceLoopAfterDCE",
    exc.EmptyDeviceLoopAfterDCE,
    "The device loops of the kernel store nothing, so they have no effect.",
)
def no_effect(x):  # here
    for t in hl.tile(x.size(0)):
        x[t, :] + 1


@refuses("DeviceLoopElseBlock", exc.DeviceLoopElseBlock, "A device loop cannot have an `else` block.")
def with_else(x):
    for t in hl.tile(x.size(0)):
        for j in hl.tile(4):  # here
            x[t, j] = 1
        else:
            x[t, :] = 2


@refuses("InvalidTileRange", exc.InvalidTileRange, "the range begins at 5, after its end 3")
def backwards(x):
    for t in hl.tile(5, 3):  # here
        x[t, :] = 1


@refuses("TileOfTile", exc.TileOfTile, "A tile cannot be a bound; use hl.tile(t.begin, t.end) to loop inside of it.")
def tile_of_tile(x):
    for t in hl.tile(x.size(0)):
        for s in hl.tile(t):  # here
            x[s, :] = 1


@refuses("DeviceAPIOnHost", exc.DeviceAPIOnHost, "hl.zeros works inside a device loop only")
def device_api(x):
    z = hl.zeros([4])  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = z


@refuses("SpecializeOnDevice", exc.SpecializeOnDevice, "hl.specialize must be called before the device loops.")
def specializes(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.specialize(3)  # here


@refuses("NotAllowedOnDevice", exc.NotAllowedOnDevice, "`try` is not allowed in device code")
def tries(x):
    for t in hl.tile(x.size(0)):
        try:  # here
            x[t, :] = 1
        finally:
            pass


@refuses("UnsupportedPythonType", exc.UnsupportedPythonType, "`break` is not supported in device code")
def breaks(x):
    for t in hl.tile(x.size(0)):
        for _ in range(3):
            break  # here
        x[t, :] = 1


@refuses("StatementNotSupported", exc.StatementNotSupported, "`assert` is not supported in device code")
def asserts(x):
    for t in hl.tile(x.size(0)):
        assert x.ndim == 2  # here
        x[t, :] = 1


# ---- names ----


@refuses("UndefinedVariable", exc.UndefinedVariable, "name 'tt' is not defined; did you mean 't'?")
def undefined(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[tt, :]  # here  # noqa: F821


@refuses(
    "CannotReadDeviceVariableOnHost",
    exc.CannotReadDeviceVariableOnHost,
    "'row' is assigned in a device loop and cannot be read on the host; store it into a tensor",
)
def reads_on_host(x):
    for t in hl.tile(x.size(0)):
        row = x[t, :]
        x[t, :] = row
    return row  # here


@refuses(
    "CannotModifyHostVariableOnDevice",
    exc.CannotModifyHostVariableOnDevice,
    "'n' is a variable of the host and cannot be rebound in device code; use another name, or store with n[...] = value",
)
def rebinds(x):
    n = 4
    for t in hl.tile(x.size(0)):
        n = x[t, :]  # here
        x[t, :] = n


@refuses(
    "CantReadOnDevice",
    exc.CantReadOnDevice,
    "'chosen' is a set, which device code cannot use; pass numbers, strings, functions, tensors, or lists, tuples and dicts of them",
)
def reads_set(x):
    chosen = set([1, 2])  # noqa: C405
    for t in hl.tile(x.size(0)):
        x[t, :] = len(chosen)  # here


COUNT = 0


def counts(v: Any) -> Any:
    global COUNT  # here
    COUNT += 1
    return v


@refuses("GlobalMutation", exc.GlobalMutation, "Device code cannot assign to a global.")
def global_mutation(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = counts(x[t, :])


def with_cell() -> Callable[[Any], Any]:
    calls = 0

    def f(v: Any) -> Any:
        nonlocal calls  # here
        calls += 1
        return v

    return f


@refuses(
    "ClosureMutation",
    exc.ClosureMutation,
    "Device code cannot rebind a variable of an enclosing function.",
    args=(X, with_cell()),
)
def closure_mutation(x, f):
    for t in hl.tile(x.size(0)):
        x[t, :] = f(x[t, :])


# ---- types and shapes ----


@refuses(
    "ControlFlowTensorMismatch",
    exc.ControlFlowTensorMismatch,
    "'acc' is a float32 tensor of shape [@t.block_size] before the loop and a float16 tensor of shape [@t.block_size] after an iteration; convert with .to(dtype), reshape, or use another name inside",
)
def changes_dtype(x):
    for t in hl.tile(x.size(0)):
        acc = hl.zeros([t])
        for j in hl.tile(x.size(1)):  # here
            acc = (acc + x[t, j].sum(1)).half()
        x[t, 0] = acc


@refuses(
    "InvalidSequenceSubscription",
    exc.InvalidSequenceSubscription,
    "the subscript of a Python sequence must be known at compile time; use hl.static_range for the loop",
    args=(X, 1),
)
def sequence(x, i):
    for t in hl.tile(x.size(0)):
        parts = [x[t, :], x[t, :]]
        x[t, :] = parts[i]  # here


@refuses(
    "ReductionDimInvalidForShape",
    exc.ReductionDimInvalidForShape,
    "there is no dimension 2 in a tensor of shape [@t.block_size, 6]",
)
def combine_dim(x):
    for t in hl.tile(x.size(0)):
        x[t, 0] = hl.reduce(torch.add, x[t, :], dim=2)  # here


@refuses(
    "UnsupportedIndexRemapping",
    exc.UnsupportedIndexRemapping,
    "torch.roll along a tiled dimension (@t.block_size) is not supported; roll a whole axis",
)
def rolls(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :].roll(1, 0)  # here


@refuses(
    "UnsupportedSplitConfiguration",
    exc.UnsupportedSplitConfiguration,
    "an extent of @t.block_size cannot be split into 3 parts",
)
def splits(x):
    for t in hl.tile(x.size(0)):
        a, b, c = torch.chunk(x[t, :], 3, 0)  # here
        x[t, :] = a


@refuses("SpecializeArgType", exc.SpecializeArgType, "hl.specialize takes integers and lists of them, not Tensor")
def specializes_tensor(x):
    n = hl.specialize(x)  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = n


@refuses(
    "TorchOpTracingError",
    exc.TorchOpTracingError,
    "float() of a value of the kernel is not known at compile time; convert with .to(dtype), or compute with the value itself",
)
def float_of_tile(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = float(x[t, :].sum())  # here


@refuses(
    "StackTensorcOnHost",
    exc.StackTensorcOnHost,
    "A stack tensor can be made in device code only.",
    args=(X, torch.zeros(2, dtype=torch.uint64)),
)
def stack_on_host(x, p):
    s = hl.stacktensor_like(x, p)  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = s


@refuses(
    "StackTensorDevPtrOnHost",
    exc.StackTensorDevPtrOnHost,
    "The pointers of a stack tensor must be loaded.",
    args=(X, torch.zeros(2, dtype=torch.uint64)),
)
def pointers_on_host(x, p):
    for t in hl.tile(x.size(0)):
        s = hl.stacktensor_like(x, p)  # here
        x[t, :] = s[t, :].sum(0)


@refuses(
    "StackTensorDevPtrDtype",
    exc.StackTensorDevPtrDtype,
    "The pointers of a stack tensor must have dtype uint64.",
    args=(X, torch.zeros(2, dtype=torch.int64)),
)
def pointer_dtype(x, p):
    for t in hl.tile(x.size(0)):
        s = hl.stacktensor_like(x, p[:])  # here
        x[t, :] = s[t, :].sum(0)


@refuses(
    "StackTensorExampleOnDevice",
    exc.StackTensorExampleOnDevice,
    "The example of a stack tensor must be a tensor of the host.",
    args=(X, torch.zeros(2, dtype=torch.uint64)),
)
def example_on_device(x, p):
    for t in hl.tile(x.size(0)):
        s = hl.stacktensor_like(x[t, :], p[:])  # here
        x[t, :] = s[t, :].sum(0)


@refuses(
    "ConfigSpecFragmentWithSymInt",
    exc.ConfigSpecFragmentWithSymInt,
    "The bounds of a fragment must be constants; wrap sizes in hl.specialize.",
)
def symbolic_fragment(x):
    bs = hl.register_block_size(8)
    k = hl.register_tunable("k", EnumFragment((1, bs)))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = k


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)


# ---- what is no matter of one statement ----


def far_apart(x):
    half = x.size(0) // 2
    for t in hl.tile(half):
        x[t + half, :] = x[t, :]


def one_block(x):
    for t in hl.tile(x.size(0) - 1, block_size=16):
        x[t + 1, :] = x[t, :] * 2


def guarded(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] + hl.load(x, [t.index - 1, slice(None)], extra_mask=(t.index < 0)[:, None])


@pytest.mark.parametrize("kernel", [far_apart, one_block, guarded])
def test_iterations_that_need_not_depend(kernel: Callable[..., Any]) -> None:
    helion.kernel(kernel).bind((X,))


def plain(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * 2
    return out


def named_math(x):
    math = 3
    for t in hl.tile(x.size(0)):
        x[t, :] = math


def with_closure() -> Callable[..., Any]:
    captured = 3

    def kernel(x):
        for t in hl.tile(x.size(0)):
            x[t, :] = captured

    return kernel


def sized(x, n: int):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] + hl.zeros([t, n])


def calls_kernel(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = KERNEL(x[t, :])


KERNEL = helion.kernel(plain)


def breaks_in(x):
    for t in hl.tile(x.size(0)):
        breakpoint()  # noqa: T100
        x[t, :] = x[t, :] * 2


def sliced(x, n: int):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.ones(6) * torch.linspace(0, 1, n).sum()


class Huge(torch.Tensor):
    """A tensor that says it has more elements than 32 bits count."""


def huge() -> torch.Tensor:
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        return torch.empty(2**16, 2**16, dtype=torch.int8)


def untuned(**settings: Any) -> Any:
    return helion.kernel(plain, **settings).bind((X,))


def environment(**variables: str) -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    for name, value in variables.items():
        patch.setenv(name, value)
    return patch


def under(call: Callable[[], Any], **variables: str) -> Any:
    patch = environment(**variables)
    try:
        return call()
    finally:
        patch.undo()


def module_with_attribute() -> torch.fx.GraphModule:
    graph = torch.fx.Graph()
    graph.output(graph.get_attr("weight"))
    root = torch.nn.Module()
    root.weight = torch.nn.Parameter(torch.ones(2))
    return torch.fx.GraphModule(root, graph)


CALLS: list[tuple[type[exc.Base], Callable[[], Any], str]] = [
    (exc.NotInsideKernel, lambda: hl.zeros([4]), "hl.zeros can be called inside a kernel only"),
    (exc.NamingConflict, lambda: helion.kernel(named_math)(X), "named_math: generated code needs the name 'math'; rename the variable"),
    (exc.ClosuresNotSupported, lambda: helion.kernel(with_closure()), "kernel reads captured of an enclosing function; pass them as arguments"),
    (exc.NoTensorArgs, lambda: helion.kernel(plain)(3), "no argument of plain is a tensor or a torch.device"),
    (exc.NestedKernelCallsNotSupported, lambda: helion.kernel(calls_kernel)(X), "A kernel cannot call another kernel; call a plain function instead."),
    (exc.GraphModuleUnsupportedOps, lambda: helion.kernel(sized)(X, module_with_attribute()), "get_attr weight"),
    (exc.ShapeSpecializingAllocation, lambda: helion.kernel(sized)(X, 6), "the extent n of a device tensor is not known at compile time; wrap the size in hl.specialize"),
    (exc.ShapeSpecializingCall, lambda: helion.kernel(sliced)(X, 6), "the number n is not known while the kernel is compiled; use it in an `if` of its own, in a shape or in arithmetic, or wrap a size in hl.specialize"),
    (exc.InputTensorNumelExceedsIndexType, lambda: helion.kernel(plain, index_dtype=torch.int32).bind((huge(),)), "an argument of plain has more elements than index_dtype=torch.int32 can count"),
    (exc.BreakpointInDeviceLoopRequiresInterpret, lambda: helion.kernel(breaks_in).bind((X,)).compile_for("h100"), "breakpoint() in device code works in an interpret mode only."),
    (exc.InvalidConfig, lambda: untuned().set_config({"block_sizes": [3]}), "config['block_sizes'][0] = 3 (@t.block_size): must be a power of two from 1 to 16"),
    (exc.AutotuningDisallowedInEnvironment, lambda: under(lambda: untuned().autotune((X,)), HELION_DISALLOW_AUTOTUNING="1"), "plain has no config, and HELION_DISALLOW_AUTOTUNING forbids to search for one"),
    (exc.IncompatibleInterpretModes, lambda: under(lambda: helion.kernel(plain, ref_mode=helion.RefMode.EAGER)(X), TRITON_INTERPRET="1"), "HELION_INTERPRET and TRITON_INTERPRET cannot both be on"),
    (exc.RefEagerModeCodePrintError, lambda: helion.kernel(plain, ref_mode=helion.RefMode.EAGER, print_output_code=True)(X), "print_output_code: the reference mode generates no code"),
]  # fmt: skip


@pytest.mark.parametrize("kind, call, text", CALLS, ids=[c[0].__name__ for c in CALLS])
def test_call(kind: type[exc.Base], call: Callable[[], Any], text: str) -> None:
    with pytest.raises(exc.Base) as caught:
        call()
    assert (type(caught.value).__name__, caught.value.message) == (kind.__name__, text)


def test_every_class_has_its_test_or_its_reason() -> None:
    shown = {c[0].__name__ for c in CALLS}
    texts = ""
    for path in sorted(Path(__file__).parent.glob("test_s*.py")):
        texts += path.read_text()
        section = getattr(importlib.import_module(f"tests.spec.{path.stem}"), "SECTION", None)
        shown |= {r.error.__name__ for r in section.refusals} if section else set()
    elsewhere = {n for n in ELSEWHERE if (Path(__file__).parents[1] / ELSEWHERE[n].partition("::")[0]).exists()}
    every = {n for n, c in inspect.getmembers(exc, inspect.isclass) if issubclass(c, exc.Base)}
    warned = {
        n for n in every if issubclass(getattr(exc, n), exc.BaseWarning) and f"exc.{n}" in texts or f"[{n}]" in texts
    }
    found = shown | elsewhere | warned | set(NEVER)
    assert found == every, f"without a test: {every - found}; unknown: {found - every}"
    assert not set(NEVER) & shown


ELSEWHERE = {
    "DecoratorAfterHelionKernelDecorator": "runtime/test_definition.py",
    "IndexOffsetOutOfRangeForInt32": "dynamic/test_wide.py",
    "DuplicateStoreIndicesError": "spec/test_s1_7_reference_mode.py",
    "InternalError": "frontend/test_errors.py",
    "TritonError": "backend_triton/test_compile.py",
    "NoConfigFound": "autotuner/test_tune.py",
    "NotEnoughConfigs": "autotuner/test_search.py",
    "AutotuneError": "autotuner/test_tune.py",
    "CacheAssertionError": "autotuner/test_store.py",
    "TensorOperationsInHostCall": "spec/test_s5_settings.py",
    "NoAOTHeuristicWarning": "runtime/test_ahead_of_time.py",
    "AutodiffKernelNotCalled": "runtime/test_backward.py",
    "AutodiffNotSupported": "runtime/test_backward.py",
}
"""Classes that tests elsewhere show."""
