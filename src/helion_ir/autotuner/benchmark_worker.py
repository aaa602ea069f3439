"""The process that holds the arguments on the device and tries one configuration after the other.

Run as `python -m helion_ir.autotuner.benchmark_worker` by `benchmark.py`.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from helion_ir.autotuner.parts import Parts
from helion_ir.autotuner.trial import failure
from helion_ir.autotuner.worker_loop import Answer, serve


def set_up(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Answer]:
    """Load arguments and expectation; give the function that tries a configuration."""
    return _Bench(setup)


class _Bench:
    def __init__(self, setup: Mapping[str, Any]):
        parts = Parts()
        if setup.get("interprets"):
            # A second of imports, during which the device starts.
            threading.Thread(target=importlib.import_module, args=("helion_ir.interpreter",), daemon=True).start()
        with parts.of("imports"):
            import torch

            from helion_ir.autotuner.author_names import AuthorNames
            from helion_ir.autotuner.measure import measure
            from helion_ir.autotuner.printed_module import load_object
            from helion_ir.autotuner.reference import BY_TYPE, Expectation, Tolerance
            from helion_ir.autotuner.tensors import leaves
            from helion_ir.autotuner.trial import Trials
            from helion_ir.autotuner.warm import run_something
        with parts.of("device"):
            if setup.get("device") is not None:
                torch.cuda.set_device(setup["device"])
                torch.empty(1, device="cuda")
        with parts.of("arguments"):
            # The file is one that the parent wrote for this process, in a directory that only its user can write to.
            where = "cuda:0" if setup.get("moved") else None
            args = torch.load(setup["arguments"], weights_only=False, map_location=where)
            on_device = [t for t in leaves(args) if t.is_cuda]
            if on_device:
                torch.cuda.set_device(on_device[0].device)
                torch.cuda.synchronize()
        if on_device and not os.environ.get("TRITON_INTERPRET"):
            with parts.of("warm"):
                # A second of imports and tools, while the first configurations are compiled.
                run_something(on_device[0].device)
        self.expectation_path: str = setup["expectation"]
        self.names: Mapping[str, Any] = AuthorNames.load(setup["names"]).namespace
        self.trials = Trials(
            args,
            Expectation.load(self.expectation_path, where) if os.path.exists(self.expectation_path) else None,
            tolerance=Tolerance(
                setup.get("atol"),
                setup.get("rtol"),
                setup.get("single", BY_TYPE.single),
                setup.get("product", BY_TYPE.product),
            ),
            measure=load_object(setup["measure"]) if setup.get("measure") else measure,
            accuracy_check=setup.get("accuracy_check", True),
            namespace=self.names,
        )
        self.parts = parts.seconds

    def __call__(self, job: Mapping[str, Any]) -> Answer:
        if "program" in job:
            return self._reference(job)
        out = self.trials.run(job)
        if job.get("expect") and out["stage"] == "ok":
            self._keep()
        return out

    def _reference(self, job: Mapping[str, Any]) -> Answer:
        """Find the expectation by running a program in the interpreter."""
        parts = Parts()
        try:
            with parts.of("imports"):
                from helion_ir.autotuner.reference import observe
                from helion_ir.autotuner.reference_program import ReferenceProgram
            with parts.of("parse"):
                function = ReferenceProgram.load(job["program"]).function(self.names)
            with parts.of("interpret"):
                self.trials.expectation = observe(function, self.trials.args)
            with parts.of("keep"):
                self._keep()
        except Exception as e:
            return {**failure("run", e), "parts": parts.seconds}
        return {"stage": "ok", "parts": parts.seconds}

    def _keep(self) -> None:
        # For the process that replaces this one, should it die.
        assert self.trials.expectation is not None
        self.trials.expectation.save(self.expectation_path)


if __name__ == "__main__":
    serve(set_up)
