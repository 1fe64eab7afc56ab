"""Studies, jobs, results and readings that survive any crash: SQL rows, and arrays beside them. Never decodes a pixel, never imports torch.

`Store` is the whole interface; what it returns are the frozen rows of `engine.store.rows`. SQLite (write-ahead log) in the data folder by
default; PostgreSQL by URL with the same code. Every change is one transaction that is on the disk before the call returns. All write
transactions follow one another (SQLite's write lock, PostgreSQL's advisory lock): there is little to write, and it leaves no race.
"""

from __future__ import annotations

from engine.store.store import Store

__all__ = ["Store"]
