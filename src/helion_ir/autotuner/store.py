"""Tuning results on disk: one SQLite file with the best configuration and all rows of each key."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from helion_ir.autotuner.keys import difference
from helion_ir.autotuner.protocol import Measurement, StoreKey
from helion_ir.folders import cache_root

if TYPE_CHECKING:
    from helion_ir.dialects.knob import KnobValue

T = TypeVar("T")

SCHEMA_VERSION = 2
BUSY_SECONDS = 5.0
KEY_FIELDS = ("kernel", "program", "specialization", "target", "version", "space")
_COLUMNS = ", ".join(f"{name} text not null" for name in KEY_FIELDS)
_SCHEMA = f"""
create table if not exists best (
    {_COLUMNS}, assignment text not null, milliseconds real not null, written real not null,
    primary key ({", ".join(KEY_FIELDS)}));
create table if not exists rows (
    {_COLUMNS}, assignment text not null, milliseconds real, stage text not null, reason text not null,
    seconds real not null, written real not null);
create index if not exists rows_by_key on rows ({", ".join(KEY_FIELDS)});
"""
_KEY = " and ".join(f"{name} = ?" for name in KEY_FIELDS)
# Errors that say nothing about the contents: somebody else is writing, or this process may not.
_FILE_IS_GOOD = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}


def default_path() -> Path:
    """`tuning.sqlite` in the folder of `cache_root`."""
    return cache_root() / "tuning.sqlite"


def assignment_to_json(assignment: Mapping[str, KnobValue]) -> str:
    """
    >>> assignment_to_json({"order": (1, 0), "n": 2})
    '{"n": 2, "order": [1, 0]}'
    """
    return json.dumps({k: list(v) if isinstance(v, tuple) else v for k, v in assignment.items()}, sort_keys=True)


def assignment_from_json(text: str) -> dict[str, KnobValue]:
    """What `assignment_to_json` wrote. Raises ValueError for anything that is no assignment."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not an assignment")
    return {k: _value(v) for k, v in values.items()}


def _value(value: Any) -> KnobValue:
    if isinstance(value, list):
        if not all(type(v) is int for v in value):
            raise ValueError(f"not the value of a knob: {value!r}")
        return tuple(value)
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"not the value of a knob: {value!r}")
    return value


