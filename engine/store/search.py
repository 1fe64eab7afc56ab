"""The worklist's text filter: what is indexed, and how typed words become a query. Knows the two dialects; never runs a query.

A study's searchable words stand in one column, folded (lower case, without accents) and each preceded by two spaces. A typed word of three
letters or more matches anywhere; one or two letters match the beginning of a word: the two spaces make `"  a"` and `" ab"` trigrams too, so
that one trigram index answers both.
"""

from __future__ import annotations

import unicodedata

from sqlalchemy import ColumnElement, and_

from engine.store.tables import studies


def fold(value: str) -> str:
    """Lower case without accents; DICOM's separators of a name (PS3.5 6.2: `^` and `=`) become spaces."""
    plain = value.translate(_SEPARATORS)
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return plain.casefold()


_SEPARATORS = str.maketrans("^=\t\r\n\0", "      ")


def search_text(*values: str) -> str:
    """What is stored for a study whose searchable fields are `values`."""
    return "".join(f"  {word}" for value in values for word in fold(value).split())


def patterns(typed: str) -> list[str]:
    """Substrings that a study's search text must all hold, for what the user has typed so far."""
    return [word if len(word) > 2 else f"{' ' * (3 - len(word))}{word}" for word in fold(typed).split()]


def fts_query(typed: str) -> str:
    """The FTS5 expression: each pattern a quoted phrase, all of them required (SQLite's FTS5 page, section 3)."""
    return " AND ".join('"' + pattern.replace('"', '""') + '"' for pattern in patterns(typed))


def contains_all(typed: str) -> ColumnElement[bool]:
    """The same filter by LIKE, for databases without FTS5."""
    return and_(*(studies.c.search_text.contains(pattern, autoescape=True) for pattern in patterns(typed)))
