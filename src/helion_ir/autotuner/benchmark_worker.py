"""The process that holds the arguments on the device and tries one configuration after the other.

Run as `python -m helion_ir.autotuner.benchmark_worker` by `benchmark.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from helion_ir.autotuner.worker_loop import Answer, serve


def set_up(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Answer]:
    """Load arguments and expectation; give the function that tries a configuration."""
    import torch

    from helion_ir.autotuner.author_names import AuthorNames
    from helion_ir.autotuner.measure import measure
    from helion_ir.autotuner.printed_module import load_object
    from helion_ir.autotuner.reference import Expectation, Tolerance
    from helion_ir.autotuner.tensors import leaves
    from helion_ir.autotuner.trial import Trials

    # The file is one that the parent wrote for this process, in a directory that only its user can write to.
    args = torch.load(setup["arguments"], weights_only=False)
    on_device = [t for t in leaves(args) if t.is_cuda]
    if on_device:
        torch.cuda.set_device(on_device[0].device)
    expectation_path: str = setup["expectation"]
    trials = Trials(
        args,
        Expectation.load(expectation_path) if os.path.exists(expectation_path) else None,
        tolerance=Tolerance(setup.get("atol"), setup.get("rtol")),
        measure=load_object(setup["measure"]) if setup.get("measure") else measure,
        accuracy_check=setup.get("accuracy_check", True),
        namespace=AuthorNames.load(setup["names"]).namespace,
    )

    def answer(job: Mapping[str, Any]) -> Answer:
        out = trials.run(job)
        if job.get("expect") and trials.expectation is not None and out["stage"] == "ok":
            # For the process that replaces this one, should it die.
            trials.expectation.save(expectation_path)
        return out

    return answer


if __name__ == "__main__":
    serve(set_up)
