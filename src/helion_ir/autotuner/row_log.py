"""The measurements of tuning runs as a CSV file (`autotune_log`)."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from helion_ir.autotuner.progress import Reporter
    from helion_ir.autotuner.protocol import Measurement, TunableSpace

COLUMNS = ("run_id", "timestamp_s", "config_id", "generation", "status", "perf_ms", "seconds", "reason", "config")


class RowLog:
    """Appends rows to a file, under a heading where it is new; runs tell themselves apart by `run_id`."""

    def __init__(self, path: Path, report: Reporter, space: TunableSpace):
        self._file = open(path, "a", newline="")
        self._writer = csv.writer(self._file)
        self._report = report
        self._space = space
        self._run = uuid.uuid4().hex[:12]
        self._count = 0
        if self._file.tell() == 0:
            self._writer.writerow(COLUMNS)

    def write(self, rows: Sequence[Measurement], generation: int) -> None:
        """Add measurements, at once readable by others."""
        now = round(self._report.elapsed, 3)
        for row in rows:
            config = self._space.decode(row.assignment)
            self._writer.writerow(
                (self._run, now, self._count, generation, row.stage, row.milliseconds, row.seconds, row.reason, config)
            )
            self._count += 1
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
