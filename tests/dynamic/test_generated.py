"""Generated Triton of kernels for any size: run by Triton's interpreter, and compiled for devices that are not here."""

from __future__ import annotations

import pytest
from tests.dynamic.kernels import CASES
from tests.triton_interpreter.client import TritonInterpreter


def check_every_size(name: str) -> None:
    """One bound kernel for every size of a case and each of its configs, where Triton interprets."""
    case = CASES[name]
    for config in case.configs:
        k = case.kernel(config=config)
        for sizes in case.sizes:
            args = case.inputs(sizes)
            try:
                case.check(k(*args), args)
            except Exception as error:
                raise AssertionError(f"{name} {sizes} {config}") from error
        assert len(k._bound) == 1, [b for b in k._bound]


@pytest.mark.parametrize("name", list(CASES))
def test_every_size_in_tritons_interpreter(name: str, triton_interpreter: TritonInterpreter) -> None:
    triton_interpreter.run(check_every_size, name)


@pytest.mark.parametrize("target", ["h200", "b200", "mi350x"])
@pytest.mark.parametrize("name", list(CASES))
def test_compiles_for(name: str, target: str) -> None:
    case = CASES[name]
    bound = case.kernel().bind(case.inputs(case.sizes[0]))
    ttir = str(bound.compile_for(target, case.configs[0]).asm["ttir"])
    assert "i64" not in ttir.replace("tt.divisibility = 16 : i64", ""), "offsets need 32 bits here"
