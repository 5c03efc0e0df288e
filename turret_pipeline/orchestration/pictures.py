"""What a person sees of a table in Dagster's UI without a query: a map of the topics, first rows, shares to plot."""

from __future__ import annotations

import base64
import html
from typing import Any

import dagster as dg
import polars as pl

from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_EDGES, TOPIC_ASSIGNMENTS, TOPICS, Table
from turret_pipeline.stages.work import Work

MOST_ROWS = 10
MOST_FIELDS = 3
"""Text fields whose topics are drawn; a project rarely has more, and what is shown is kept with every run."""
MOST_TOPICS, MOST_NAMES = 150, 14
MAP_COLUMNS = ("parent_id", "label", "n_messages", "x", "y")
WIDTH, HEIGHT, MARGIN = 720, 420, 48
EDGE = 90
"""Pixels from a side within which a name is written inwards, or it would be cut off."""
COLOURS = ("#4f43dd", "#0d9488", "#d97706", "#be185d", "#2563eb", "#65a30d", "#9333ea", "#dc2626", "#0891b2", "#a16207")


def pictures(work: Work, table: Table) -> dict[str, Any]:
    """Return what is shown of a project's rows of `table` as metadata of its materialization; often nothing."""
    draw = {
        FIELD_TYPES: _fields,
        TOPICS: _topics,
        TOPIC_ASSIGNMENTS: _assignments,
        JOURNEY_EDGES: _journeys,
    }.get(table)
    return {} if draw is None else draw(work.open(table).scan(), work)


def _fields(rows: pl.LazyFrame, work: Work) -> dict[str, Any]:
    columns = ("field", "type", "confidence", "n_events", "n_distinct", "reason")
    return {"largest fields": _table(rows.sort("n_events", "field", descending=[True, False]), columns)}


def _topics(rows: pl.LazyFrame, work: Work) -> dict[str, Any]:
    topics = rows.filter(pl.col("level") == 0).sort("n_messages", "topic_id", descending=[True, False])
    drawn = topics.select("field", *MAP_COLUMNS).collect()
    largest = drawn.group_by("field").agg(pl.col("n_messages").sum()).sort("n_messages", "field", descending=True)
    shown: dict[str, Any] = {"topics": drawn.height}
    for field in largest["field"].head(MOST_FIELDS):
        of_field = drawn.filter(pl.col("field") == field)
        image = base64.b64encode(topic_map(of_field.head(MOST_TOPICS)).encode()).decode()
        shown[f"map of {field}"] = dg.MetadataValue.md(f"![topics of a field](data:image/svg+xml;base64,{image})")
    return shown | {"top topics": _table(topics, ("label", "n_messages", "n_texts", "field"))}


def _assignments(rows: pl.LazyFrame, work: Work) -> dict[str, Any]:
    counts = rows.select(texts=pl.len(), without=pl.col("topic_id").null_count()).collect().row(0)
    return {"texts": counts[0], "share without a topic": round(counts[1] / counts[0], 4) if counts[0] else 0.0}


def _journeys(rows: pl.LazyFrame, work: Work) -> dict[str, Any]:
    labels = work.open(TOPICS).scan().select("field", "topic_id", "label")
    moves = rows.sort("count", "field", "from_topic", "to_topic", descending=[True, False, False, False])
    for end in ("from", "to"):
        named = labels.rename({"topic_id": f"{end}_topic", "label": end})
        moves = moves.join(named, on=["field", f"{end}_topic"], how="left", maintain_order="left")
        moves = moves.with_columns(pl.coalesce(end, f"{end}_topic").alias(end))
    inner = (pl.col("from_topic") != "start") & (pl.col("to_topic") != "end")
    started = pl.col("count").filter(pl.col("from_topic") == "start").sum()
    counts = rows.select(moves=pl.col("count").filter(inner).sum(), sessions=started).collect()
    shown = _table(moves.filter(inner), ("field", "from", "to", "count", "sessions", "probability", "median_gap_s"))
    return {"most frequent moves": shown, **counts.row(0, named=True)}


def _table(rows: pl.LazyFrame, columns: tuple[str, ...]) -> dg.TableMetadataValue:
    frame = rows.select(columns).head(MOST_ROWS).collect()
    rounded = frame.with_columns(pl.selectors.float().round(3))
    schema = dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in rounded.schema.items()])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rounded.to_dicts()], schema)


def topic_map(topics: pl.DataFrame) -> str:
    """Return an SVG of topics in the plane: area by messages, colour by theme, the largest with their names.

    topics: the columns `MAP_COLUMNS`, largest first.
    """
    themes = {theme: number for number, theme in enumerate(sorted(set(topics["parent_id"].drop_nulls())))}
    if topics.is_empty():
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{MARGIN}"></svg>'
    (left, right), (low, high) = _span(topics["x"]), _span(topics["y"])
    most = max(1, topics["n_messages"][0])
    dots, names = [], []
    for number, (parent, label, n, x, y) in enumerate(topics.select(MAP_COLUMNS).rows()):
        across = MARGIN + (x - left) / (right - left) * (WIDTH - 2 * MARGIN)
        down = HEIGHT - MARGIN - (y - low) / (high - low) * (HEIGHT - 2 * MARGIN)
        colour = COLOURS[themes.get(parent, 0) % len(COLOURS)]
        radius = 3 + 22 * (n / most) ** 0.5
        dots.append(f'<circle cx="{across:.0f}" cy="{down:.0f}" r="{radius:.1f}" fill="{colour}" fill-opacity=".55"/>')
        if number < MOST_NAMES:
            words = html.escape(label if len(label) <= 28 else f"{label[:27]}…")
            anchor = "start" if across < EDGE else "end" if across > WIDTH - EDGE else "middle"
            names.append(f'<text x="{across:.0f}" y="{down + 4:.0f}" text-anchor="{anchor}">{words}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff" stroke="#ddd"/>{"".join(dots)}'
        f'<g font-family="sans-serif" font-size="11" fill="#111" stroke="#fff" stroke-width="3" '
        f'paint-order="stroke">{"".join(names)}</g></svg>'
    )


def _span(values: pl.Series) -> tuple[float, float]:
    low, high = (float(value) for value in values.to_frame().select(low=pl.all().min(), high=pl.all().max()).row(0))
    return (low, high) if high > low else (low - 1, high + 1)
