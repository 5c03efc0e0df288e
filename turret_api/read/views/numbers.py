"""Number fields beside topics and journeys: what they come to for each, and how they spread over bins.

The bins of a field are those of `/v1/fields`, cut at its values' quantiles; each is a segment too
(`segment.<field>=10..20`). Messages without a number there are counted too (`n_none`), so that everything adds up.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import NotFoundError, invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import Meaning, typed_rows
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import field_steps, walked_steps
from turret_pipeline.lake.tables import FIELD_TYPES
from turret_pipeline.semantics.visits import END, START

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

_Bounds = TypedDict(
    "_Bounds",
    {
        "from": Annotated[float | None, Meaning("included; null: no bound. `from..to` is also a segment")],
        "to": Annotated[float | None, Meaning("not included; null: no bound")],
    },
)


class Bin(_Bounds):
    """How many numbers lie between two bounds."""

    count: int


class Numbers(TypedDict):
    """What some messages have in a number field."""

    count: Annotated[int, Meaning("that have a number in the field")]
    n_none: Annotated[int, Meaning("that have none")]
    min: float | None
    max: float | None
    mean: float | None
    quantiles: Annotated[dict[str, float] | None, Meaning("by share, from 0.05 to 0.95")]
    bins: Annotated[list[Bin], Meaning("those of the field in /v1/fields; together all that have a number")]


class NumberSum(TypedDict):
    """What a number field comes to over some messages; each message counts once, for its topic."""

    sum: Annotated[float, Meaning("0 where no message has a number")]
    mean: float | None
    median: float | None
    n: Annotated[int, Meaning("messages that have a number in the field")]


class Number(Numbers):
    """What the messages of a topic have in a number field."""

    field: str
    sum: Annotated[float, Meaning("of the topic's messages")]
    mean_of_all: Annotated[float | None, Meaning("of all messages that pass")]


def topic_numbers(snapshot: Snapshot, field: str, topic_id: str, filters: Filters, level: int) -> list[Number]:
    """Return what the topic's messages have in each number field, beside the mean of all messages, and by bin."""
    found: list[Number] = []
    for name, bins in number_fields(snapshot).items():

        def compute(name: str = name, bins: list[Bin] = bins) -> pl.DataFrame:
            steps = field_steps(snapshot, field, filters, level, number=name)
            counted = steps.group_by("topic_id").agg(*_statistics(bins), pl.col("number").sum().alias("total"))
            return counted.cast({"topic_id": pl.String})

        by_topic = snapshot.remember(("number_counts", field, name, filters, level), SOURCES, compute)
        mean_of_all = by_topic.select(pl.col("total").sum() / pl.col("count").sum()).item()
        for row in by_topic.filter(pl.col("topic_id") == topic_id).iter_rows(named=True):
            found.append({"field": name, **_shown(row, bins), "sum": row["total"], "mean_of_all": mean_of_all})
    return [each for each in found if each["count"]]


def edge_numbers(
    snapshot: Snapshot, field: str, name: str, filters: Filters, level: int
) -> dict[tuple[str, str], Numbers]:
    """Return for each edge (from, to) what the number field `name` comes to over its moves.

    A move has the number of the message that begins the visit moved to; one to `end`, that of the session's last
    message. Raise `NotFoundError` if there is no such field, and an `ApiError` if it is no number.
    """
    bins = _bins_of(snapshot, name)

    def compute() -> pl.DataFrame:
        steps = walked_steps(snapshot, field, filters, level, number=name).lazy()
        topic, session = pl.col("topic_id"), pl.col("session")
        ordered = steps.with_columns(
            first=(session != session.shift()).fill_null(True),
            last=(session != session.shift(-1)).fill_null(True),
            before=topic.shift(),
        )
        into = ordered.filter(pl.col("first") | (topic != pl.col("before"))).select(
            pl.when(~pl.col("first")).then("before").alias("from"), topic.alias("to"), "number"
        )
        out = ordered.filter("last").select(topic.alias("from"), pl.when(False).then(topic).alias("to"), "number")
        counted = pl.concat([into, out]).group_by("from", "to").agg(*_statistics(bins))
        named = counted.cast({"from": pl.String, "to": pl.String})
        return named.with_columns(pl.col("from").fill_null(START), pl.col("to").fill_null(END)).collect()

    edges = snapshot.remember(("edge_numbers", field, name, filters, level), SOURCES, compute)
    return {(row["from"], row["to"]): _shown(row, bins) for row in edges.iter_rows(named=True)}


