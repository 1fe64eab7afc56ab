"""Databases of every earlier version open and keep what they held; those of a later version are refused and left alone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from engine.errors import StorageUnavailable
from engine.store import Store, migrations, tables


@pytest.fixture
def version_1(tmp_path: Path, make_series: Any) -> Path:
    """A data folder as version 1 left it: made by that version's own step, filled by plain SQL, with one study that was scored and read."""
    folder = tmp_path / "old"
    folder.mkdir()
    database = sqlite3.connect(folder / "normascope.sqlite")
    steps: list[str] = []

    class Recorder:
        class dialect:  # noqa: N801
            name = "sqlite"

        def exec_driver_sql(self, statement: str) -> None:
            steps.append(statement)

    migrations.MIGRATIONS[0](Recorder())  # type: ignore[arg-type]
    for statement in steps:
        database.execute(statement)
    database.execute("CREATE TABLE schema_version (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)")
    database.execute("INSERT INTO schema_version VALUES (1, 1)")
    database.execute(
        "INSERT INTO studies VALUES (1, '1.1.1', 'P1', 'Müller^Anna', 'F', '', 'CR', 'CHEST', 'PA', '2023-01-02', 'Routine', 'A7', '', 0, 1,"
        " 5.0, 'done', 91.5, 91.5, 'error', 'm', 0, '', 'normal')"
    )
    document = json.dumps(make_series(1).to_json())
    database.execute("INSERT INTO series VALUES (1, '1.2.1', '1.1.1', ?, 5.0)", (document,))
    database.execute("INSERT INTO bundles VALUES ('abc', 'm', '/m', '{}', 1, 5.0)")
    database.execute("INSERT INTO jobs VALUES (1, '1.2.1', '1.1.1', 'abc', 'done', 0, 0, 0, 0, '', 0, 0, '', 5.0, 6.0)")
    scores = '{"error": {"score": 2.0, "percentile": 91.5, "flagged": false}}'
    database.execute(
        "INSERT INTO results VALUES (1, '1.2.1', '1.1.1', 'abc', ?, 'error', 91.5, 0, NULL, '', '', '[]', 6.0)",
        (scores,),
    )
    database.execute("INSERT INTO readings VALUES (1, '1.1.1', 'normal', 'fine', 'r', 7.0, 91.5, 'error', 'm')")
    database.commit()
    database.close()
    return folder


def test_a_version_1_database_keeps_everything_and_can_be_searched(version_1: Path) -> None:
    store = Store(None, version_1)
    (row,) = store.worklist("muller 2023 routine")
    assert (row.study_uid, row.percentile, row.read_state) == ("1.1.1", 91.5, "normal")
    assert [series.key for series in store.series_of("1.1.1")] == ["1.2.1"]
    assert store.results_of("1.1.1")[0].percentile == 91.5
    assert store.readings_of("1.1.1")[0].note == "fine"
    with store._database.reading() as connection:
        assert migrations.version(connection) == migrations.CURRENT_VERSION


def test_old_results_of_unknown_content_are_made_anew_when_they_are_next_imported(
    version_1: Path, make_series: Any
) -> None:
    store = Store(None, version_1)
    store.add_series([make_series(1, fingerprint="known", patient_id="P1")])
    assert [(row.status, row.percentile, row.read_state) for row in store.worklist()] == [("queued", None, "normal")]


def test_a_migration_that_breaks_off_leaves_the_database_as_it_was(
    version_1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_off(connection: Any) -> None:
        migrations._version_3(connection)
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS[:2], breaks_off))
    with pytest.raises(RuntimeError, match="power cut"):
        Store(None, version_1)
    with sqlite3.connect(version_1 / "normascope.sqlite") as database:
        assert database.execute("SELECT version FROM schema_version").fetchone() == (1,)
        assert "search_text" not in {row[1] for row in database.execute("PRAGMA table_info(studies)")}
    monkeypatch.undo()
    assert Store(None, version_1).worklist_size("anna") == 1


def test_a_newer_database_is_refused_with_the_cure_and_left_alone(store: Store, tmp_path: Path) -> None:
    store.close()
    file = tmp_path / "data" / "normascope.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE schema_version SET version = 999")
    with pytest.raises(StorageUnavailable, match="newer Normascope") as caught:
        Store(None, tmp_path / "data")
    assert caught.value.where == str(file)
    assert "Update Normascope" in str(caught.value)


def test_the_migrated_tables_have_the_columns_that_the_queries_name(store: Store) -> None:
    found = inspect(store._database.engine)
    for table in tables.metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.c.keys()), table.name


def test_several_processes_may_open_a_new_folder_at_once(tmp_path: Path) -> None:
    code = "import sys; from engine.store import Store; print(Store(None, sys.argv[1]).change_token())"
    command = [sys.executable, "-c", code, str(tmp_path / "new")]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [opener.communicate()[0].strip() for opener in openers] == ["1"] * 4
