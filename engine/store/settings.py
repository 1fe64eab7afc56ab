"""Named settings that belong to the data, not to one user's window. Strings only; knows no setting by name."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from engine.store.tables import settings


def read_setting(connection: Connection, name: str, default: str) -> str:
    """The stored value, or the default."""
    value = connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()
    return default if value is None else value


def write_setting(connection: Connection, name: str, value: str) -> None:
    """Replace the stored value."""
    connection.execute(delete(settings).where(settings.c.name == name))
    connection.execute(insert(settings).values(name=name, value=value))
