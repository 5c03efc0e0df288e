"""The segments of a topic: how its messages, or their sessions or users, spread over the values of enum fields."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import Meaning, typed_rows
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_steps
from turret_api.read.views.units import Unit, how_many
from turret_pipeline.lake.tables import FIELD_TYPES

SEGMENT_VALUES = 50


class SegmentValue(TypedDict):
    """A value of an enum field among the messages of a topic."""

    value: str
    size: Annotated[int, Meaning("messages; with `unit`: sessions, or users, with such a message")]
    share: Annotated[float, Meaning("of the topic's messages (or of the unit) that have the field")]
    share_of_all: Annotated[float, Meaning("of all messages (or of the unit) that have the field")]
    """Of a viewer both are of those without a value too, if few have none."""


class Segment(TypedDict):
    """How the messages of a topic spread over the values of an enum field; all parts add up to the messages.

    Sessions and users (`unit`) may have several values, so their parts do not add up.
    """

    field: str
    values: list[SegmentValue]
    n_rest: Annotated[
        int,
        Meaning(
            "the topic's messages with a value that is not listed; of a viewer, those without one if few have none"
        ),
    ]
    n_none: Annotated[int, Meaning("the topic's messages without a value")]


def segments_of(
    snapshot: Snapshot, field: str, topic_id: str, filters: Filters, level: int, unit: Unit
) -> list[Segment]:
    """Return for each enum field how the topic's messages spread over its values, beside all messages.

    The values that are listed, `n_rest` and `n_none` add up to the topic's messages. Of sessions and users each value,
    `n_rest` and `n_none` count those with such a message.
    """
    if filters.few:
        return _of_enough(snapshot, field, topic_id, filters, level, unit)
    if unit != "messages":
        return _of_unit(snapshot, field, topic_id, filters, level, unit)
    enums = _enums(snapshot)
    is_this = pl.col("topic_id") == topic_id
    found: list[Segment] = []
    for enum in enums:

        def compute(enum: str = enum) -> pl.DataFrame:
            steps = field_steps(snapshot, field, filters, level, value=enum)
            counted = steps.group_by("topic_id", "value").agg(pl.len().cast(pl.Int64).alias("n"))
            return counted.cast({"topic_id": pl.String, "value": pl.String})

        counts = snapshot.remember(("segment_counts", field, enum, filters, level), SOURCES, compute)
        n_none = int(counts.filter(is_this, pl.col("value").is_null())["n"].sum())
        counts = counts.drop_nulls("value")
        total, mine = int(counts["n"].sum()), int(counts.filter(is_this)["n"].sum())
        values = (
            counts.group_by("value")
            .agg(pl.col("n").filter(is_this).sum().alias("size"), pl.col("n").sum().alias("all"))
            .sort(["size", "all", "value"], descending=[True, True, False])
            .head(SEGMENT_VALUES)
            .select(
                "value",
                "size",
                share=pl.col("size") / max(mine, 1),
                share_of_all=pl.col("all") / max(total, 1),
            )
        )
        if values.height:
            n_rest = mine - int(values["size"].sum())
            listed = typed_rows(values, SegmentValue)
            found.append({"field": enum, "values": listed, "n_rest": n_rest, "n_none": n_none})
    return found


def _of_unit(snapshot: Snapshot, field: str, topic_id: str, filters: Filters, level: int, unit: Unit) -> list[Segment]:
    """Return the segments of a topic counted in sessions or users."""
    is_this, n = pl.col("topic_id") == topic_id, how_many(unit)
    found: list[Segment] = []
    for enum in _enums(snapshot):
        steps = field_steps(snapshot, field, filters, level, value=enum, users=True)
        mine, sent = steps.filter(is_this), steps.filter(pl.col("value").is_not_null())
        of_all = sent.group_by("value").agg(all=n)
        counted = of_all.join(mine.group_by("value").agg(size=n), on="value", how="left")
        values = (
            counted.with_columns(pl.col("size").fill_null(0), pl.col("value").cast(pl.String))
            .sort(["size", "all", "value"], descending=[True, True, False])
            .head(SEGMENT_VALUES)
        )
        if values.is_empty():
            continue
        n_mine = mine.filter(pl.col("value").is_not_null()).select(n.alias("n")).item()
        n_all = sent.select(n.alias("n")).item()
        listed = values.with_columns(share=pl.col("size") / max(n_mine, 1), share_of_all=pl.col("all") / max(n_all, 1))
        is_rest = ~pl.col("value").cast(pl.String).is_in(values["value"].to_list())
        found.append(
            {
                "field": enum,
                "values": typed_rows(listed, SegmentValue),
                "n_rest": mine.filter(is_rest).select(n.alias("n")).item(),
                "n_none": mine.filter(pl.col("value").is_null()).select(n.alias("n")).item(),
            }
        )
    return found


def _of_enough(
    snapshot: Snapshot, field: str, topic_id: str, filters: Filters, level: int, unit: Unit
) -> list[Segment]:
    """Return the segments of a topic in which no number is of fewer than `filters.few` users, nor follows from them."""
    n = how_many(unit)
    found: list[Segment] = []
    for enum in _enums(snapshot):
        steps = field_steps(snapshot, field, filters, level, value=enum, users=True)
        is_this = pl.col("topic_id").cast(pl.String) == topic_id
        segment = of_enough(enum, steps.with_columns(pl.col("value").cast(pl.String), is_this=is_this), filters.few, n)
        found += [] if segment is None else [segment]
    return found


def of_enough(field: str, steps: pl.DataFrame, few: int, n: pl.Expr) -> Segment | None:
    """Return the segment of a topic of which each number is of `few` users or more, here and elsewhere; None: none is.

    The shares tell how many have the field, in the topic and in all. So a value is listed where so many users sent it
    with the topic, and so many (or none) with others. All other values are in `n_rest`, with as many of the smallest
    listed ones as hide them likewise; and where few have no value, these are there too, and shares are of all.

    steps: `value`, `is_this` (topic), `person` and what `n` counts.
    """
    users = steps.select("value", "is_this", user="person").unique()

    def is_enough(rows: pl.Expr) -> bool:
        sides = [users.filter(rows, pl.col("is_this") == side)["user"].n_unique() for side in (True, False)]
        return all(each == 0 or each >= few for each in sides)

    sides = users.group_by("value").agg(
        here=pl.col("is_this").sum().cast(pl.Int64), there=(~pl.col("is_this")).sum().cast(pl.Int64)
    )
    may_be_listed = (pl.col("here") >= few) & ((pl.col("there") == 0) | (pl.col("there") >= few))
    listed = sides.filter(may_be_listed, pl.col("value").is_not_null()).sort("here", "value", descending=[True, False])
    values = listed["value"].head(SEGMENT_VALUES).to_list()
    is_none = pl.col("value").is_null()
    none_apart = is_enough(is_none)

    def rest() -> pl.Expr:
        return ~pl.col("value").is_in(values).fill_null(none_apart)

    while values and not is_enough(rest()):
        values.pop()
    if not values:
        return None
    counted = steps.filter(~is_none) if none_apart else steps
    here = steps.filter("is_this")
    n_mine, n_all = (max(each.select(n.alias("n")).item(), 1) for each in (counted.filter("is_this"), counted))
    sizes = dict(here.group_by("value").agg(n=n).iter_rows())
    of_all = dict(steps.group_by("value").agg(n=n).iter_rows())
    rows: list[SegmentValue] = [
        {"value": name, "size": sizes[name], "share": sizes[name] / n_mine, "share_of_all": of_all[name] / n_all}
        for name in values
    ]
    n_rest, n_none = (here.filter(each).select(n.alias("n")).item() for each in (rest(), is_none))
    return {"field": field, "values": rows, "n_rest": n_rest, "n_none": n_none if none_apart else 0}


def _enums(snapshot: Snapshot) -> list[str]:
    """Return the fields of type enum, in order."""
    found = snapshot.scan(FIELD_TYPES).filter(pl.col("type") == "enum").select("field").sort("field").collect()
    return found["field"].to_list()
