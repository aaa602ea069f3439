"""Results on disk: kept, told apart by key, and never in the way when the file is damaged."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from helion_ir.autotuner.exchange import export_results, import_results
from helion_ir.autotuner.protocol import Candidate, Measurement, StoreKey
from helion_ir.autotuner.store import MemoryStore, SqliteStore, assignment_from_json, assignment_to_json, default_path

KEY = StoreKey("k", "p", "bf16[8]", "h200", "helion-ir 1 triton 3.7 torch 2.13", "s")
ASSIGNMENT = {"order": (1, 0, 2), "n": 3, "flag": True, "policy": "first", "loop": None}
BEST = Measurement(ASSIGNMENT, 0.125)
ROWS = [BEST, Measurement({**ASSIGNMENT, "n": 4}, None, "wrong", "1 of 2 elements differ", 0.5)]


def store_at(path: Path) -> tuple[SqliteStore, list[str]]:
    warnings: list[str] = []
    return SqliteStore(path, warn=warnings.append, busy_seconds=0.2), warnings


def filled(path: Path) -> None:
    store, warnings = store_at(path)
    store.set_best(KEY, BEST)
    store.add(KEY, ROWS * 200)
    assert not warnings


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tuning.sqlite"
    store, warnings = store_at(path)
    assert store.best(KEY) is None and store.rows(KEY) == []
    store.set_best(KEY, replace(BEST, milliseconds=9.0))
    store.set_best(KEY, BEST)
    store.add(KEY, ROWS)
    store.add(KEY, ROWS[:1])
    fresh, _ = store_at(path)
    assert fresh.best(KEY) == BEST
    assert fresh.rows(KEY) == [*ROWS, ROWS[0]]
    found = fresh.rows(KEY)[0].assignment
    assert type(found["flag"]) is bool and type(found["order"]) is tuple
    assert warnings == []


@pytest.mark.parametrize("field", ["kernel", "program", "specialization", "target", "version", "space"])
def test_every_part_of_the_key_counts(tmp_path: Path, field: str) -> None:
    filled(tmp_path / "t.sqlite")
    store, _ = store_at(tmp_path / "t.sqlite")
    other = replace(KEY, **{field: "other"})
    assert store.best(other) is None and store.rows(other) == []


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and never was one " * 200)


def damage_truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))


def damage_schema(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("drop table rows")
    db.execute("drop table best")
    db.commit()
    db.close()


def damage_values(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("update best set assignment = '[not json'")
    db.commit()
    db.close()


def damage_version(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 99")
    db.close()


@pytest.mark.parametrize(
    "damage", [damage_garbage, damage_truncate, damage_middle, damage_schema, damage_values, damage_version]
)
def test_damage_is_one_warning_and_a_new_file(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "t.sqlite"
    filled(path)
    damage(path)  # pyright: ignore[reportCallIssue]
    store, warnings = store_at(path)
    assert store.best(KEY) is None
    store.set_best(KEY, BEST)
    store.add(KEY, ROWS)
    assert store.best(KEY) == BEST and store.rows(KEY) == ROWS
    assert len(warnings) == 1 and "moved to t.sqlite.damaged-" in warnings[0]
    assert len(list(tmp_path.glob("t.sqlite.damaged-*"))) == 1


def test_a_foreign_database_is_moved_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    db = sqlite3.connect(path)
    db.execute("create table recipes (name text)")
    db.execute("insert into recipes values ('soup')")
    db.commit()
    db.close()
    store, warnings = store_at(path)
    store.set_best(KEY, BEST)
    assert store.best(KEY) == BEST and len(warnings) == 1
    [aside] = tmp_path.glob("t.sqlite.damaged-*")
    assert sqlite3.connect(aside).execute("select name from recipes").fetchone() == ("soup",)


def test_a_lock_is_one_warning_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    filled(path)
    holder = sqlite3.connect(path)
    holder.execute("begin exclusive")
    store, warnings = store_at(path)
    store.set_best(KEY, replace(BEST, milliseconds=1.0))
    store.add(KEY, ROWS)
    assert len(warnings) == 1 and "cannot be used: database is locked" in warnings[0]
    holder.rollback()
    holder.close()
    assert store.best(KEY) == BEST
    assert list(tmp_path.glob("*damaged*")) == []


def test_no_directory_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store, warnings = store_at(tmp_path / "file" / "t.sqlite")
    store.set_best(KEY, BEST)
    assert store.best(KEY) is None and len(warnings) == 1


def _write(path: Path, name: str) -> None:
    store = SqliteStore(path)
    for n in range(20):
        store.add(KEY, [Measurement({"from": name, "n": n}, 1.0)])


def test_two_processes_begin_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(path, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    store, warnings = store_at(path)
    assert len(store.rows(KEY)) == 40 and warnings == []
    assert list(tmp_path.glob("*damaged*")) == []


def test_only_values_of_knobs_are_read() -> None:
    assert assignment_from_json(assignment_to_json(ASSIGNMENT)) == ASSIGNMENT
    for text in ("[1]", '{"a": {"b": 1}}', '{"a": ["x"]}', "{"):
        with pytest.raises(ValueError):
            assignment_from_json(text)


def test_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELION_IR_CACHE_DIR", "/somewhere")
    assert default_path() == Path("/somewhere/tuning.sqlite")
    monkeypatch.delenv("HELION_IR_CACHE_DIR")
    assert default_path() == Path.home() / ".cache" / "helion_ir" / "tuning.sqlite"


def test_rows_can_be_pasted() -> None:
    for value in (BEST, ROWS[1], Candidate(ASSIGNMENT)):
        assert eval(repr(value)) == value


def test_a_miss_explains_itself(tmp_path: Path) -> None:
    store, _ = store_at(tmp_path / "t.sqlite")
    assert store.why_missing(KEY) == ""
    store.set_best(replace(KEY, version="helion-ir 1 triton 3.6 torch 2.12", target="h100"), BEST)
    assert store.why_missing(KEY) == (
        "target (h100 stored, h200 now), triton version (3.6 stored, 3.7 now), torch version (2.12 stored, 2.13 now)"
    )
    store.set_best(replace(KEY, version="helion-ir 1 triton 3.6 torch 2.13"), BEST)
    assert store.why_missing(KEY) == "triton version (3.6 stored, 3.7 now)"
    for either in (store, MemoryStore()):
        for field, words in (
            ("program", "the kernel's program"),
            ("specialization", "shapes, strides or types of the arguments"),
            ("space", "what can be configured"),
        ):
            other = replace(KEY, kernel=field)
            either.set_best(replace(other, **{field: "other"}), BEST)
            assert either.why_missing(other) == words


def test_results_of_other_shapes_are_neighbours(tmp_path: Path) -> None:
    store, _ = store_at(tmp_path / "t.sqlite")
    rows = [replace(BEST, milliseconds=float(n)) for n in range(1, 5)]
    store.set_best(replace(KEY, specialization="bf16[16]", target="a100"), rows[0])
    store.set_best(replace(KEY, specialization="bf16[32]"), rows[1])
    store.set_best(replace(KEY, specialization="bf16[64]"), rows[2])
    store.set_best(replace(KEY, kernel="another"), rows[3])
    store.set_best(KEY, BEST)
    assert store.neighbours(KEY, 5) == [rows[2], rows[1], rows[0]]
    assert store.neighbours(KEY, 1) == [rows[2]]


def test_carried_as_json(tmp_path: Path) -> None:
    here, _ = store_at(tmp_path / "here.sqlite")
    here.set_best(KEY, BEST)
    here.set_best(replace(KEY, kernel="other"), replace(BEST, milliseconds=2.0))
    path = tmp_path / "results.json"
    assert export_results(here, path) == 2
    there, warnings = store_at(tmp_path / "there.sqlite")
    there.set_best(KEY, replace(BEST, milliseconds=0.001))
    assert import_results(there, path, warnings.append) == 1
    assert there.best(KEY) == replace(BEST, milliseconds=0.001)
    assert there.best(replace(KEY, kernel="other")) == replace(BEST, milliseconds=2.0)
    assert export_results(here, path, kernel="k") == 1 and not warnings

    data = json.loads(path.read_text())
    good = data["results"][0]
    bad = [None, {}, {**good, "milliseconds": "fast"}, {**good, "assignment": [1]}, {**good, "key": {"kernel": 1}}]
    bad.append({**good, "assignment": {"n": {"m": 1}}})
    path.write_text(json.dumps({**data, "results": [*bad, {**good, "milliseconds": 0.0001}]}))
    assert import_results(there, path, warnings.append) == 1
    assert len(warnings) == len(bad) and "entry 3 is skipped: ValueError: 'fast' is no time" in warnings[2]
    for text in ("", "[]", "{}", json.dumps({"helion_ir_results": 7, "results": []})):
        path.write_text(text)
        with pytest.raises(ValueError, match="results.json holds no tuning results"):
            import_results(there, path, warnings.append)


def test_a_full_disk_is_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    filled(path)
    store, warnings = store_at(path)
    opened = store._open

    def small() -> sqlite3.Connection:
        db = opened()
        pages = db.execute("pragma page_count").fetchone()[0]
        db.execute(f"pragma max_page_count = {pages}")
        return db

    store._open = small  # pyright: ignore[reportAttributeAccessIssue]
    store.add(KEY, ROWS * 500)
    assert len(warnings) == 1 and "cannot be used: database or disk is full" in warnings[0]
    # What was there is still there.
    fresh, quiet = store_at(path)
    assert fresh.best(KEY) == BEST and len(fresh.rows(KEY)) == 400 and not quiet
