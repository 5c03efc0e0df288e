"""What Dagster's UI is told of a table's columns: their types and meaning, and which columns they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from turret_pipeline.lake.parts import PART_SCHEMA
from turret_pipeline.lake.tables import TABLES, Table

RAW_EVENTS = "raw_events"
COLUMN_LINEAGE = "dagster/column_lineage"
"""Name of the metadata that the UI draws columns' origins from; it looks for it in materializations."""


def _made(columns: str, *sources: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(columns.split(), sources)


MADE_FROM: dict[str, dict[str, tuple[str, ...]]] = {
    "events": _made("received_date", "raw_events.received_at"),
    "field_profiles": _made("field n_events n_values evidence", "events.metadata") | _made("month", "events.timestamp"),
    "field_types": _made(
        "type detected_type confidence reason n_null n_distinct summary",
        "field_profiles.evidence",
    ),
    "field_totals": _made("evidence", "field_profiles.evidence"),
    "field_history": _made("type confidence reason", "field_profiles.evidence"),
    "messages": _made("text text_id", "events.metadata", "field_types.type"),
    "embeddings": _made("vector", "messages.text"),
    "topics": _made("topic_id parent_id level x y centroid radius", "embeddings.vector")
    | _made("label keywords examples", "messages.text", "embeddings.vector")
    | _made("n_messages n_texts fitted_texts", "messages.text_id"),
    "topic_assignments": _made("topic_id similarity", "embeddings.vector"),
    "topic_days": _made("n_messages", "messages.event_id")
    | _made("date first_at", "messages.timestamp")
    | _made("n_sessions", "messages.session_id"),
    "journey_steps": _made("place", "messages.timestamp")
    | _made("topic_id", "topic_assignments.topic_id")
    | _made("message_date", "messages.received_date"),
    "step_values": _made("segment", "field_types.field")
    | _made("values numbers", "events.metadata")
    | _made("places order", "journey_steps.place", "journey_steps.timestamp"),
    "journey_moves": _made("from_topic to_topic count", "journey_steps.topic_id")
    | _made("sessions", "journey_steps.session_id")
    | _made("gaps_s", "journey_steps.timestamp"),
    "journey_edges": _made("probability", "journey_moves.count")
    | _made("median_gap_s p25_gap_s p75_gap_s p95_gap_s", "journey_moves.gaps_s"),
}
"""By table and column, the columns that it is computed from; a column without an entry is that of the same name."""


def described(table: Table, after: tuple[str, ...]) -> dict[str, Any]:
    """Return the metadata of an asset that follows from its table's declaration; `after`: names of what it reads.

    Where a column comes from stands with its meaning too: Dagster's open-source UI draws no lineage of columns.
    """
    origins = lineage(table, after)
    columns = [
        dg.TableColumn(
            column.name,
            str(column.dtype),
            column.meaning + _from(origins.deps_by_column.get(column.name, ())),
            dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,)),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        COLUMN_LINEAGE: origins,
        "dagster/table_name": table.name,
        "unique by": ", ".join(table.key),
    }


def _from(sources: Sequence[dg.TableColumnDep]) -> str:
    named = [(source.asset_key.to_user_string(), source.column_name) for source in sources]
    names = [f"{table}.{column}" for table, column in named if column != "project_id"]
    return f" ← {', '.join(names)}" if names else ""


def lineage(table: Table, after: tuple[str, ...]) -> dg.TableColumnLineage:
    """Return for each column of `table` the columns, among those of the tables `after`, that it comes from."""
    known: Mapping[str, tuple[str, ...]] = MADE_FROM.get(table.name, {})
    deps = {}
    for column in table.schema:
        same = tuple(f"{name}.{column}" for name in after if column in _columns(name))
        sources = (each.split(".") for each in known.get(column, same))
        deps[column] = [dg.TableColumnDep(dg.AssetKey(name), source) for name, source in sources]
    return dg.TableColumnLineage({column: sources for column, sources in deps.items() if sources})


def _columns(name: str) -> list[str]:
    return PART_SCHEMA.names() if name == RAW_EVENTS else TABLES[name].schema.names()
