"""Compiling what a printed module would launch, without a device: its host function runs on tensors with no data."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.printed_module import load_function
from helion_ir.autotuner.worker_loop import Answer, reason_of
from helion_ir.backend_triton.resources import Resources, read_resources
from helion_ir.backend_triton.wgmma_descriptors import CONSTRUCT, shared_addresses

HOPELESS_SPILL = 1024
"""Bytes a thread: with so many, loops spend their time on moving registers."""


class _OfflineDriver:
    """Tells Triton which device to compile for, and offers nothing else."""

    def __init__(self, target: Any):
        self._target = target

    def get_current_target(self) -> Any:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


class _Refused(BaseException):
    """A kernel does not compile. Not an Exception: no handler of the host function may take it for its own."""


def warm_up(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Answer]:
    """The function that compiles one module for `setup["target"]`, a target's fields, as its launches would.

    Launches are replaced by Triton's own warm-up, so that signature, alignment and options, and with them the key in
    Triton's cache, are those of the launch. Its answers have the stage "ok", "compile" with a reason, or "unknown"
    where the host function needs data or a device and the launch was never reached.
    """
    import torch
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    target = setup["target"]
    driver.set_active(_OfflineDriver(GPUTarget(target["backend"], target["arch"], target["warp_size"])))  # pyright: ignore[reportArgumentType]
    # Host functions ask how many programs fill the device.
    torch.cuda.get_device_properties = lambda device=None: SimpleNamespace(
        multi_processor_count=target["compute_units"], name=target["name"], warp_size=target["warp_size"]
    )
    torch.set_num_threads(1)
    args = torch.load(setup["arguments"], weights_only=False)
    namespace = AuthorNames.load(setup["names"]).namespace
    run = triton.JITFunction.run
    compiled: list[Any] = []

    def compile_only(self: Any, *call: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        try:
            kernel = run(self, *call, grid=grid, warmup=True, **options)
        except Exception as e:
            raise _Refused(reason_of(e)) from e
        compiled.append(kernel)
        return kernel

    triton.JITFunction.run = compile_only

    def answer(job: Mapping[str, Any]) -> Answer:
        compiled.clear()
        function = load_function(job["path"], job["function"], namespace)
        try:
            function(*args)
        except _Refused as e:
            return {"stage": "compile", "reason": str(e)}
        except Exception as e:
            if not compiled:
                return {"stage": "unknown", "reason": reason_of(e)}
        if any(shared_addresses(k.asm.get("ptx", "")) for k in compiled):
            # Right where this package compiles it; a program that was exported has only ptxas.
            return {"stage": "compile", "reason": f"ptxas gets {CONSTRUCT} wrong"}
        return _judged([read_resources(k.asm, k.metadata._asdict()) for k in compiled], target)

    return answer


def _judged(needs: list[Resources], target: Mapping[str, Any]) -> Answer:
    """Whether the device has what kernels need, and what that is at most."""
    answer: Answer = {"stage": "ok"}
    if needs:
        answer["resources"] = {
            "shared_memory": max(r.shared_memory for r in needs),
            "registers": max(r.registers or 0 for r in needs),
            "spilled": max(r.spilled or 0 for r in needs),
            "tensor_memory": max(r.tensor_memory for r in needs),
        }
        shared = answer["resources"]["shared_memory"]
        if shared > target["shared_memory"]:
            answer["stage"] = "compile"
            answer["reason"] = f"out of shared memory: needs {shared} bytes, the device has {target['shared_memory']}"
        elif answer["resources"]["spilled"] > HOPELESS_SPILL:
            answer["stage"] = "compile"
            answer["reason"] = f"spills over {HOPELESS_SPILL} bytes a thread"
    return answer


def run_something(device: Any) -> None:
    """Compile and launch a trivial kernel: what Triton does at a process's first launch is done then."""
    import torch

    from helion_ir.autotuner.warm_kernel import copy

    source = torch.zeros(128, device=device)
    copy[(1,)](source, torch.empty_like(source), 128, BLOCK=128)  # pyright: ignore[reportArgumentType]
    torch.cuda.synchronize(device)


def compile_something(target: Mapping[str, Any]) -> None:
    """Compile a trivial kernel, cached nowhere: what Triton and its tools do once a process is done then."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from helion_ir.autotuner.warm_kernel import copy

    before = os.environ.get("TRITON_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRITON_CACHE_DIR"] = folder
        try:
            source = ASTSource(
                fn=copy, signature={"source": "*fp32", "out": "*fp32", "n": "i32"}, constexprs={"BLOCK": 128}
            )
            triton.compile(source, target=GPUTarget(target["backend"], target["arch"], target["warp_size"]))
        finally:
            if before is None:
                del os.environ["TRITON_CACHE_DIR"]
            else:
                os.environ["TRITON_CACHE_DIR"] = before
