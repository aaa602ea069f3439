"""What both tuners are given: the kernels of `examples/`, the same source for both, on inputs of realistic size."""

import importlib
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from examples import registry
from examples.harness import Example, Inputs

SITE = Path(__file__).parent / "site"
PEER_PACKAGE = "helion_peer_kernels"
"""The package of rewritten examples; a package, so that Helion's worker processes can import them by name."""


@dataclass(frozen=True)
class PeerCase:
    """An example on one input."""

    name: str
    example: str
    build: Callable[[Inputs], tuple[Any, ...]]
    small: Callable[[Inputs], tuple[Any, ...]]
    """The same for a machine without a GPU."""

    def args(self, device: str) -> tuple[Any, ...]:
        return (self.build if device == "cuda" else self.small)(Inputs(device, seed=0))


def _of_example(name: str, case: str, small: str) -> Callable[..., PeerCase]:
    def args(which: str) -> Callable[[Inputs], tuple[Any, ...]]:
        return lambda rng: registry.load(name).case(which).build(rng)

    return lambda label: PeerCase(label, name, args(case), args(small))


def _attention(rng: Inputs, *shape: int, dtype: torch.dtype = torch.bfloat16) -> tuple[Any, ...]:
    return tuple(rng.normal(*shape, dtype=dtype) for _ in range(3))


CASES: dict[str, PeerCase] = {
    case.name: case
    for case in (
        _of_example("matmul", "4096^3-bf16", "pow2")("matmul"),
        PeerCase(
            "attention",
            "attention",
            lambda rng: _attention(rng, 4, 32, 4096, 128),
            lambda rng: _attention(rng, 1, 1, 32, 16, dtype=torch.float32),
        ),
        _of_example("softmax", "8192x8192-f32", "pow2")("softmax"),
        _of_example("layer_norm", "4096x5120-bf16", "pow2")("layer_norm"),
        PeerCase(
            "cross_entropy",
            "cross_entropy",
            lambda rng: (rng.normal(8192, 32768, scale=3.0), rng.integers(32768, 8192)),
            lambda rng: (rng.normal(32, 64), rng.integers(64, 32)),
        ),
        _of_example("gemm_fp8", "4096^3", "pow2")("gemm_fp8"),
        _of_example("gemm_int4", "16x8192x8192-bf16", "pow2")("gemm_int4"),
        _of_example("jagged_mean", "4096-of-512x128-bf16", "uneven")("jagged_mean"),
    )
}


def ours(case: PeerCase) -> Example:
    """The example as it stands."""
    return registry.load(case.example)


def theirs(case: PeerCase, folder: Path) -> Example:
    """The example for Helion: only the two lines that import the language differ."""
    package = folder / PEER_PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    file = registry.FILES[case.example]
    source = Path(importlib.import_module(f"examples.{file}").__file__ or "").read_text()
    source = source.replace("import helion_ir as helion", "import helion")
    (package / f"{file}.py").write_text(
        source.replace("import helion_ir.language as hl", "import helion.language as hl")
    )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    # Whatever this process has imported by now, and whether or not it found the file by its name.
    runpy.run_path(str(SITE / "sitecustomize.py"))
    module = importlib.import_module(f"{PEER_PACKAGE}.{file}")
    return next(example for example in module.EXAMPLES if example.name == case.example)
