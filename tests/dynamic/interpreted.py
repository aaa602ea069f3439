"""Run under TRITON_INTERPRET=1: generated Triton, one bound kernel for every size of a case and each of its configs."""

from __future__ import annotations

import sys

from tests.dynamic.kernels import CASES


def main(name: str) -> None:
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


main(sys.argv[1])
