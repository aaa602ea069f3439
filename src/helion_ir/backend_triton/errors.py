"""Errors of the Triton backend."""

from __future__ import annotations

from helion_ir import exc


class TritonPrintError(RuntimeError):
    """The IR cannot be printed: a pass has to run first, or an op has no emitter."""


class TritonCompileError(exc.TritonError):
    """Triton could not compile a kernel.

    `stage` says where it failed ("ttir", "ttgir", "llir", "ptx", "cubin", "amdgcn", "hsaco", "setup", "timeout" or
    "crash"); `detail` is Triton's whole message, of which the error's own text is the first line.
    """

    def __init__(self, message: str, stage: str, detail: str = ""):
        super().__init__(message)
        self.message = message
        self.stage = stage
        self.detail = detail or message

    def __str__(self) -> str:
        return f"{self.stage}: {self.message}"

    # Workers hand errors back through pickle, which would call the class with the formatted text alone.
    def __reduce__(self) -> tuple[type[TritonCompileError], tuple[str, str, str]]:
        return type(self), (self.message, self.stage, self.detail)
