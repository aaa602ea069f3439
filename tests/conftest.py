"""What tests of every part share: how their processes run, and one, to each worker of pytest, in which Triton interprets."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

# One thread to each process, set before PyTorch is imported: on tensors of this size a second one only waits for work.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import pytest  # noqa: E402
from tests.triton_interpreter.client import TritonInterpreter  # noqa: E402


def pytest_collection_finish() -> None:
    """What is imported and collected stays; the collector need not look at it again, nor so often at modules of IR."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def triton_interpreter() -> Iterator[TritonInterpreter]:
    """Runs functions of tests where Triton interprets: `triton_interpreter.run(function, *arguments)`."""
    started = TritonInterpreter()
    yield started
    started.close()
