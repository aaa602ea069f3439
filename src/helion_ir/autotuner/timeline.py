"""Where the wall-clock time of a tuning run went, phase by phase."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Span:
    """Something that took time. Times are of `time.monotonic`."""

    phase: str
    start: float
    end: float
    lane: str = "tuner"
    """Who did it: spans of one lane do not overlap."""
    detail: Mapping[str, Any] = field(default_factory=dict)


class Timeline:
    """Spans as they are known.

    >>> timeline = Timeline()
    >>> timeline.add("compile", 1.0, 3.0, "compiler 1"); timeline.add("compile", 2.0, 4.0, "compiler 2")
    >>> timeline.busy(), timeline.covered()
    ({'compile': 4.0}, {'compile': 3.0})
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.spans: list[Span] = []

    def add(self, phase: str, start: float, end: float, lane: str = "tuner", **detail: Any) -> None:
        self.spans.append(Span(phase, start, end, lane, detail))

    @contextmanager
    def span(self, phase: str, lane: str = "tuner") -> Iterator[None]:
        """What happens inside takes this phase's time."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add(phase, start, time.monotonic(), lane)

    def busy(self) -> dict[str, float]:
        """Seconds by phase, those of several lanes added up."""
        out: dict[str, float] = defaultdict(float)
        for span in self.spans:
            out[span.phase] += span.end - span.start
        return dict(out)

    def covered(self) -> dict[str, float]:
        """Seconds by phase in which at least one lane was at it."""
        out: dict[str, float] = {}
        for phase in dict.fromkeys(s.phase for s in self.spans):
            until = -1.0
            out[phase] = 0.0
            for start, end in sorted((s.start, s.end) for s in self.spans if s.phase == phase):
                out[phase] += max(0.0, end - max(start, until))
                until = max(until, end)
        return out

    def parts(self, phase: str) -> dict[str, float]:
        """Seconds by part of a phase, where those who did it said how they spent it."""
        out: dict[str, float] = defaultdict(float)
        for span in self.spans:
            if span.phase == phase:
                for part, seconds in span.detail.get("parts", {}).items():
                    out[part] += seconds
        return dict(out)

    def first(self, phase: str) -> float | None:
        """Seconds from the beginning until a phase ended for the first time."""
        ends = [s.end - self.began for s in self.spans if s.phase == phase]
        return min(ends) if ends else None

    def write(self, path: Path) -> None:
        """A trace for chrome://tracing or ui.perfetto.dev."""
        lanes = {lane: i for i, lane in enumerate(dict.fromkeys(s.lane for s in self.spans))}
        names = [
            {"ph": "M", "name": "thread_name", "pid": 0, "tid": tid, "args": {"name": lane}}
            for lane, tid in lanes.items()
        ]
        events = [
            {
                "ph": "X",
                "name": s.phase,
                "pid": 0,
                "tid": lanes[s.lane],
                "ts": round(1e6 * (s.start - self.began)),
                "dur": round(1e6 * (s.end - s.start)),
                "args": dict(s.detail),
            }
            for s in self.spans
        ]
        path.write_text(json.dumps({"traceEvents": names + events}))
