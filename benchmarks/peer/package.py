"""Helion's package made ready: unpacked where it can be written, and compiled, as an installer would do it."""

from __future__ import annotations

import compileall
import shutil
import zipfile
from pathlib import Path


def prepared(source: Path, folder: Path, workers: int = 0) -> Path:
    """A folder with the package `helion`, its bytecode compiled: of hundreds of modules, which every worker imports.

    Args:
        source: a wheel, or a folder with an unpacked one.
        folder: where to put it.
        workers: processes that compile; 0: one a processor.
    """
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            wheel.extractall(folder)
    else:
        if not (source / "helion").is_dir():
            raise FileNotFoundError(f"{source} has no package helion")
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(folder, quiet=2, workers=workers)
    return folder
