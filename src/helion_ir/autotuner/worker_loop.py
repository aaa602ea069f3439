"""The inside of a helper process: reads requests, answers them, and goes when its parent is gone."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Answer = dict[str, Any]
REASON_CHARACTERS = 400


def serve(set_up: Callable[[Mapping[str, Any]], Callable[[Mapping[str, Any]], Answer]]) -> None:
    """Answer requests from standard input until it ends.

    The first is `{"setup": …}`; `set_up` turns it into the function that answers the others.
    """
    _follow_parent()
    # Kernels and compilers print where they like: replies get a descriptor of their own, prints go to stderr.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(answer: Mapping[str, Any]) -> None:
        replies.write(json.dumps(answer) + "\n")
        replies.flush()

    line = sys.stdin.readline()
    if not line:
        return  # whoever wanted this process has changed their mind
    first = json.loads(line)
    try:
        answer = set_up(first["setup"])
    except Exception as e:
        traceback.print_exc()
        reply({"error": reason_of(e)})
        return
    reply({"ready": True, "parts": getattr(answer, "parts", {})})
    for line in sys.stdin:
        reply(answer(json.loads(line)))


def _follow_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def reason_of(error: BaseException) -> str:
    """One line for a table: the class of an exception and the first lines of its text.

    >>> reason_of(ValueError("no such thing"))
    'ValueError: no such thing'
    """
    # Triton reports the line of source first and what is wrong last, under a caret; its cause says it best.
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    lines = [line.strip() for line in str(root).splitlines() if line.strip(" ^\t")]
    text = f"{type(root).__name__}: {' '.join(lines)}" if lines else type(root).__name__
    return text if len(text) <= REASON_CHARACTERS else text[: REASON_CHARACTERS - 1] + "…"
