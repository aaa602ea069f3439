"""The library as texts."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from helion_ir.backend_triton import library


def test_source_and_dependencies() -> None:
    text, dependencies = library.source("trunc32")
    assert text == "@triton.jit\ndef trunc32(x):\n    return copysign32(tl.floor(tl.abs(x)), x)"
    assert dependencies == ("copysign32",)
    assert library.source("div_floor_f32")[1] == ("copysign32", "fmod_bits")


def test_printed_sources_come_in_order_and_once() -> None:
    texts = library.printed_sources(["trunc32", "rint32", "copysign32"])
    names = [t.split("def ")[1].split("(")[0] for t in texts]
    assert names == ["plain_bits32", "plain_copysign32", "plain_trunc32", "plain_rint32"]
    assert "return plain_copysign32(tl.floor(tl.abs(x)), x)" in texts[2]


def test_every_function_has_a_distinct_text_and_no_name_unknown() -> None:
    for name in library.names():
        text = "\n\n".join(["import triton", "import triton.language as tl", *library.printed_sources([name])])
        compile(text, name, "exec")
        assert f"def plain_{name}(" in text


def test_dependencies_are_the_names_that_python_finds() -> None:
    names = library.names()
    for name in names:
        text, dependencies = library.source(name)
        used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
        assert dependencies == tuple(sorted(used.intersection(names) - {name}))


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(KeyError, match="no function 'nothing'"):
        library.printed_sources(["nothing"])


def test_printing_imports_neither_torch_nor_triton() -> None:
    script = (
        "import sys, helion_ir.backend_triton.printer, helion_ir.backend_triton.compile\n"
        "from helion_ir.backend_triton import library; library.names()\n"
        "sys.exit(str([m for m in ('torch', 'triton') if m in sys.modules] or ''))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == ""
