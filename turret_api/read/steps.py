"""The steps of journeys as the API holds them: numbers in session order, so that a question scans columns and no texts.

They are read once for each state of the table (16 bytes a step, so that those of ten million messages can be kept at
hand). Filters take steps away; what people merged, and the level of themes, give topics other names; visits follow.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from turret_api.read.edits import edits_of
from turret_api.read.filters import Filters, event_values
from turret_api.read.messages import SOURCES, topics_of
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import EVENTS, JOURNEY_STEPS
from turret_pipeline.lake.visits import UNASSIGNED, visits_of

STEP_SOURCES = (*SOURCES, JOURNEY_STEPS)
"""Tables that visits under filters follow from."""

MANY = 1 << 16


def field_visits(snapshot: Snapshot, field: str, filters: Filters, level: int) -> pl.DataFrame:
    """Return the visits of the messages that pass, session after session, each in order.

    Columns: `session` (its number, see `sessions_of`), `topic_id` (categorical), `started_at`, `ended_at`.
    """

    def compute() -> pl.DataFrame:
        steps = field_steps(snapshot, field, filters, level)
        found = visits_of(steps.select("topic_id", "timestamp", session_id="session"))
        return found.select("topic_id", "started_at", "ended_at", session="session_id")

    return snapshot.remember(("visits", field, filters, level), STEP_SOURCES, compute)


def field_steps(
    snapshot: Snapshot, field: str, filters: Filters, level: int, number: str | None = None
) -> pl.DataFrame:
    """Return the steps of the messages that pass, in order: `session`, `topic_id`, `name`, `timestamp`.

    number: a field of which each step has the `number`, null where its event has none.
    """
    steps = _passing(snapshot, field, filters, number)
    return steps.with_columns(_renamed(snapshot, field, level, steps["topic_id"]))


def numbered(visits: pl.DataFrame) -> pl.DataFrame:
    """Return `visits` with `visit`, which is 0 where a session begins and only there; as `lake.visits.moves` wants."""
    return visits.with_columns(visit=(pl.col("session") == pl.col("session").shift()).fill_null(False).cast(pl.Int8))


def sessions_of(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `session_id` and `user_id` (of its first message) of every session; its number is its row's."""

    def compute() -> pl.DataFrame:
        return _read(snapshot, field, "session_id", "user_id").filter(pl.col("place") == 0).drop("place")

    return snapshot.remember(("sessions", field), (JOURNEY_STEPS,), compute)


def _steps(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return all steps in order: `session` (a number), `topic_id`, `name` (both categorical), `timestamp`."""

    def compute() -> pl.DataFrame:
        rows = _read(snapshot, field, "topic_id", "name", "timestamp")
        session = (pl.col("place") == 0).cum_sum().cast(pl.UInt32) - 1
        topic, name = rows["topic_id"].fill_null(UNASSIGNED), rows["name"]
        return rows.select(session.alias("session"), _compact(topic), _compact(name), "timestamp")

    return snapshot.remember(("steps", field), (JOURNEY_STEPS,), compute)


def _numbers(snapshot: Snapshot, field: str, number: str) -> pl.DataFrame:
    """Return the `number` that each step's event has in the field `number`."""

    def compute() -> pl.DataFrame:
        values = event_values(snapshot, number).select("event_id", "number")
        ids = _read(snapshot, field, "event_id")
        return ids.join(values, on="event_id", how="left", maintain_order="left").select("number")

    return snapshot.remember(("step numbers", field, number), (JOURNEY_STEPS, EVENTS), compute)


def _passing(snapshot: Snapshot, field: str, filters: Filters, number: str | None) -> pl.DataFrame:
    """Return the steps of the messages that pass."""
    steps = _steps(snapshot, field)
    if number is not None:
        steps = steps.with_columns(_numbers(snapshot, field, number)["number"])
    if filters.segments:
        of_segments = Filters(segments=filters.segments)

        def compute() -> pl.DataFrame:
            ids = _read(snapshot, field, "event_id").select("event_id").with_row_index("row")
            rows = of_segments.apply(snapshot, ids.lazy()).select("row").collect()["row"]
            passes = np.zeros(ids.height, dtype=bool)
            passes[rows.to_numpy()] = True
            return pl.DataFrame({"passes": passes})

        passes = snapshot.remember(("passing", field, filters.segments), STEP_SOURCES, compute)["passes"]
        steps = steps.filter(passes)
    plain = Filters(filters.since, filters.until, filters.name)
    return plain.apply(snapshot, steps.lazy()).collect() if plain else steps


def _renamed(snapshot: Snapshot, field: str, level: int, topic: pl.Series) -> pl.Series:
    """Return `topic` with the topics that others were merged into, or (level 1) with the themes that they belong to."""
    merged = edits_of(snapshot, field).merged
    if not merged and not level:
        return topic
    parents = dict(topics_of(snapshot, field).drop_nulls("parent_id").select("topic_id", "parent_id").iter_rows())
    used = topic.unique()
    names = {}
    for code, name in zip(used.to_physical(), used.cast(pl.String), strict=True):
        end = merged.get(name, name)
        names[code] = parents.get(end, end) if level else end
    texts = pl.Series([names.get(code, "") for code in range(max(names, default=-1) + 1)], dtype=pl.String)
    return _compact(texts).gather(topic.to_physical()).alias(topic.name)


def _read(snapshot: Snapshot, field: str, *columns: str) -> pl.DataFrame:
    """Return `place` and `columns` of all steps of the field, session after session, each in order."""
    rows = snapshot.scan(JOURNEY_STEPS).filter(pl.col("field") == field).select("place", *columns).collect()
    before = pl.col("place").shift()
    in_order = rows.select(((pl.col("place") == before + 1) | (pl.col("place") == 0)).all()).item()
    if in_order:
        return rows
    # Whoever wrote the files may have laid rows in another order than they were given in.
    key = ("received_date", "session_id", "place")
    wanted = snapshot.scan(JOURNEY_STEPS).filter(pl.col("field") == field)
    return wanted.select({*key, *columns}).sort(key).collect().select("place", *columns)


def _compact(texts: pl.Series) -> pl.Series:
    """Return `texts` as categories of two bytes each, if there are not too many for that."""
    physical = pl.UInt16 if texts.n_unique() < MANY - 2 else pl.UInt32
    return texts.cast(pl.Categorical(pl.Categories.random(physical=physical)))
