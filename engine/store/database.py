"""The connection to SQLite or PostgreSQL: pragmas, transactions, and database errors in words. Knows no table but the change counter."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select, text, update
from sqlalchemy.exc import DBAPIError

from engine.errors import StorageUnavailable
from engine.store.migrations import CURRENT_VERSION, migrate, refuse_newer, version
from engine.store.tables import changes

BUSY_MILLISECONDS = 60_000  # the longest write, ranking 100,000 studies anew, takes some seconds
_WRITER = 0x6E6F726D
"""One number for all Normascope processes: PostgreSQL's advisory lock of writers."""

_CURES = (
    ("full", "the disk is full", "Free some space and try again; nothing was half-written."),
    ("disk i/o", "the disk reported an error", "Check the disk and its free space, then try again."),
    ("readonly", "the folder cannot be written to", "Allow writing to it, or choose another data folder."),
    (
        "unable to open",
        "the database cannot be opened or created",
        "Allow writing to its folder, or choose another data folder.",
    ),
    ("not a database", "the file is not a Normascope database", "Move it away, or choose another data folder."),
    ("malformed", "the database is damaged", "Restore it from a backup, or choose another data folder."),
    ("locked", "the database is busy", "Close other programs that use it, then try again."),
    ("connection", "the database server does not answer", "Check that it runs and that the address is right."),
    ("server", "the database server does not answer", "Check that it runs and that the address is right."),
)


class Database:
    """One database, migrated to the version of this code. Safe to use from several threads and processes at once."""

    def __init__(self, url: str | None, folder: Path) -> None:
        """Raises StorageUnavailable when it cannot be opened, written to, or belongs to a newer Normascope."""
        self.folder = folder
        address = make_url(url) if url else URL.create("sqlite", database=str(folder / "normascope.sqlite"))
        self.where = str(address.database) if address.get_backend_name() == "sqlite" else address.render_as_string()
        self.engine = _engine(address)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writer = threading.Lock()
        with self.reading() as connection:
            found = version(connection)
        refuse_newer(found, self.where)
        if found < CURRENT_VERSION:
            with self._transaction(write=True) as connection:
                migrate(connection, self.where)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database and waits for no writer."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def writing(self, *, announce: bool = True) -> Iterator[Connection]:
        """A transaction that is committed to the disk whole, or not at all. `announce` raises the change token."""
        # threads of one process queue here, in turn; other processes wait for the database's own lock, which SQLite polls
        with self._writer, self._transaction(write=True) as connection:
            yield connection
            if announce:
                self.announce(connection)

    def announce(self, connection: Connection) -> None:
        """Raise the change token when the transaction is committed."""
        connection.execute(update(changes).values(token=changes.c.token + 1))

    def change_token(self) -> int:
        """Grows with every announced change by any process."""
        with self.reading() as connection:
            return int(connection.execute(select(changes.c.token)).scalar_one())

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(write=write) as connection, connection.begin():
                if write and not self.is_sqlite:
                    # one writer at a time, as SQLite has it: the same code is then free of races on both
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITER})
                yield connection
        except DBAPIError as error:
            raise _in_words(error, self.where) from error


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True)
    engine = create_engine(address, connect_args={"timeout": BUSY_MILLISECONDS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not by the driver's guess
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a reading that was acknowledged survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA cache_size = -32000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that means to write waits for its turn at the start; upgraded later, it could not wait
    writes = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _in_words(error: DBAPIError, where: str) -> Exception:
    """StorageUnavailable for what the user can cure; the error itself for a fault of ours."""
    message = str(error.orig).lower()
    kinds: tuple[type[Any], ...] = (sqlite3.OperationalError, sqlite3.DatabaseError)
    ours = isinstance(error.orig, (sqlite3.IntegrityError, sqlite3.ProgrammingError))
    if not ours and (isinstance(error.orig, kinds) or error.connection_invalidated or "connection" in message):
        for sign, what, cure in _CURES:
            if sign in message:
                return StorageUnavailable(what, where=where, cure=cure)
    return error
