"""The tables as the code of today sees them. Only queries are made from these; `migrations` makes and changes the real ones."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, Table, Text

metadata = MetaData()

studies = Table(
    "studies",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("study_uid", Text),
    Column("patient_id", Text),
    Column("patient_name", Text),
    Column("sex", Text),
    Column("age", Text),
    Column("modality", Text),
    Column("body_part", Text),
    Column("view_position", Text),
    Column("study_date", Text),
    Column("description", Text),
    Column("accession_number", Text),
    Column("label", Text),
    Column("synthetic", Boolean),
    Column("series_count", Integer),
    Column("added_at", Float),
    # what follows is derived from jobs, results and readings, and kept here so that the worklist is one indexed query
    Column("status", Text),
    Column("percentile", Float),
    Column("percentile_mean", Float),
    Column("excess", Float),  # orders those whose percentile is the same
    Column("score_name", Text),
    Column("bundle_id", Text),
    Column("flagged", Boolean),
    Column("error", Text),
    Column("read_state", Text),
    Column("search_text", Text),
)

series = Table(
    "series",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("key", Text),
    Column("study_uid", Text),
    Column("document", Text),  # Series.to_json
    Column("added_at", Float),
    Column("fingerprint", Text),  # of the content that jobs and results are of
)

bundles = Table(
    "bundles",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("id", Text),
    Column("path", Text),
    Column("card", Text),
    Column("current", Boolean),
    Column("registered_at", Float),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("series_key", Text),
    Column("study_uid", Text),
    Column("bundle_hash", Text),
    Column("state", Text),
    Column("priority", BigInteger),
    Column("attempts", Integer),
    Column("crashes", Integer),
    Column("named", Boolean),
    Column("worker", Text),
    Column("heartbeat", Float),
    Column("due_at", Float),  # not to be claimed before
    Column("reason", Text),
    Column("created_at", Float),
    Column("finished_at", Float),
)

results = Table(
    "results",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("series_key", Text),
    Column("study_uid", Text),
    Column("bundle_hash", Text),
    Column("scores", Text),
    Column("primary_score", Text),
    Column("percentile", Float),
    Column("excess", Float),
    Column("flagged", Boolean),
    Column("posterior", Float),
    Column("heatmap", Text),
    Column("reconstruction", Text),
    Column("neighbours", Text),
    Column("difference", Text),
    Column("warnings", Text),
    Column("created_at", Float),
)

superseded_results = Table(  # results whose images changed, or that were asked for anew: kept, never shown
    "superseded_results",
    metadata,
    *(Column(column.name, column.type, primary_key=column.primary_key) for column in results.c),
    Column("superseded_at", Float),
)

readings = Table(
    "readings",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("study_uid", Text),
    Column("verdict", Text),
    Column("note", Text),
    Column("reader", Text),
    Column("read_at", Float),
    Column("percentile", Float),
    Column("score_name", Text),
    Column("bundle_id", Text),
)

settings = Table("settings", metadata, Column("name", Text, primary_key=True), Column("value", Text))

changes = Table("changes", metadata, Column("id", Integer, primary_key=True), Column("token", BigInteger))

schema_version = Table("schema_version", metadata, Column("id", Integer, primary_key=True), Column("version", Integer))
