"""BoundKernel: which config a call takes, what is cached, and what can be looked at."""

from __future__ import annotations

import random
import re
import sys
import types

import pytest
import torch
from tests.runtime.fakes import Backend, X, as_gpu
from xdsl.dialects.builtin import ArrayAttr, StringAttr

import helion_ir as helion
from helion_ir import Config, RefMode, exc
from helion_ir.autotuner.space import Assignment
from helion_ir.dialects.context import parse_module


def double(x: torch.Tensor, s: float = 2.0) -> torch.Tensor:
    return x * s


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    out = Backend()
    out.install(monkeypatch)
    return out


def assignment(block: int = 32, chunk: int | None = None, warps: int = 4) -> Assignment:
    return {"tile_m.block_size": block, "reduction.n": chunk, "num_warps": warps}


def printed(backend: Backend) -> list[str]:
    return [line for line in backend.log if line.startswith("print")]


def test_binding_is_by_key_and_traces_once(backend: Backend) -> None:
    k = helion.kernel(double, autotune_effort="none")
    first = k.bind((X,))
    assert k.bind((torch.zeros(8, 4), 3.0)) is first
    assert k.bind((torch.ones(4, 8),)) is not first
    assert backend.log == ["trace double True"] * 2
    k.reset()
    assert k.bind((X,)) is not first


def test_a_given_config_is_used_without_tuning(backend: Backend) -> None:
    k = helion.kernel(double, config=Config(block_sizes=[16], num_warps=8))
    as_gpu(k.bind((X,)))
    assert k(X) == ("ran", X, 2.0)
    assert k(s=3.0, x=X) == ("ran", X, 3.0)
    assert backend.log == [
        "trace double True",
        "prepare h200",
        "lower None",
        f"print {assignment(16, None, 8)}",
        "load program 16 8",
    ]


def test_effort_none_takes_the_default_and_says_so(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    k = helion.kernel(double, autotune_effort="none")
    as_gpu(k.bind((X,)))
    k(X)
    k(X)
    assert printed(backend) == [f"print {assignment()}"]
    assert capsys.readouterr().err == (
        "double: not tuned, using @helion.kernel(config=helion.Config(block_sizes=[32], num_warps=4, "
        "reduction_loops=[None]), static_shapes=True)\n"
    )


TWO = [Config(num_warps=1), Config(num_warps=2)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "tune {'force': False}"),
        ({"configs": [{"num_warps": 1}, {"num_warps": 2}]}, f"tune {{'force': False, 'configs': {TWO}}}"),
        ({"config": {"num_warps": 1}, "force_autotune": True}, "tune {'force': True}"),
        ({"configs": TWO, "autotune_effort": "none"}, f"tune {{'force': False, 'configs': {TWO}}}"),
    ],
)
def test_when_a_call_tunes(backend: Backend, options: dict, expected: str) -> None:
    k = helion.kernel(double, **options)
    as_gpu(k.bind((X,)))
    k(X)
    k(X)
    assert [line for line in backend.log if line.startswith("tune")] == [expected]
    assert printed(backend) == [f"print {assignment(64)}"]


def test_forced_tuning_with_effort_none_takes_the_default(backend: Backend) -> None:
    k = helion.kernel(double, config={"num_warps": 1}, force_autotune=True, autotune_effort="none")
    as_gpu(k.bind((X,)))
    k(X)
    assert printed(backend) == [f"print {assignment()}"]


def test_tuning_can_be_disallowed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELION_DISALLOW_AUTOTUNING", "1")
    k = helion.kernel(double)
    as_gpu(k.bind((X,)))
    with pytest.raises(exc.AutotuningDisallowedInEnvironment, match="double has no config"):
        k(X)


def test_an_author_may_bring_a_tuner(backend: Backend) -> None:
    asked = []

    def tuner(bound, args, **options):
        asked.append((bound.kernel.name, args[1:], options))
        return types.SimpleNamespace(autotune=lambda skip_cache: Config(num_warps=8 if skip_cache else 1))

    k = helion.kernel(double, autotuner_fn=tuner)
    as_gpu(k.bind((X,)))
    assert k.autotune((X,), population=3) == Config(num_warps=8)
    assert asked == [("double", (2.0,), {"population": 3})]
    k(X)
    assert printed(backend) == [f"print {assignment(32, None, 8)}"]


def test_set_config_changes_later_calls_and_rejects_bad_ones(backend: Backend) -> None:
    k = helion.kernel(double, config=Config(num_warps=1))
    bound = as_gpu(k.bind((X,)))
    k(X)
    bound.set_config({"num_warps": 2})
    k(X)
    assert printed(backend) == [f"print {assignment(32, None, w)}" for w in (1, 2)]
    with pytest.raises(
        exc.InvalidConfig, match=re.escape("config['num_warps'] = 3: must be a power of two from 1 to 8")
    ):
        bound.set_config({"num_warps": 3})


