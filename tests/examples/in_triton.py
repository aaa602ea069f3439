"""What each copy of the process where Triton interprets imports: not the tests, which load every example."""

from __future__ import annotations

from examples import registry
from examples.harness import poisoned, run_in_triton_interpreter


def in_triton(name: str, cases: list[str]) -> None:
    """Run an example where Triton interprets."""
    example = registry.load(name)
    for case in cases:
        args = example.case(case).args()
        expected = example.reference(*args)
        with poisoned():
            actual = run_in_triton_interpreter(example, args)
        example.check(actual, args, expected)