def number_sums(
    snapshot: Snapshot, field: str, name: str, filters: Filters, level: int
) -> tuple[dict[str, NumberSum], NumberSum]:
    """Return what the number field `name` comes to for each topic (`unassigned`: none) that has messages, and over all.

    The sums of the topics add up to that over all, and so do their `n`. Raise an `ApiError` if it is no number field.
    """
    _bins_of(snapshot, name)

    def compute() -> pl.DataFrame:
        steps = field_steps(snapshot, field, filters, level, number=name)
        number = pl.col("number")
        stats = {"sum": number.sum(), "mean": number.mean(), "median": number.median(), "n": number.count()}
        by_topic = steps.group_by(pl.col("topic_id").cast(pl.String)).agg(**stats)
        return pl.concat([by_topic, steps.select(topic_id=pl.lit(None, pl.String), **stats)])

    sums = snapshot.remember(("number_sums", field, name, filters, level), SOURCES, compute)
    found = dict(zip(sums["topic_id"], typed_rows(sums, NumberSum), strict=True))
    return {topic: each for topic, each in found.items() if topic is not None}, found[None]


def _bins_of(snapshot: Snapshot, name: str) -> list[Bin]:
    """Return the bins of a number field; raise `NotFoundError` if there is none, an `ApiError` if it is no number."""
    known = dict(snapshot.scan(FIELD_TYPES).select("field", "type").collect().iter_rows())
    if name not in known:
        raise NotFoundError(f"There is no field {name!r}; GET /v1/fields lists them.", field="number")
    if known[name] != "number":
        raise invalid(f"The field {name!r} is of type {known[name]}; only numbers can be added up.", field="number")
    return number_fields(snapshot)[name]


def number_fields(snapshot: Snapshot) -> dict[str, list[Bin]]:
    """Return the bins of each field whose type in force is number, in order of the field."""
    rows = snapshot.scan(FIELD_TYPES).filter(pl.col("type") == "number").select("field", "summary").sort("field")
    return {field: orjson.loads(summary).get("bins") or [] for field, summary in rows.collect().iter_rows()}


def _statistics(bins: list[Bin]) -> list[pl.Expr]:
    number = pl.col("number")
    return [
        number.count().cast(pl.Int64).alias("count"),
        number.null_count().cast(pl.Int64).alias("n_none"),
        number.min().alias("min"),
        number.max().alias("max"),
        number.mean().alias("mean"),
        *(number.quantile(share, "linear").alias(str(share)) for share in QUANTILES),
        *(
            number.filter(
                (number >= (float("-inf") if each["from"] is None else each["from"]))
                & (number < (float("inf") if each["to"] is None else each["to"]))
            )
            .count()
            .cast(pl.Int64)
            .alias(f"bin {place}")
            for place, each in enumerate(bins)
        ),
    ]


def _shown(row: dict[str, Any], bins: list[Bin]) -> Numbers:
    return {
        "count": row["count"],
        "n_none": row["n_none"],
        "min": row["min"],
        "max": row["max"],
        "mean": row["mean"],
        "quantiles": {str(share): row[str(share)] for share in QUANTILES} if row["count"] else None,
        "bins": [
            {"from": each["from"], "to": each["to"], "count": row[f"bin {place}"]} for place, each in enumerate(bins)
        ],
    }