class SqliteStore:
    """Results in one file, shared by processes.

    Losing results costs time and nothing else, so nothing here raises: a damaged file is moved aside and begun anew,
    and a file that cannot be opened or stays locked is left alone, either with one warning.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        warn: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
        busy_seconds: float = BUSY_SECONDS,
    ):
        self.path = path or default_path()
        self._warn = warn
        self._busy_seconds = busy_seconds
        self._warned = False

    def best(self, key: StoreKey) -> Measurement | None:
        """The best configuration known for a key."""

        def read(db: sqlite3.Connection) -> Measurement | None:
            found = db.execute(f"select assignment, milliseconds from best where {_KEY}", _fields(key)).fetchone()
            return Measurement(assignment_from_json(found[0]), float(found[1])) if found else None

        return self._try(read, None)

    def rows(self, key: StoreKey) -> list[Measurement]:
        """All measurements of a key, oldest first."""

        def read(db: sqlite3.Connection) -> list[Measurement]:
            query = f"select assignment, milliseconds, stage, reason, seconds from rows where {_KEY} order by rowid"
            return [Measurement(assignment_from_json(a), *rest) for a, *rest in db.execute(query, _fields(key))]

        return self._try(read, [])

    def add(self, key: StoreKey, measurements: Iterable[Measurement]) -> None:
        """Append measurements."""
        now = time.time()
        values = [
            (*_fields(key), assignment_to_json(m.assignment), m.milliseconds, m.stage, m.reason, m.seconds, now)
            for m in measurements
        ]
        insert = f"insert into rows values ({', '.join('?' * (len(KEY_FIELDS) + 6))})"
        self._try(lambda db: db.executemany(insert, values), None)

    def set_best(self, key: StoreKey, best: Measurement) -> None:
        """Replace what is known as best."""
        values = (*_fields(key), assignment_to_json(best.assignment), best.milliseconds, time.time())
        self._try(
            lambda db: db.execute(
                f"insert or replace into best values ({', '.join('?' * (len(KEY_FIELDS) + 3))})", values
            ),
            None,
        )

    def neighbours(self, key: StoreKey, most: int) -> list[Measurement]:
        """The best configurations of the same kernel under other keys, those for the same target and the latest first."""

        def read(db: sqlite3.Connection) -> list[Measurement]:
            query = f"""select assignment, milliseconds from best where kernel = ? and not ({_KEY})
                        order by target = ? desc, written desc limit ?"""
            found = db.execute(query, (key.kernel, *_fields(key), key.target, most))
            return [Measurement(assignment_from_json(a), float(ms)) for a, ms in found]

        return self._try(read, [])

    def why_missing(self, key: StoreKey) -> str:
        """In what the nearest stored result of the kernel differs from a key, as in "triton version (…)"."""

        def read(db: sqlite3.Connection) -> str:
            query = f"select {', '.join(KEY_FIELDS)} from best where kernel = ? order by written desc limit 1000"
            found = [difference(key, StoreKey(*row)) for row in db.execute(query, (key.kernel,))]
            return ", ".join(min((d for d in found if d), key=len, default=[]))

        return self._try(read, "")

    def everything(self) -> list[tuple[StoreKey, Measurement]]:
        """The best configuration of every key, latest last."""

        def read(db: sqlite3.Connection) -> list[tuple[StoreKey, Measurement]]:
            query = f"select {', '.join(KEY_FIELDS)}, assignment, milliseconds from best order by written"
            return [
                (StoreKey(*row[:-2]), Measurement(assignment_from_json(row[-2]), float(row[-1])))
                for row in db.execute(query)
            ]

        return self._try(read, [])

    def _try(self, act: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        for attempt in range(2):
            try:
                db = self._open()
                try:
                    with db:
                        return act(db)
                finally:
                    db.close()
            except OSError as e:
                self._warn_once(f"tuning results at {self.path} cannot be used: {e}")
                return otherwise
            except (sqlite3.Error, ValueError, TypeError) as e:
                if getattr(e, "sqlite_errorcode", 0) & 0xFF in _FILE_IS_GOOD:
                    self._warn_once(f"tuning results at {self.path} cannot be used: {e}")
                    return otherwise
                if attempt or not self._move_aside(e):
                    return otherwise
        return otherwise

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=self._busy_seconds)
        try:
            # Losing the last rows to a power cut is no loss; waiting for the disk after each is.
            db.execute("pragma synchronous = normal")
            # One transaction: between two, another process could have written the schema.
            db.execute("begin")
            version = db.execute("pragma user_version").fetchone()[0]
            tables = db.execute("select count(*) from sqlite_master").fetchone()[0]
            db.commit()
            if version not in (0, SCHEMA_VERSION):
                raise sqlite3.DatabaseError(f"its format is {version}, and this version writes {SCHEMA_VERSION}")
            if version == 0 and tables:
                raise sqlite3.DatabaseError("it holds something else")
            if version == 0:
                db.execute("pragma journal_mode = wal")
                db.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {SCHEMA_VERSION}; commit;")
        except BaseException:
            db.close()
            raise
        return db

    def _move_aside(self, error: Exception) -> bool:
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}-{os.getpid()}")
        self._warn_once(f"tuning results at {self.path} are damaged ({error}); moved to {aside.name} and begun anew")
        try:
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _warn_once(self, text: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"WARNING[TuningStore]: {text}")


class MemoryStore:
    """Results for the life of one process; also what `HELION_SKIP_CACHE` reads from."""

    def __init__(self) -> None:
        self._best: dict[StoreKey, Measurement] = {}
        self._rows: dict[StoreKey, list[Measurement]] = {}

    def best(self, key: StoreKey) -> Measurement | None:
        return self._best.get(key)

    def rows(self, key: StoreKey) -> list[Measurement]:
        return list(self._rows.get(key, ()))

    def add(self, key: StoreKey, measurements: Iterable[Measurement]) -> None:
        self._rows.setdefault(key, []).extend(measurements)

    def set_best(self, key: StoreKey, best: Measurement) -> None:
        self._best[key] = best

    def neighbours(self, key: StoreKey, most: int) -> list[Measurement]:
        found = [m for k, m in self._best.items() if k.kernel == key.kernel and k != key]
        return found[::-1][:most]

    def why_missing(self, key: StoreKey) -> str:
        found = [difference(key, k) for k in self._best if k.kernel == key.kernel]
        return ", ".join(min((d for d in found if d), key=len, default=[]))


def _fields(key: StoreKey) -> tuple[str, ...]:
    return tuple(getattr(key, name) for name in KEY_FIELDS)
