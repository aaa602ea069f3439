"""What tests of every part share: one process, to each worker of pytest, in which Triton interprets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.triton_interpreter.client import TritonInterpreter


@pytest.fixture(scope="session")
def triton_interpreter() -> Iterator[TritonInterpreter]:
    """Runs functions of tests where Triton interprets: `triton_interpreter.run(function, *arguments)`."""
    started = TritonInterpreter()
    yield started
    started.close()
