"""Out of Dagster's tables in Postgres: what was shown of rows, and errors that quote a text.

Dagster keeps what each materialization showed of its table: labels of topics, maps, the largest fields, reasons why a
field failed. Which of it came from what was erased cannot be told, so all of it goes that materializations of this
project showed; numbers stay, but those of one field, for their captions name it. A materialization itself stays, and
with it the partition that it made.

Everywhere else (errors, messages, ticks, configurations) a text is replaced if an erased value is in it, but only texts
that people read: a user may have written a word that is the name of an asset too.

Dagster is not imported: its rows are JSON, as the standard library writes it. That library alone reads all of it again,
half an emoji and numbers of any size included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from psycopg2 import sql
from psycopg2.extensions import connection

from turret_api.erasing.erased import Done
from turret_api.erasing.words import ERASED, Words

PLACE = "Dagster's tables"
SCHEMA = "dagster"
_AT_ONCE = 2_000

_NUMBERS = ("IntMetadataEntryData", "FloatMetadataEntryData")
_OF_THE_CODE = ("TableColumnLineageMetadataValue", "TableSchemaMetadataEntryData")
_READ_BY_PEOPLE = frozenset(
    (
        "message",
        "user_message",
        "stack",
        "text",
        "md_str",
        "records",
        "description",
        "reason",
        "error",
        "cause",
        "context",
    )
)
"""Keys below which texts are for people; Dagster itself goes by others."""


class _Column(NamedTuple):
    """A column with JSON, and that of its row's key."""

    table: str
    key: str
    column: str


COLUMNS = (
    _Column("event_logs", "id", "event"),
    _Column("asset_keys", "id", "last_materialization"),
    _Column("asset_check_executions", "id", "evaluation_event"),
    _Column("runs", "id", "run_body"),
    _Column("job_ticks", "id", "tick_body"),
    _Column("bulk_actions", "id", "body"),
    _Column("asset_daemon_asset_evaluations", "id", "asset_evaluation_body"),
)
"""Where Dagster stores what a run said; every other table has names, states and times only."""


def erase_from_dagster(opened: connection, project_id: str, words: Words) -> list[Done]:
    """After this call no row of Dagster's shows what was erased; raise psycopg2's errors.

    `opened` is committed. What the rows were before lies in the files of Postgres until these are written anew.
    """
    n_rows: dict[str, int] = {}
    for each in COLUMNS:
        if not _is_there(opened, each.table):
            continue
        for keys, documents in _batches(opened, each):
            changed = list(_changed(keys, documents, project_id, words))
            if changed:
                _write(opened, each, changed)
            n_rows[each.table] = n_rows.get(each.table, 0) + len(changed)
    opened.commit()
    return [Done(PLACE, f"rows of {table} without what they showed", n) for table, n in n_rows.items() if n] or [
        Done(PLACE, "rows without what they showed", 0)
    ]


def documents(opened: connection) -> Iterator[str]:
    """Yield all that runs said, as JSON; raise psycopg2's errors."""
    for each in COLUMNS:
        if _is_there(opened, each.table):
            for _, said in _batches(opened, each):
                yield from said


def _changed(keys: Sequence[int], documents: Sequence[str], project_id: str, words: Words) -> Iterator[tuple[int, str]]:
    """Yield key and new document of the rows that change."""
    quotes = words.are_in_json(documents)
    for key, document, has_words in zip(keys, documents, quotes, strict=True):
        may_show = "metadata" in document and project_id in document
        if not has_words and not may_show:
            continue
        try:
            said = json.loads(document)
        except ValueError:
            if has_words:
                yield key, json.dumps(ERASED)
            continue
        new = _without_shown(said, project_id) if may_show else said
        if has_words:
            new = _without_words(new, words)
        if new != said:
            yield key, json.dumps(new)


def _without_shown(said: Any, project_id: str) -> Any:
    """Return a document in which materializations of the project show numbers only, and checks no examples."""
    if isinstance(said, list):
        return [_without_shown(each, project_id) for each in said]
    if not isinstance(said, dict):
        return said
    kept = {name: _without_shown(value, project_id) for name, value in said.items()}
    if _is_of(said.get("partition"), project_id):
        if isinstance(said.get("metadata_entries"), list):
            kept["metadata_entries"] = [each for each in kept["metadata_entries"] if _stays(each)]
        if isinstance(said.get("metadata"), dict):
            kept["metadata"] = {
                name: value for name, value in kept["metadata"].items() if _stays({"label": name, "entry_data": value})
            }
    if said.get("__class__") == "AssetCheckEvaluation" and isinstance(said.get("metadata"), dict):
        kept["metadata"] = {name: value for name, value in kept["metadata"].items() if name != "for example"}
    return kept


def _stays(entry: dict[str, Any]) -> bool:
    """Whether an entry is of the code, or a number that is of no field."""
    label, kind = str(entry.get("label", "")), (entry.get("entry_data") or {}).get("__class__")
    return kind in _OF_THE_CODE or (kind in _NUMBERS and " of " not in label)


def _is_of(partition: Any, project_id: str) -> bool:
    """Whether a partition is of the project: its own, or one of its days (`2026-11-30|project`)."""
    if isinstance(partition, dict):
        partition = partition.get("partition_key") or ""
    return isinstance(partition, str) and project_id == partition.rpartition("|")[2]


def _without_words(said: Any, words: Words, is_read: bool = False) -> Any:
    """Return a document in which texts for people that have an erased value say only that."""
    if isinstance(said, dict):
        return {
            name: _without_words(value, words, not name.startswith("__") and (is_read or name in _READ_BY_PEOPLE))
            for name, value in said.items()
        }
    if isinstance(said, list):
        return [_without_words(each, words, is_read) for each in said]
    return ERASED if is_read and isinstance(said, str) and words.are_in([said])[0] else said


def _is_there(opened: connection, table: str) -> bool:
    with opened.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.{table}",))
        row = cursor.fetchone()
    return row is not None and row[0] is not None


def _batches(opened: connection, of: _Column) -> Iterator[tuple[list[int], list[str]]]:
    """Yield keys and documents of all rows, some at a time, in order of the keys."""
    words = "SELECT {key}, {column} FROM {table} WHERE {key} > %s AND {column} <> '' ORDER BY {key} LIMIT %s"
    query = sql.SQL(words).format(
        key=sql.Identifier(of.key), column=sql.Identifier(of.column), table=sql.Identifier(SCHEMA, of.table)
    )
    last = -1
    while True:
        with opened.cursor() as cursor:
            cursor.execute(query, (last, _AT_ONCE))
            rows = cursor.fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield [row[0] for row in rows], [str(row[1]) for row in rows]


def _write(opened: connection, of: _Column, changed: Sequence[tuple[int, str]]) -> None:
    query = sql.SQL("UPDATE {table} SET {column} = %s WHERE {key} = %s").format(
        key=sql.Identifier(of.key), column=sql.Identifier(of.column), table=sql.Identifier(SCHEMA, of.table)
    )
    with opened.cursor() as cursor:
        cursor.executemany(query, [(document, key) for key, document in changed])
    opened.commit()