def test_templates_are_lowered_once_a_structure_and_configs_loaded_once(backend: Backend) -> None:
    bound = as_gpu(helion.kernel(double).bind((X,)))
    for warps in (1, 2):
        for chunk in (None, 16):
            first = bound.compile_config(Config(num_warps=warps, reduction_loops=[chunk]))
            assert bound.compile_config({"reduction_loop": chunk, "num_warps": warps, "block_sizes": [32]}) is first
    assert [line for line in backend.log if line.startswith("lower")] == ["lower None", "lower 16"]
    assert len(printed(backend)) == 4


def test_a_template_of_another_structure_is_refused(backend: Backend) -> None:
    stages = as_gpu(helion.kernel(double).bind((X,))).lowering
    template = stages.template(assignment(32, 16))
    assert stages.print_template(template, assignment(64, 16)).text == "program 64 4\n"
    with pytest.raises(ValueError, match="lowered for @reduction.n ne none = 1; the config has 0"):
        stages.print_template(template, assignment(64, None))


def test_code_needs_a_config_or_one_implied(backend: Backend) -> None:
    bound = as_gpu(helion.kernel(double).bind((X,)))
    with pytest.raises(RuntimeError, match="double: no config was given, and none is set"):
        bound.to_triton_code()
    assert bound.to_triton_code({"num_warps": 8}) == "program 32 8\n"
    bound.set_config({"num_warps": 1})
    assert bound.to_code() == "program 32 1\n"
    fixed = as_gpu(helion.kernel(double, configs=[{"num_warps": 2}]).bind((X,)))
    assert fixed.to_triton_code() == "program 32 2\n"
    untuned = as_gpu(helion.kernel(double, autotune_effort="none").bind((X,)))
    assert untuned.to_triton_code() == "program 32 4\n"


def test_stages_and_targets(backend: Backend) -> None:
    bound = as_gpu(helion.kernel(double).bind((X,)))
    names = [name for name, _ in bound.stages({"reduction_loops": [16]})]
    assert names == ["tile", "declared", "map-grid", "make-masks", "template", "materialize-config"]
    assert "@num_warps" not in bound.ir("tile") and "@num_warps" in bound.ir("declared")
    assert 'last = "map-grid"' in bound.ir("map-grid")
    assert "helion_ir.structure = [#index.expr<@reduction.n ne none>, #knob.value<1>]" in bound.ir(
        "template", {"reduction_loops": [16]}
    )
    assert "'num_warps': 8" in str(bound.materialize({"num_warps": 8}).attributes["config"])
    with pytest.raises(ValueError, match="no stage 'nope'; there are tile, declared, map-grid"):
        bound.ir("nope")
    calls = len([line for line in backend.log if line.startswith("prepare")])
    compiled = bound.compile_for("b200", {"num_warps": 8})
    assert compiled.asm == {"ptx": "b200"} and compiled.resources == "program 32 8\n"
    assert [line for line in backend.log if line.startswith("prepare")] == ["prepare h200"] * calls + ["prepare b200"]


def test_cpu_tensors_are_interpreted_with_large_tiles(backend: Backend) -> None:
    k = helion.kernel(double)
    assert k(X) == ("interpreted", {"tile_m.block_size": 64}, X, 2.0)
    assert backend.log == ["trace double True"]
    with pytest.raises(exc.InvalidConfig):
        helion.kernel(double, config={"num_warps": 3})(X)


