"""The second launch of a kernel calls what the first has compiled, with the arguments that Triton would pass."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from helion_ir.backend_triton.direct_launch import DirectLauncher, launch_directly, specialization


class Compiled:
    """Stands for what Triton has compiled; records how it is run."""

    function, packed_metadata = "function", "packed"

    def __init__(self, scratch: int = 0):
        self.metadata = SimpleNamespace(global_scratch_size=scratch)
        self.runs: list[tuple[Any, ...]] = []

    def launch_metadata(self, grid: Any, stream: int, *args: Any) -> Any:
        return ("metadata", grid, stream, args)

    def run(self, *args: Any) -> None:
        self.runs.append(args)


class Kernel:
    """Stands for a function of `triton.jit`: compiles at every launch that reaches it."""

    arg_names = ("x", "n", "block")
    device_caches: dict[int, Any] = {}
    pre_run_hooks: tuple[Callable[..., None], ...] = ()

    def __init__(self, scratch: int = 0):
        self.scratch = scratch
        self.compiled: list[Compiled] = []

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., Compiled]:
        def launch(*args: Any, **options: Any) -> Compiled:
            self.compiled.append(Compiled(self.scratch))
            return self.compiled[-1]

        return launch


def own_launcher(kernel: Any, grid: tuple[int, ...], *args: Any, **options: Any) -> Any:
    return kernel[grid](*args, **options)


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> DirectLauncher:
    from triton.runtime.driver import driver

    active = SimpleNamespace(get_current_device=lambda: 0, get_current_stream=lambda device: 7)
    monkeypatch.setattr(type(driver), "active", property(lambda self: active))
    return DirectLauncher(own_launcher)


def test_the_second_launch_runs_what_the_first_compiled(launcher: DirectLauncher) -> None:
    from triton import knobs

    kernel, x = Kernel(), torch.ones(64)
    first = launcher(kernel, (4,), x, 48, block=16, num_warps=4)
    assert launcher(kernel, (5, 2), x, 80, block=16, num_warps=4) is first
    assert len(kernel.compiled) == 1
    hooks = knobs.runtime.launch_enter_hook, knobs.runtime.launch_exit_hook
    ((x_, y, z, stream, function, packed, metadata, *hooks_, tensor, size, block),) = first.runs
    assert (x_, y, z, stream, function, packed) == (5, 2, 1, 7, "function", "packed")
    assert metadata[:3] == ("metadata", (5, 2), 7) and tuple(hooks_) == hooks
    # Constants come where the signature has them; options of the launch are no arguments.
    assert tensor is x and (size, block) == (80, 16)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 49}, {"n": 1}, {"n": 1 << 31}, {"x": torch.ones(65)[1:]}, {"x": torch.ones(64, dtype=torch.float16)},
        {"block": 32}, {"block": None}, {"num_warps": 8},
    ],
)  # fmt: skip
def test_what_triton_would_compile_anew_is_compiled(launcher: DirectLauncher, change: dict[str, Any]) -> None:
    kernel = Kernel()
    given = {"x": torch.ones(64), "n": 48, "block": 16, "num_warps": 4}
    for values in (given, given | change, given, given | change):
        launcher(kernel, (4,), values["x"], values["n"], block=values["block"], num_warps=values["num_warps"])
    assert [len(c.runs) for c in kernel.compiled] == [1, 1]


def test_what_only_triton_can_tell_apart_goes_through_triton(launcher: DirectLauncher) -> None:
    for kernel, first in ((Kernel(scratch=128), 48), (Kernel(), "a descriptor"), (Kernel(), True)):
        for _ in range(2):
            launcher(kernel, (4,), torch.ones(64), first, block=16)
        assert [c.runs for c in kernel.compiled] == [[], []]


def test_descriptors_are_those_of_the_call(launcher: DirectLauncher) -> None:
    from triton.tools.tensor_descriptor import TensorDescriptor

    kernel, x = Kernel(), torch.ones(64, 64)
    made = [TensorDescriptor(x, [64, 64], [64, 1], [32, n]) for n in (16, 16, 32)]
    for descriptor in made:
        launcher(kernel, (4,), x, n=descriptor, block=16, num_warps=4)
    first, second = kernel.compiled
    assert first.runs[0][-2] is made[1] and second.runs == []


def test_keys_agree_with_triton() -> None:
    """Arguments with one key have one specialization in Triton's own eyes."""
    from triton.backends.nvidia.compiler import CUDABackend
    from triton.runtime.jit import native_specialize_impl

    values = [
        0,
        1,
        2,
        16,
        17,
        48,
        -1,
        -16,
        (1 << 31) - 1,
        1 << 31,
        -(1 << 31),
        1 << 40,
        (1 << 63) - 1,
        1 << 63,
        1.0,
        2.5,
    ]
    values += [torch.ones(4), torch.ones(5)[1:], torch.ones(4, dtype=torch.bfloat16)]
    theirs: dict[Any, Any] = {}
    for value in values:
        found = native_specialize_impl(CUDABackend, value, False, True, True)
        assert theirs.setdefault(specialization(value), found) == found, value
    assert len(theirs) >= len(set(theirs.values()))


def test_a_generated_function_gets_a_launcher_of_its_own() -> None:
    def function(x: torch.Tensor, *, _launcher: Any = own_launcher) -> Any:
        return _launcher

    launch_directly(function)
    assert isinstance(function(torch.ones(1)), DirectLauncher)
    plain = lambda x: x  # noqa: E731
    assert launch_directly(plain) is plain
