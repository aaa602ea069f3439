"""What kernels with several roots, barriers and other grids are launched by, which knobs they have, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.grid import kernels
from tests.grid.kernels import BLOCKED, CASES, FLAT, INTERLEAVED, numbers

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.host import LaunchOp
from helion_ir.dialects.tile.control import KernelOp, ParallelOp
from helion_ir.interpreter import run_module


def bound(function: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    return helion.kernel(function, autotune_effort="none", **settings).bind(args)


def domain(kernel: Any, name: str) -> tuple[Any, ...]:
    return kernel.config_space[name].values


def printed(kernel: Any, **config: Any) -> Any:
    stages = kernel.stages_for("h200")
    return stages.printed(stages.space.encode({**stages.space.decode(stages.space.legal_default()), **config}))


def test_pid_types_offered() -> None:
    linear = ("flat", "persistent_blocked", "persistent_interleaved")
    three, phases = bound(kernels.three_roots, *kernels.three_arguments()), CASES["phases"].bound({})
    assert domain(three, "pid_type") == domain(phases, "pid_type") == linear
    assert domain(bound(kernels.plane, numbers(8, 8)), "pid_type") == ("flat", "xyz", *linear[1:])
    assert domain(CASES["points"].bound({}), "pid_type") == ("flat", "xyz", *linear[1:])
    assert domain(CASES["four"].bound({}), "pid_type") == linear
    assert domain(CASES["ragged"].bound({}), "pid_type") == linear[1:]
    assert domain(three, "num_sm_multiplier") == (1, 2, 4, 8, 16, 32, 64, 128)


def test_a_launch_of_several_roots() -> None:
    kernel = bound(kernels.three_roots, *kernels.three_arguments())
    (flat,) = printed(kernel, **FLAT, block_sizes=[16, 4, 8]).launches
    assert flat.grid == 4 + 4 * 5 + 12
    # How many blocks the last loop has, only the grid says.
    assert {k: v for k, v in flat.constexprs.items() if "total" in k} == {"total_programs": 4, "total_programs_1": 20}
    (blocked,) = printed(kernel, **BLOCKED, block_sizes=[16, 4, 8], num_sm_multiplier=128).launches
    assert blocked.grid == "min(36, _multiprocessors(x.device) * 128)"


def test_text_of_several_roots() -> None:
    kernel = bound(kernels.three_roots, *kernels.three_arguments())
    flat = printed(kernel, **FLAT).kernel_text
    for line in (
        "    pid_program = tl.program_id(0)\n    if pid_program < total_programs:\n        pid = pid_program\n",
        "    if (pid_program >= total_programs) & (pid_program < total_programs + total_programs_1):\n",
        "    if pid_program >= total_programs + total_programs_1:\n",
        " = pid_program - (total_programs + total_programs_1)\n",
    ):
        assert line in flat
    module = printed(kernel, **BLOCKED, range_num_stages=[2, 3, 0], range_unroll_factors=[0, 4, 0])
    blocked = module.kernel_text
    assert "pid_share = tl.cdiv(total_programs + total_programs_1 + total_programs_2, tl.num_programs(0))" in blocked
    assert (
        "        tl.maximum(pid_first, tl.minimum(pid_first + pid_share, total_programs)),\n        1,\n        num_stages=loop_"
        in blocked
    )
    assert re.findall(r"loop_\w+_num_stages=(\w+),", module.host_text) == ["2", "3", "None"]
    assert re.findall(r"loop_\w+_loop_unroll_factor=(\w+),", module.host_text) == ["None", "4", "None"]
    interleaved = printed(kernel, **INTERLEAVED).kernel_text
    start = "(tl.program_id(0) + tl.num_programs(0) - total_programs % tl.num_programs(0)) % tl.num_programs(0)"
    assert start in interleaved


def test_a_phase_takes_what_it_uses() -> None:
    module = parse_module(CASES["phases"].bound({}).ir("declared"))
    names = {k.sym_name.data: [n.data for n in k.arg_names] for k in module.walk() if isinstance(k, KernelOp)}
    assert names == {
        "_phases": ["x", "doubled", "y", "moved"],
        "_phases_1": ["doubled", "backward"],
        "_phases_2": ["moved", "backward", "sums"],
    }
    launches = [op for op in module.walk() if isinstance(op, LaunchOp)]
    assert [(o.kernel.data, [a.data for a in o.arguments]) for o in launches] == list(names.items())
    grids = [launch.grid for launch in printed(CASES["phases"].bound({}), block_sizes=[8, 4, 16, 8]).launches]
    assert grids == [10 + 6, 5, 3]


def test_a_root_is_the_first_entry_of_its_lists() -> None:
    kernel = CASES["row_sums"].bound({})
    given = {"block_sizes": [2, 8], "range_num_stages": [3, 2], "range_unroll_factors": [2, 0]}
    encode = kernel.config_space.encode
    persistent = encode({**given, **BLOCKED})
    assert (persistent["loop.t.num_stages"], persistent["loop.j.num_stages"]) == (3, 2)
    assert (persistent["loop.t.loop_unroll_factor"], persistent["loop.j.loop_unroll_factor"]) == (2, None)
    flat = encode({**given, **FLAT})
    assert (flat["loop.t.num_stages"], flat["loop.j.num_stages"]) == (None, 2)
    assert kernel.config_space.decode(persistent)["range_num_stages"] == [3, 2]
    order = [
        k.name for k in bound(kernels.three_roots, *kernels.three_arguments()).config_space.fields["range_num_stages"]
    ]
    assert order == ["loop.t.num_stages", "loop.i_j.num_stages", "loop.p_q.num_stages"]


def test_a_grid_of_several_axes() -> None:
    printed_ = printed(CASES["space"].bound({}), pid_type="xyz", block_sizes=[2, 4, 8])
    assert printed_.launches[0].grid == (3, 3, 3) and "(3, 3, 3)," in printed_.host_text
    for axis in "ijk":
        assert f"{axis}_axis = tl.program_id({'ijk'.index(axis)})" in printed_.kernel_text
    # Orders mean nothing there, and say so by standing at their defaults.
    space = CASES["plane"].bound({}).config_space
    assert space.encode({"block_sizes": [1, 1], "pid_type": "xyz", "loop_orders": [[1, 0]]})["i_j.loop_order"] == (0, 1)


def test_a_second_axis_that_is_too_long_is_ruled_out() -> None:
    space = bound(kernels.plane, torch.empty(2, 70000)).config_space
    assert space.encode({"block_sizes": [1, 2], "pid_type": "xyz"})["pid_type"] == "xyz"
    with pytest.raises(exc.InvalidConfig, match="the second and third axis of a grid hold 65535 programs"):
        space.encode({"block_sizes": [1, 1], "pid_type": "xyz"})
    assert bound(kernels.plane, torch.empty(70000, 2)).config_space.encode({"block_sizes": [1, 1], "pid_type": "xyz"})


def test_reserved_multiprocessors() -> None:
    kernel = bound(kernels.plane, numbers(19, 33), persistent_reserved_sms=2)
    host = printed(kernel, **BLOCKED, block_sizes=[4, 8], num_sm_multiplier=2).host_text
    assert "min(25, max(_multiprocessors(x.device) - 2, 1) * 2)" in host
    assert "- 2" not in printed(kernel, **FLAT).host_text
    assert "reserved = 2" in kernel.stages({**kernel.config_spec.default_config(), **BLOCKED})[-1][1]


@pytest.mark.parametrize("config", [FLAT, BLOCKED, INTERLEAVED], ids=str)
@pytest.mark.parametrize("name", ["three_roots", "phases", "plane", "row_sums"])
def test_sizes_that_differ_from_call_to_call(name: str, config: dict[str, Any]) -> None:
    case = CASES[name]
    kernel = bound(case.kernel, *case.arguments(), static_shapes=False)
    assignment = kernel.config_space.encode({**kernel.config_spec.default_config(), **config})
    first: dict[str, str] = {}  # the stage that left a text; many passes leave what they find
    for stage, text in kernel.stages({**kernel.config_spec.default_config(), **config}):
        first.setdefault(text, stage)
    for text, stage in first.items():
        module = parse_module(text, stage)
        case.check(lambda *args, m=module: run_module(m, args, assignment), stage)


def test_an_axis_known_at_run_time_alone() -> None:
    case = CASES["plane"]
    kernel = bound(case.kernel, *case.arguments(), static_shapes=False)
    text = printed(kernel, pid_type="xyz", block_sizes=[4, 8]).host_text
    assert "(triton.cdiv(x.size(0), 4), triton.cdiv(x.size(1), 8))," in text
    assignment = kernel.config_space.encode({"pid_type": "xyz", "block_sizes": [4, 8]})
    case.check(
        lambda *args: run_module(kernel.materialize({"pid_type": "xyz", "block_sizes": [4, 8]}), args, assignment), ""
    )


def wide(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j in hl.grid([x.size(0), x.size(1)]):
        out[i, j] = x[i, j] + 1.0
    return out


def test_a_grid_with_wide_indices() -> None:
    kernel = bound(wide, numbers(3, 5), index_dtype=torch.int64)
    text = printed(kernel).kernel_text
    assert text.count(".to(tl.int64)") + text.count("tl.cast(") >= 2, text
    x = numbers(3, 5)
    assert torch.equal(run_module(kernel.materialize({}), (x,)), x + 1.0)


def up_to(x: torch.Tensor, n: int, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    points = torch.full_like(x, -77.0)
    rows = torch.full_like(x, -77.0)
    for i, j in hl.grid([n, m]):
        points[i, j] = x[i, j] + 1.0
    for t in hl.tile(x.size(0)):
        rows[t, :] = x[t, :] + 2.0
    return points, rows


@pytest.mark.parametrize("config", [FLAT, BLOCKED, INTERLEAVED], ids=str)
def test_integers_below_zero_run_nothing(config: dict[str, Any]) -> None:
    x = numbers(9, 7)
    kernel = bound(up_to, x, 4, 3, static_shapes=False)
    module = kernel.materialize({**kernel.config_spec.default_config(), **config})
    assert "total_programs=max(m, 0) * max(n, 0)," in printed(kernel, **config).host_text
    for n, m in ((4, 3), (-2, 3), (-2, -3), (0, 7)):
        points, rows = run_module(module, (x, n, m))
        want = torch.full_like(x, -77.0)
        if n > 0 and m > 0:
            want[:n, :m] = x[:n, :m] + 1.0
        assert torch.equal(points, want) and torch.equal(rows, x + 2.0), (n, m)


def one_after_the_other(x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    out, other = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = x[t]
    for t in hl.tile(x.size(0)):  # of the first phase
        other[t] = x[t] + 1.0
    for t in hl.tile(x.size(0)):  # reads what the first writes
        out[t] = out[t] + 1.0
    hl.barrier()
    for t in hl.tile(x.size(0)):  # writes what an earlier one reads, but that lies before the barrier
        x[t] = other[t] * 2.0
    for t in hl.tile(x.size(0)):  # writes what the one before reads
        other[t] = out[t]
    for t in hl.tile(n[0]):  # reads what the one before writes, its bound before that
        out[t] = other[t] * 3.0
    return out, other


def test_loops_that_depend_on_others_begin_a_phase() -> None:
    def arguments() -> tuple[torch.Tensor, torch.Tensor]:
        return numbers(9), torch.tensor([9], dtype=torch.int32)

    kernel = bound(one_after_the_other, *arguments())
    stages = kernel.stages_for("h200")
    roots = [sum(isinstance(r, ParallelOp) for r in op.walk()) for op in stages.declared.walk() if type(op) is KernelOp]
    assert roots == [2, 1, 1, 1, 1]
    x, n = arguments()
    out, other = run_module(stages.template(stages.space.legal_default()), (x, n), stages.space.legal_default())
    assert torch.equal(out, (numbers(9) + 1.0) * 3.0) and torch.equal(other, numbers(9) + 1.0)
    assert torch.equal(x, (numbers(9) + 1.0) * 2.0)


def programmatic(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    hl.pdl_wait()
    hl.pdl_launch_dependents()
    for t in hl.tile(x.size(0)):
        out[t] = x[t]
    for t in hl.tile(x.size(0)):
        out[t] = out[t] + 1.0
    hl.pdl_launch_dependents()
    return out


def test_programmatic_launches() -> None:
    kernel = bound(programmatic, numbers(9))
    stages = kernel.stages_for("h200")
    text = stages.printed(stages.space.legal_default()).text
    first, second, host = re.split(r"(?m)^@triton.jit|^import torch", text)[1:]
    assert first.count("tl.extra.cuda.gdc") == 1 and first.index("    tl.extra.cuda.gdc_wait()\n") < first.index(
        "tl.load"
    )
    # The later phase lets the next kernel begin, at its beginning and at its end; phases are ordered as ever.
    assert second.count("tl.extra.cuda.gdc_launch_dependents()\n") == second.count("gdc") == 2
    assert second.rstrip().endswith("    tl.extra.cuda.gdc_launch_dependents()")
    assert host.count("launch_pdl=True") == 1
    for target in ("a100", "mi350x"):  # without it nothing is said
        stages = kernel.stages_for(target)
        assert not re.search("gdc|launch_pdl", stages.printed(stages.space.legal_default()).text)


def barrier_inside(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        hl.barrier()
        out[t] = x[t]
    return out


def waits_between(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = x[t]
    hl.pdl_launch_dependents()
    for t in hl.tile(x.size(0)):
        out[t] = out[t] + 1.0
    return out


def barrier_in_a_branch(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    if x.size(0) > 1:
        hl.barrier()
    for t in hl.tile(x.size(0)):
        out[t] = x[t]
    return out


def value_of_another_phase(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        kept = x[t]
        out[t] = kept
    hl.barrier()
    for t in hl.tile(x.size(0)):
        out[t] = kept  # pyright: ignore[reportPossiblyUnboundVariable]
    return out


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (waits_between, exc.PdlPlacement, "before the first or after the last"),
        (barrier_inside, exc.BarrierOnlyAllowedAtTopLevel, "between two top-level"),
        (barrier_in_a_branch, exc.BarrierOnlyAllowedAtTopLevel, "between two top-level"),
        (value_of_another_phase, exc.CrossRootDeviceValue, "'kept'"),
    ],
)
def test_refused(function: Callable[..., Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        bound(function, numbers(9))


def test_flat_is_refused_where_the_device_counts() -> None:
    with pytest.raises(exc.InvalidConfig, match='must be "persistent_blocked" or "persistent_interleaved"'):
        CASES["ragged"].bound({}).config_space.encode({"block_sizes": [4, 8], "pid_type": "flat"})
