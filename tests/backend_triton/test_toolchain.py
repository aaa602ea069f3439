"""What older Tritons and single targets need said in another way."""

from __future__ import annotations

import re

from examples import registry


def kernel_text(example: str, target: str, **config: object) -> str:
    bound = registry.load(example).kernel.bind(registry.load(example).cases[0].blank())
    stages = bound.stages_for(target)
    assignment = stages.space.encode({**stages.space.decode(stages.space.legal_default()), **config})
    return stages.printed(assignment).kernel_text


def test_extents_of_tiles_are_constants_to_triton_3_6() -> None:
    # There tl.cdiv is a call at run time: "arange's arguments must be of type tl.constexpr".
    text = kernel_text("split_k_barrier", "h200")
    extents = re.findall(r"tl\.arange\(0, (.*)\)$", text, re.MULTILINE)
    assert any("//" in e for e in extents) and not any("cdiv" in e for e in extents)


def test_bounds_of_unrolled_loops_are_constants_to_triton_3_6() -> None:
    # There tl.cdiv is a call at run time: "used as tl.static_range end value is not a constexpr".
    text = kernel_text("fused_linear_jsd", "h200", **{"loop.part.static": True})
    (bounds,) = re.findall(r"in tl\.static_range\((.*)\):$", text, re.MULTILINE)
    assert "//" in bounds and "cdiv" not in bounds


def test_a_loop_that_is_split_is_not_static() -> None:
    matmul = registry.load("matmul")
    knobs = {k.name: k for k in matmul.kernel.bind(matmul.cases[0].blank()).stages_for("h200").space}
    static, split = knobs["loop.inner.static"], knobs["rows_columns.split_k"]
    assert split.name in static.reads and static.when is not None
    values: dict[str, object] = {
        "rows.block_size": 16,
        "columns.block_size": 16,
        "inner.block_size": 16,
        "loop.inner.peel": False,
    }
    values |= {"rows_columns.split_k_mode": "atomic", "rows_columns.stream_k": "off"}
    assert static.when({**values, split.name: 1}) and not static.when({**values, split.name: 2})
    assert not static.when({**values, split.name: 1, "rows_columns.stream_k": "two_phase"})


def test_8_bit_products_of_computed_operands_take_16_bits_where_they_are_miscompiled() -> None:
    (products,) = [re.findall(r"tl\.dot\((\w+), (\w+)", kernel_text("attention_fp8", "h200"))]
    text = kernel_text("attention_fp8", "h200")
    first, second = products
    assert not any(f"{v} = {v}" in text for v in first)
    assert all(re.search(rf"^ *{v} = .*\.to\(tl\.float16\)", text, re.MULTILINE) for v in second)
    assert ".to(tl.float16)" not in kernel_text("attention_fp8", "b200")
