"""Numbers: printed modules and every function of the library, in Triton's interpreter, against torch in fp64."""

from __future__ import annotations

from pathlib import Path

from tests.backend_triton.interpreted import errors
from tests.triton_interpreter.client import TritonInterpreter

from helion_ir.backend_triton import library


def test_modules(triton_interpreter: TritonInterpreter, tmp_path: Path) -> None:
    found = triton_interpreter.run(errors, "modules", str(tmp_path))
    assert len(found) == 23
    # Errors of a product are divided by sqrt(K); those of softmax are absolute, of values below 1.
    wrong = {case: error for case, error in found.items() if not isinstance(error, float) or error > 1e-5}
    assert not wrong
    # A dozen texts for the product, two for softmax and one: the rest is shared.
    assert len(list((tmp_path / "text").glob("*.py"))) == 15


# These are called by the others, which are measured; random bits are compared in tests/language.
INNER = {
    "angle64",
    "cosh64",
    "cosine64",
    "erfcx64",
    "lgamma_lanczos64",
    "random_word",
    "sinh64",
    "sortkey32",
    "sortpair_position",
    "sortpair_value",
}


def test_library(triton_interpreter: TritonInterpreter, tmp_path: Path) -> None:
    found = triton_interpreter.run(errors, "library", str(tmp_path))
    wrong = {case: error for case, error in found.items() if isinstance(error, str)}
    assert not wrong
    assert {case.split(" ")[0] for case in found} == set(library.names()) - INNER