def test_cpu_tensors_run_triton_in_its_interpreter(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert helion.kernel(double, config={"num_warps": 8})(X) == ("ran", X, 2.0)
    assert backend.log[1] == "prepare cpu" and backend.log[-1] == "load program 32 8"


def test_reference_mode(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    k = helion.kernel(double, ref_mode=RefMode.EAGER)
    as_gpu(k.bind((X,)))
    assert k.bind((X,))(X, 2.0) is not None
    with pytest.raises(exc.RefEagerModeCodePrintError):
        helion.kernel(double, ref_mode=RefMode.EAGER, print_output_code=True)(X)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    with pytest.raises(exc.IncompatibleInterpretModes):
        helion.kernel(double, ref_mode=RefMode.EAGER)(X)


def test_results_carry_no_history(backend: Backend) -> None:
    backend.run = double
    k = helion.kernel(double, config={"num_warps": 1})
    x = torch.ones(8, 4, requires_grad=True)
    as_gpu(k.bind((x,)))
    out = k(x)
    assert not out.requires_grad and torch.equal(out, torch.full((8, 4), 2.0)) and torch.is_grad_enabled()


def test_wrapped_constants_are_unwrapped(backend: Backend) -> None:
    import helion_ir.language as hl

    k = helion.kernel(double, config={"num_warps": 1})
    for value in (3.0, 4.0):
        as_gpu(k.bind((X, hl.constexpr(value))))
        assert k(X, hl.constexpr(value)) == ("ran", X, value)
    assert len(k._bound) == 2


def test_printing_generated_code(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    bound = as_gpu(helion.kernel(double, config={"num_warps": 1}, print_output_code=True).bind((X,)))
    bound(X, 2.0)
    assert "program 32 1\n" in capsys.readouterr().err


def test_requirements_that_lowering_finds_rule_out_configs(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def lower(module, chosen, callback=None, *, whole=False):
        made = Backend.lower(backend, module, chosen)
        rule = "@num_warps lt 8" if chosen["reduction.n"] == 16 else "@num_warps lt 4"
        required = parse_module(f'knob.require <{rule}>, "too many warps" by "plan-memory"').body.block.first_op
        assert required is not None
        required.detach()
        made.body.block.add_op(required)
        return made

    monkeypatch.setattr(sys.modules["helion_ir.passes.pipeline"], "lower", lower)
    space = as_gpu(helion.kernel(double).bind((X,))).config_space
    assert space.is_legal(assignment(32, 16, 4)) is None
    assert space.is_legal(assignment(32, 16, 8)) == "too many warps (num_warps = 8)"
    assert space.is_legal(assignment(32, None, 4)) == "too many warps (num_warps = 4)"
    assert space.legal_default()["num_warps"] in (1, 2)
    assert {(a["reduction.n"], a["num_warps"]) for a in map(space.sample, [random.Random(3)] * 200)} == {
        (None, 1), (None, 2), (16, 1), (16, 2), (16, 4),
    }  # fmt: skip
    assert space.size() == 3 * 2 * 4


def test_a_structure_that_cannot_be_lowered_is_illegal_unless_it_is_the_authors(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[object] = [16]

    def lower(module, chosen, callback=None, *, whole=False):
        if chosen["reduction.n"] in refused:
            raise exc.BackendUnsupported("no chunks of this")
        return Backend.lower(backend, module, chosen)

    monkeypatch.setattr(sys.modules["helion_ir.passes.pipeline"], "lower", lower)
    space = as_gpu(helion.kernel(double).bind((X,))).config_space
    assert (space.is_legal(assignment(32, 16)) or "").startswith("no chunks of this")
    assert {space.sample(random.Random(i))["reduction.n"] for i in range(30)} == {None}
    refused.append(None)
    with pytest.raises(exc.BackendUnsupported, match="no chunks of this"):
        as_gpu(helion.kernel(double).bind((X,))).config_space.legal_default()


def test_values_found_while_tracing_separate_kernels_of_one_key(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trace(function, args, **settings):
        made = Backend.trace(backend, function, args, **settings)
        made.attributes["helion_ir.specialized"] = ArrayAttr([StringAttr("x.size(0)"), StringAttr("s > 1")])
        return made

    monkeypatch.setattr(sys.modules["helion_ir.frontend"], "trace", trace)
    k = helion.kernel(double, static_shapes=False)
    bound = k.bind((X,))
    assert k.bind((torch.ones(8, 9), 5.0)) is bound
    others = [k.bind((torch.ones(7, 4),)), k.bind((X, 0.5))]
    assert len({id(b) for b in [bound, *others]}) == 3
    assert k.bind((torch.ones(7, 3), 9.0)) is others[0]
    assert backend.log == ["trace double False"] * 3
    assert k.specialization_key((X,)) != k.specialization_key((X, 0.5))
    assert k.specialization_key((X,)) == k.specialization_key((X, 4.0))
    assert k(torch.ones(7, 3), 9.0)[0] == "interpreted"
    assert len({b.cache_key() for b in [bound, *others]}) == 3


def test_what_tools_ask(backend: Backend) -> None:
    """1.4: env, host_function, bench_compile_config, backend_cache_key, extra_cache_key, is_cacheable, maybe_log_repro."""
    k = helion.kernel(double, config={"block_sizes": [32]}, print_repro=True)
    bound = k.bind((X,))
    assert bound.env.device.type == "cpu" and bound.env.settings is k.settings and bound.env.backend_name == "triton"
    assert bound.env.config_spec.default_config() == bound.config_spec.default_config()
    host = bound.host_function
    assert host.name == "double" and host.fn is double and host.parameters == tuple(k.signature.parameters)
    assert host.source == k.kernel_source()
    assert bound.bench_compile_config() is bound.compile_config()
    assert bound.backend_cache_key() == bound.backend_cache_key({"block_sizes": [32]})
    assert bound.backend_cache_key() != bound.backend_cache_key({"block_sizes": [64]})
    assert bound.extra_cache_key() == bound.cache_key() and bound.is_cacheable()
    said: list[str] = []
    bound.maybe_log_repro(said.append, (X,))
    assert len(said) == 1 and "block_sizes=[32]" in said[0]
