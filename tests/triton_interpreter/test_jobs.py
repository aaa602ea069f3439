"""The process that runs jobs where Triton interprets: what it gives, and what it says of jobs that go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import torch
from tests.triton_interpreter.client import JobFailed, TritonInterpreter


def surroundings(words: list[str]) -> dict:
    from triton.knobs import runtime

    threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
    os.environ["LEFT_BEHIND"] = "1" if "LEFT_BEHIND" in os.environ else "0"
    return {"words": words, "interpret": runtime.interpret, "threads": threads, "left": os.environ["LEFT_BEHIND"]}


def raises() -> None:
    print("what it wrote before")
    raise ValueError("what is wrong")


def crashes() -> None:
    os.kill(os.getpid(), 11)


def hangs() -> None:
    # A process of its own, that outlives it unless it is ended too.
    child = subprocess.Popen(["sleep", "600"])
    print(f"child {child.pid}.", flush=True)
    time.sleep(600)


def product() -> float:
    """PyTorch's threads, and a random number that is the same in each process."""
    return float((torch.randn(300, 300) @ torch.ones(300, 300)).sum())


def test_a_job_has_nothing_of_another(triton_interpreter: TritonInterpreter) -> None:
    # The first thread is its own, the second tells where it hangs.
    for words in (["a", "é"], []):
        want = {"words": words, "interpret": True, "threads": 2, "left": "0"}
        assert triton_interpreter.run(surroundings, words) == want
    assert triton_interpreter.run(product) == triton_interpreter.run(product) != 0


def test_what_goes_wrong_is_shown(triton_interpreter: TritonInterpreter) -> None:
    with pytest.raises(
        JobFailed, match=r"(?s)raises\(\) ended with status 1:\nwhat it wrote.*ValueError: what is wrong"
    ):
        triton_interpreter.run(raises)
    with pytest.raises(JobFailed, match="(?s)ended with SIGSEGV:.*in crashes"):
        triton_interpreter.run(crashes)
    with pytest.raises(JobFailed, match="(?s)Timeout.*in hangs") as caught:
        triton_interpreter.run(hangs, seconds=0.3)
    child = int(str(caught.value).split("child ")[1].split(".")[0])
    with pytest.raises(ProcessLookupError):
        for _ in range(500):
            os.kill(child, 0)
            time.sleep(0.01)
    assert triton_interpreter.run(surroundings, [])["threads"] == 2


def test_an_end_of_the_process_itself_is_told() -> None:
    own = TritonInterpreter()
    own._start()
    assert own._process is not None
    own._process.kill()
    with pytest.raises(JobFailed, match="the process that runs jobs ended"):
        own.run(raises)
    own.close()
