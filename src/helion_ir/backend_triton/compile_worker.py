"""Compiles one kernel for `compile_in_process`: reads a folder's job.json, leaves the stages and answer.json there."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from helion_ir.backend_triton.compile import Job, run_job
from helion_ir.backend_triton.errors import TritonCompileError


def answer(folder: Path) -> dict[str, Any]:
    """The result as JSON can hold it: the error, or what was compiled."""
    fields = json.loads((folder / "job.json").read_text())
    fields["divisible"] = tuple(fields["divisible"])
    try:
        compiled = run_job(Job(**fields))
    except TritonCompileError as error:
        return {"message": error.message, "stage": error.stage, "detail": error.detail}
    for stage, text in compiled.asm.items():
        path = folder / stage
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
    plain = {k: v for k, v in compiled.metadata.items() if isinstance(v, str | int | float | None)}
    return {
        "asm": {stage: isinstance(text, bytes) for stage, text in compiled.asm.items()},
        "resources": asdict(compiled.resources),
        "metadata": plain,
    }


if __name__ == "__main__":
    place = Path(sys.argv[1])
    text = json.dumps(answer(place))
    # Written under another name first: a file that is there is whole.
    (place / "answer.tmp").write_text(text)
    (place / "answer.tmp").rename(place / "answer.json")
