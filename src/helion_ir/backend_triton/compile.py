"""Compile printed kernels for any target; no device is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from helion_ir.backend_triton.errors import TritonCompileError
from helion_ir.backend_triton.loader import load_kernels
from helion_ir.backend_triton.printed import Launch, PrintedModule
from helion_ir.backend_triton.printer import print_module
from helion_ir.backend_triton.resources import Resources, read_resources
from helion_ir.dialects.knob import KnobValue
from helion_ir.targets import Target

STAGES = ("ttir", "ttgir", "llir", "ptx", "cubin", "amdgcn", "hsaco")


@dataclass(frozen=True)
class Compiled:
    """A kernel compiled for a target: every stage's text or binary, and what it needs of the device."""

    kernel: str
    asm: Mapping[str, str | bytes]
    resources: Resources
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """All that compiling one kernel takes, in plain data."""

    kernel_text: str
    kernel: str
    signature: Mapping[str, str]
    constexprs: Mapping[str, KnobValue]
    options: Mapping[str, KnobValue]
    divisible: tuple[str, ...]
    """Parameters that are multiples of 16: sizes in elements, or addresses in bytes."""
    backend: str
    arch: int | str
    warp_size: int


def compile_text(
    printed: PrintedModule,
    target: Target,
    *,
    kernel: str | None = None,
    divisible: Collection[str] = (),
    options: Mapping[str, KnobValue] | None = None,
    isolated: bool = False,
    timeout: float | None = None,
) -> Compiled:
    """Compile one kernel of a printed module.

    Args:
        printed: from `print_module`; its launches hold the values of the constexpr parameters.
        target: any record with a backend of Triton's; the device need not be present.
        kernel: the name of one of its kernels; the first launched by default.
        divisible: parameters known to be multiples of 16. Of pointers this is assumed, since PyTorch aligns tensors.
        options: overrides of the launch's, such as `{"num_warps": 8}`.
        isolated: compile in a process of its own, since some invalid programs end the process they are compiled in.
        timeout: seconds until an isolated compilation is stopped.

    Raises:
        TritonCompileError: with the stage that failed.
    """
    launch = _launch(printed, kernel)
    job = make_job(printed, launch, target, divisible, options or {})
    return compile_in_process(job, timeout) if isolated else run_job(job)


def compile_module(
    module: ModuleOp, assignment: Mapping[str, KnobValue] | None, target: Target, **options: Any
) -> Compiled:
    """Print a template under an assignment, or a materialized module, and compile its first kernel."""
    return compile_text(print_module(module, assignment), target, **options)


def compile_kernels(printed: PrintedModule, target: Target, **options: Any) -> tuple[Compiled, ...]:
    """Compile what every launch of a printed module needs; keywords as for `compile_text`."""
    kernels = dict.fromkeys(launch.kernel for launch in printed.launches)
    return tuple(compile_text(printed, target, kernel=k, **options) for k in kernels)


def _launch(printed: PrintedModule, kernel: str | None) -> Launch:
    for launch in printed.launches:
        if kernel is None or launch.kernel == kernel:
            return launch
    raise ValueError(
        f"no launch of {kernel or 'any kernel'}; there are {', '.join(x.kernel for x in printed.launches)}"
    )


def make_job(
    printed: PrintedModule,
    launch: Launch,
    target: Target,
    divisible: Collection[str] = (),
    options: Mapping[str, KnobValue] | None = None,
) -> Job:
    """What compiling a launch's kernel takes."""
    if not target.backend:
        raise TritonCompileError(f"nothing is compiled for the target {target.name!r}", "setup")
    parameters = printed.kernels[launch.kernel].parameters
    aligned = tuple(p for p, t in parameters.items() if t.startswith("*") or p in divisible)
    # Options without a value are left to Triton.
    chosen = {k: v for k, v in {**launch.options, **(options or {})}.items() if v is not None}
    return Job(
        printed.kernel_text,
        launch.kernel,
        {**parameters, **launch.descriptors},
        dict(launch.constexprs),
        chosen,
        aligned,
        target.backend,
        target.arch,
        target.warp_size,
    )


def run_job(job: Job) -> Compiled:
    """Compile in this process."""
    import triton
    from triton import knobs
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    if knobs.runtime.interpret:
        raise TritonCompileError("Triton's interpreter is on; unset TRITON_INTERPRET, or compile isolated", "setup")
    function = load_kernels(job.kernel_text)[job.kernel]
    names = list(function.arg_names)
    signature = {n: job.signature.get(n, "constexpr") for n in names}
    attrs = {(names.index(p),): [["tt.divisibility", 16]] for p in job.divisible}
    source = ASTSource(fn=function, signature=signature, constexprs=dict(job.constexprs), attrs=attrs)
    target = GPUTarget(job.backend, job.arch, job.warp_size)
    try:
        compiled = triton.compile(source, target=target, options=dict(job.options))
    except Exception as error:  # Triton raises classes of every kind, from Python, LLVM and ptxas
        raise _typed(error) from error
    metadata = compiled.metadata._asdict()
    asm = {k: v for k, v in compiled.asm.items() if k in STAGES}
    return Compiled(job.kernel, asm, read_resources(asm, metadata), metadata)


def _typed(error: Exception) -> TritonCompileError:
    detail = str(error).strip() or type(error).__name__
    # A CompilationError shows the source first and says what is wrong last.
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    first = lines[-1] if hasattr(error, "src") else lines[0]
    cause = error.__cause__
    if hasattr(error, "src") and cause is not None and str(cause):
        first = str(cause).splitlines()[0]
    return TritonCompileError(first, _stage(error.__traceback__), detail)


def _stage(traceback: TracebackType | None) -> str:
    """Where Triton was: its stages are functions called make_ttir, make_ptx, …"""
    stage = "ttir"
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_name
        if name.startswith("make_") and name.removeprefix("make_") in STAGES:
            stage = name.removeprefix("make_")
        traceback = traceback.tb_next
    return stage


def compile_in_process(job: Job, timeout: float | None = None) -> Compiled:
    """Compile in a fresh process, so that a crash or a hang of the compiler is an error here."""
    with tempfile.TemporaryDirectory(prefix="helion_ir_compile_") as folder:
        (Path(folder) / "job.json").write_text(json.dumps(asdict(job)))
        command = [sys.executable, "-m", "helion_ir.backend_triton.compile_worker", folder]
        paths = os.pathsep.join(p for p in sys.path if p)
        environment = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": paths}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)
        except subprocess.TimeoutExpired:
            raise TritonCompileError(f"not done after {timeout:g} seconds", "timeout") from None
        answer = Path(folder) / "answer.json"
        if not answer.exists():
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            first = lines[0] if lines else f"the compiler's process ended with code {done.returncode}"
            raise TritonCompileError(first, "crash", done.stderr)
        result = json.loads(answer.read_text())
        if "message" in result:
            raise TritonCompileError(result["message"], result["stage"], result["detail"])
        asm: dict[str, str | bytes] = {}
        for stage, binary in result["asm"].items():
            path = Path(folder) / stage
            asm[stage] = path.read_bytes() if binary else path.read_text()
        return Compiled(job.kernel, asm, Resources(**result["resources"]), result["metadata"])
