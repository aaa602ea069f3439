"""Section 5: settings of the language and of generated code, each with an effect that shows."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.frontend import trace
from helion_ir.runtime.settings import WITHOUT_EFFECT, Settings

SOURCE = Path(__file__).parents[2] / "src" / "helion_ir"
X = torch.arange(1.0, 31.0).reshape(5, 6)
SCALE = 2.0


def plus(v: Any) -> Any:
    return v + SCALE


def scaled(x, s):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = plus(torch.exp(x[t, :] / 64)) * s
    return out


def expected(x: torch.Tensor, s: float) -> torch.Tensor:
    return (torch.exp(x / 64) + SCALE) * s


def bound(**settings: Any) -> Any:
    return helion.kernel(scaled, autotune_effort="none", **settings).bind((X, 1.5))


def test_origin_lines_show_the_authors_statements() -> None:
    line = scaled.__code__.co_firstlineno + 3
    comment = f"# src[test_s5_settings.py:{line}]: out[t, :] = plus(torch.exp(x[t, :] / 64)) * s"
    assert comment in bound().to_triton_code() and "return v + SCALE" in bound().to_triton_code()
    assert "# src" not in bound(output_origin_lines=False).to_code()
    assert "# src" not in bound().to_code(output_origin_lines=False, options=helion.OutputCodeOptions())
    assert comment in bound(output_origin_lines=False).to_code(output_origin_lines=True)


def test_dtype_asserts_compile() -> None:
    made = bound(debug_dtype_asserts=True)
    code = made.to_triton_code()
    assert code.count("tl.static_assert(") > 5 and ".dtype == tl.float32" in code
    assert "static_assert" not in bound().to_triton_code()
    assert made.compile_for("h100").asm["ptx"]


def test_scalars_that_triton_does_not_specialize() -> None:
    assert "@triton.jit(do_not_specialize=['SCALE', 's'])" in bound(triton_do_not_specialize=True).to_triton_code()
    assert "@triton.jit\n" in bound().to_triton_code()


def test_fast_math_approximates() -> None:
    fast, exact = (bound(fast_math=f).stages_for("h100") for f in (True, False))
    texts = [s.printed(s.space.legal_default()).text for s in (fast, exact)]
    assert "tl.exp(" in texts[0] and "libdevice.exp(" in texts[1] and "libdevice.exp(" not in texts[0]
    torch.testing.assert_close(helion.kernel(scaled, fast_math=True)(X, 1.5), expected(X, 1.5))


def test_a_caller_can_be_appended() -> None:
    code = bound().to_code(emit_repro_caller=True)
    scope: dict[str, Any] = {"__name__": "generated", "plus": plus}
    tail = code[code.index("def _like") :]
    exec(compile("import torch\n\n" + tail, "<tail>", "exec"), scope)
    scope["scaled"] = lambda x, s: (x.shape, x.stride(), x.dtype, s)
    assert scope["call"]() == (X.shape, X.stride(), X.dtype, 1.5)
    with pytest.raises(exc.InvalidAPIUsage, match="options are OutputCodeOptions"):
        bound().to_code(options=3)


def test_print_repro_is_a_program_by_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    helion.kernel(scaled, autotune_effort="none", print_repro=True)(X, 1.5)
    text = capsys.readouterr().err
    assert "def plus(v: Any) -> Any:" in text and "SCALE = 2.0" in text and "@helion.kernel(config=" in text
    compile(text, "repro.py", "exec")


def test_print_output_code_prints_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    bound(print_output_code=True).compile_config()
    path, _, text = capsys.readouterr().err.partition("\n")
    assert path.startswith("# ") and Path(path[2:]).read_text() == text[:-1] and "@triton.jit" in text


def warns(x, y):
    z = x * 2
    w = z.sum(0)
    out = torch.empty([x.size(0), y.size(1)])
    for i, j in hl.tile(out.size()):
        acc = hl.zeros([i, j])
        for t in hl.tile(x.size(1)):
            acc += x[i, t] @ y[t, j]
        out[i, j] = acc + w[j][None, :]
    return out.view(-1)


def test_warnings_name_the_line_once_and_can_be_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    y = torch.ones(6, 6)
    helion.kernel(warns)(X, y)
    said = capsys.readouterr().err
    kinds = re.findall(r"WARNING\[(\w+)\]", said)
    assert kinds == ["TensorOperationInWrapper"] * 2 + ["TiledKMatmulAccumulationWarning"]
    assert "z = x * 2\n        ^^^^^" in said and "empty" not in said
    for ignored, left in (
        ([exc.TensorOperationInWrapper], 1),
        ([exc.TiledKMatmulAccumulationWarning], 2),
        ([exc.BaseWarning], 0),
    ):
        helion.kernel(warns, ignore_warnings=ignored)(X, y)
        assert capsys.readouterr().err.count("WARNING[") == left


def moves(x):
    y = x.cuda()
    for t in hl.tile(x.size(0)):
        y[t, :] = x[t, :]


def test_a_tensor_on_another_device_is_named() -> None:
    found: list[exc.BaseWarning] = []
    trace(moves, (X,), warnings=found)
    assert [type(w) for w in found] == [exc.WrongDevice]
    assert found[0].message == "a tensor on cuda, where the kernel runs on cpu" and "y = x.cuda()" in str(found[0])


def test_a_setting_without_effect_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Settings(distributed=True)
    assert (
        capsys.readouterr().err
        == "WARNING[SettingWithoutEffect]: distributed has no effect: kernels run on one device\n"
    )
    Settings(distributed=True, ignore_warnings=[exc.SettingWithoutEffect])
    Settings()
    assert capsys.readouterr().err == ""


def test_every_other_setting_is_read_somewhere() -> None:
    texts = [p.read_text() for p in SOURCE.rglob("*.py") if p.name != "settings.py"]
    fields = {f.name for f in dataclasses.fields(Settings)}
    unread = {n for n in fields if not any(re.search(rf"\b{n}\b", t) for t in texts)}
    assert unread <= set(WITHOUT_EFFECT) <= fields, unread - set(WITHOUT_EFFECT)


def test_the_package_can_be_asked_for_its_names() -> None:
    names = "kernel jit Config Settings Kernel RefMode OutputCodeOptions cdiv next_power_of_2 exc language runtime autotuner"
    for name in names.split():
        assert getattr(helion, name) is not None
    assert helion.jit is helion.kernel
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import helion_ir"], capture_output=True, text=True, check=True
    )
    assert " torch\n" not in done.stderr
