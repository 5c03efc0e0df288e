"""One topic: its course, its segments and numbers, its neighbours, and what comes before and after it in sessions."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import NotFoundError
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, BuiltAt, Meaning, ModelVersion, Question, documented, typed_rows
from turret_api.read.questions.of_field import TOPICS_BUILT, stamp
from turret_api.read.questions.topics.fits import became
from turret_api.read.questions.topics.mood import Mood, topic_mood
from turret_api.read.questions.topics.rows import TopicRow, topic_rows
from turret_api.read.questions.topics.segments import SEGMENT_VALUES, Segment, segments_of
from turret_api.read.questions.topics.topics import TOPIC_SOURCES
from turret_api.read.sql.numbers import STATISTICS
from turret_api.read.sql.topics import TRENDS_LEFT_OUT, days, lineage, topic_views
from turret_api.read.sql.views import how_many, value_views
from turret_api.read.views.filters import NO_FILTERS, Filters
from turret_api.read.views.journeys import JOURNEY_SOURCES, graph_edges
from turret_api.read.views.messages import choose_field
from turret_api.read.views.moves import move_topics
from turret_api.read.views.numbers import Number, topic_numbers
from turret_api.read.views.topics import edits_of, labels_of, topics_of
from turret_api.read.views.units import Unit, edge_users, node_units, topic_days_told, unit_days
from turret_api.read.views.windows import windows_of
from turret_pipeline.lake.tables import FIELD_TYPES, TOPICS
from turret_pipeline.semantics.kinds import MOVES

NEIGHBOURS = 5
MOST_MOVES = 10


class Day(TypedDict):
    """The messages of a topic on one day; with `unit`: its sessions, or its users, and their share of all that day."""

    date: dt.date
    size: int
    share: float


class Neighbour(TypedDict):
    """A topic that is like another."""

    topic_id: str
    label: str
    similarity: float


class Move(TypedDict):
    """Moves of sessions from a topic, or to it; with `unit`: the sessions, or their users, that move so."""

    topic_id: str
    label: str
    count: int
    share: Annotated[float, Meaning("of all such moves; with `unit`: of the sessions, or users, that visit the topic")]


class TopicDefinition(TypedDict):
    """What a person defined a topic by."""

    examples: list[str]
    counter_examples: list[str]


@documented
class Topic(TopicRow):
    """One topic with all that is told of it; it has no empty form, for a topic that is not there is 404."""

    field: str
    definition: Annotated[
        TopicDefinition | None, Meaning("what a defined topic is defined by; null: it was found"), OF_TEXTS
    ]
    series: list[Day]
    mood: Annotated[Mood | None, Meaning("how its messages sound"), OF_TEXTS]
    segments: list[Segment]
    numbers: Annotated[list[Number], Meaning("each number field, over the topic's messages"), OF_TEXTS]
    neighbours: list[Neighbour]
    before: Annotated[list[Move], Meaning("what sessions came from, most first")]
    after: Annotated[list[Move], Meaning("what sessions went on to, most first")]
    built_at: BuiltAt
    model_version: ModelVersion


@dataclass(frozen=True)
class OneTopic(Question):
    """What is the topic (of `field`, should two fields have one of this id), counted from messages that pass?"""

    topic_id: str
    field: str | None = None
    filters: Filters = NO_FILTERS
    unit: Unit = "messages"

    tables = (*JOURNEY_SOURCES, *TOPIC_SOURCES)
    answers = Topic
    is_open = True

    def for_viewer(self, least: int) -> OneTopic:
        """Return the same question about counts of `least` users or more."""
        return dataclasses.replace(self, filters=self.filters.for_viewer(least))

    def answer(self, snapshot: Snapshot) -> Topic:
        """Return the topic, or the one that it is merged into; raise `NotFoundError` if there is none.

        A kind of moves of conversation is told as a topic is, among all messages.
        """
        try:
            field, topic_id, filters, level = self._found(snapshot)
        except NotFoundError:
            if self.filters.few:  # what it became may be a topic of few users
                raise self._hidden() from None
            raise
        all_rows, daily = topic_rows(snapshot, field, filters, level, self.unit)
        found = next(each for each in all_rows if each["topic_id"] == topic_id)
        if filters.few and not found["size"]:  # too few users have it
            raise self._hidden()
        if self.unit != "messages" or filters.few:
            told = topic_days_told(snapshot, field, filters, level, topic_id)
            daily = unit_days(snapshot, field, filters, level, self.unit, told)
        labels = labels_of(snapshot, field)
        shown = {each["topic_id"]: each["label"] for each in all_rows if each["size"]} if filters.few else labels
        edges, n_here = _edges(snapshot, field, filters, level, self.unit, topic_id)
        stamped = stamp(snapshot, field, TOPICS_BUILT)
        return {
            **found,
            "field": field,
            "definition": _definition(snapshot, field, topic_id),
            "series": _series(daily, topic_id),
            "mood": topic_mood(snapshot, field, topic_id, filters, level),
            "segments": segments_of(snapshot, field, topic_id, filters, level, self.unit),
            "numbers": topic_numbers(snapshot, field, topic_id, filters, level),
            "neighbours": _neighbours(snapshot, field, topic_id, level, shown),
            "before": _moves(edges, "to_topic", "from_topic", topic_id, labels, n_here),
            "after": _moves(edges, "from_topic", "to_topic", topic_id, labels, n_here),
            "built_at": stamped["built_at"],
            "model_version": stamped["model_version"],
        }

    def _hidden(self) -> NotFoundError:
        return NotFoundError(f"There is no topic {self.topic_id!r} that so many users have.", field="topic_id")

    def _found(self, snapshot: Snapshot) -> tuple[str, str, Filters, int]:
        """Return field, topic (after merges), filters and level; raise `NotFoundError` if there is none."""
        if self.topic_id in MOVES:
            field = choose_field(snapshot, self.field)
            if field is None or self.topic_id not in move_topics(snapshot, field)["topic_id"]:
                raise NotFoundError(f"There are no messages of the kind {self.topic_id!r}.", field="topic_id")
            return field, self.topic_id, self.filters.with_moves(), 0
        field = find_topic(snapshot, self.topic_id, self.field)
        topic_id = edits_of(snapshot, field).merged.get(self.topic_id, self.topic_id)
        return field, topic_id, self.filters, 0 if topic_id in topics_of(snapshot, field)["topic_id"] else 1

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the topic, part by part."""
        field, topic_id, filters, level = self._found(snapshot)
        filters = filters.placed(snapshot, field)
        topic = literal(topic_id)
        views = topic_views(field, filters, level, windows_of(snapshot, field, filters), self.unit)
        fields = snapshot.scan(FIELD_TYPES).select("field", "type").collect()
        names = fields.filter(pl.col("type").is_in(["enum", "number"]))["field"].to_list()
        views |= value_views(field, [*names, *(name for name, _ in filters.segments)])
        views["valued_steps"] = (
            "the messages that count with what their events have in each enum and number field",
            """
SELECT topic_id, session_id, user_id, field_types.field, field_types.type, event_values.value, event_values.number
FROM counted_steps
CROSS JOIN field_types
LEFT JOIN event_values ON event_values.event_id = counted_steps.event_id AND event_values.field = field_types.field
WHERE field_types.type IN ('enum', 'number')""",
        )
        mine, n = f"FILTER (topic_id = {topic})", how_many(self.unit)
        series = f"""
SELECT timestamp::DATE AS date, {n} {mine} AS size, {n} {mine} / {n} AS share
FROM counted_steps GROUP BY date ORDER BY date"""
        segments = f"""
WITH counted AS (
    SELECT field, value, {n} {mine} AS size, {n} AS n_all
    FROM valued_steps WHERE type = 'enum' AND value IS NOT NULL GROUP BY field, value
), whole AS (
    SELECT field, {n} {mine} AS n_mine, {n} AS n_whole
    FROM valued_steps WHERE type = 'enum' AND value IS NOT NULL GROUP BY field
)
SELECT field, value, size, size / greatest(n_mine, 1) AS share, n_all / n_whole AS share_of_all
FROM counted JOIN whole USING (field)
QUALIFY row_number() OVER (PARTITION BY field ORDER BY size DESC, n_all DESC, value) <= {SEGMENT_VALUES}
ORDER BY field, size DESC, n_all DESC, value"""
        without = f"""
SELECT field, {n} AS n_none FROM valued_steps
WHERE type = 'enum' AND topic_id = {topic} AND value IS NULL GROUP BY field ORDER BY field"""
        numbers = f"""
WITH means AS (SELECT field, avg(number) AS mean_of_all FROM valued_steps GROUP BY field)
SELECT field, mean_of_all, sum(number) AS sum,
    {STATISTICS}
FROM valued_steps JOIN means USING (field)
WHERE type = 'number' AND topic_id = {topic} GROUP BY field, mean_of_all HAVING count(number) > 0 ORDER BY field"""
        bins = f"""
WITH bins AS (
    SELECT field, unnest(from_json(summary -> '$.bins', '[{{"from": "DOUBLE", "to": "DOUBLE"}}]')) AS bin
    FROM field_types WHERE type = 'number'
)
SELECT bins.field, bin['from'] AS "from", bin['to'] AS "to", count(number) AS "count"
FROM bins LEFT JOIN valued_steps ON valued_steps.field = bins.field AND topic_id = {topic}
    AND number >= coalesce(bin['from'], '-inf'::DOUBLE) AND number < coalesce(bin['to'], 'inf'::DOUBLE)
GROUP BY bins.field, bin ORDER BY bins.field, "from" NULLS FIRST"""
        neighbours = f"""
WITH same_level AS (SELECT * FROM shown_topics WHERE field = {literal(field)} AND level = {level})
SELECT other.topic_id, other.label,
    round(list_dot_product(other.centroid::DOUBLE[], this.centroid::DOUBLE[]), 6) AS similarity
FROM same_level AS other JOIN same_level AS this ON this.topic_id = {topic} AND other.topic_id <> this.topic_id
ORDER BY similarity DESC, other.topic_id LIMIT {NEIGHBOURS}"""
        parts = {
            "topic": f"SELECT * FROM listed_topics WHERE topic_id = {topic}",
            "trend.days": days(f"topic_id = {topic}", self.unit),
            "lineage": lineage(field),
            "series": series,
            "segments": segments,
            "segments.n_none": without,
            "numbers": numbers,
            "numbers.bins": bins,
            "neighbours": neighbours,
            "mood.data": _MOOD.format(topic),
            "mood.days": _MOOD_DAYS.format(topic),
            "before": _moves_sql("to_topic", "from_topic", topic, self.unit),
            "after": _moves_sql("from_topic", "to_topic", topic, self.unit),
        }
        return Queries(parts, views, TRENDS_LEFT_OUT)


def _definition(snapshot: Snapshot, field: str, topic_id: str) -> TopicDefinition | None:
    found = edits_of(snapshot, field).defined.get(topic_id)
    if found is None:
        return None
    return {"examples": list(found.examples), "counter_examples": list(found.counter_examples)}


def find_topic(snapshot: Snapshot, topic_id: str, field: str | None) -> str:
    """Return the field that has the topic (`field` itself, if it has); raise `NotFoundError` if there is none."""
    found = snapshot.scan(TOPICS).filter(pl.col("topic_id") == topic_id).select("field").collect()["field"].sort()
    if field in found.to_list() or (field is None and found.len()):
        return field or str(found[0])
    raise NotFoundError(f"There is no topic {topic_id!r}; {became(snapshot, topic_id)}.", field="topic_id")


def _series(daily: pl.DataFrame, topic_id: str) -> list[Day]:
    """Return the topic's messages on every day that has any message.

    daily: as `daily_counts` has messages, or `unit_days` sessions and users, with those of all topics beside.
    """
    of_all = daily.filter(pl.col("topic_id").is_null())
    per_day = (of_all if of_all.height else daily).group_by("date").agg(pl.col("n").sum().alias("total"))
    mine = daily.filter(pl.col("topic_id") == topic_id).select("date", "n")
    size = pl.col("n").fill_null(0)
    found = per_day.join(mine, on="date", how="left").sort("date")
    return typed_rows(found.select("date", size=size, share=size / pl.col("total")), Day)


def _neighbours(snapshot: Snapshot, field: str, topic_id: str, level: int, labels: dict[str, str]) -> list[Neighbour]:
    """Return the `NEIGHBOURS` topics of the level, of those with `labels`, that point most nearly the same way."""
    rows = (
        snapshot.scan(TOPICS)
        .filter(pl.col("field") == field, pl.col("level") == level, pl.col("topic_id").is_in(list(labels)))
        .select("topic_id", "centroid")
        .sort("topic_id")
        .collect()
    )
    ids = rows["topic_id"].to_list()
    if topic_id not in ids:
        return []
    vectors = np.array(rows["centroid"].to_list(), dtype=np.float32)
    similarity = vectors @ vectors[ids.index(topic_id)]
    order = [int(i) for i in np.argsort(-similarity, kind="stable") if ids[int(i)] != topic_id][:NEIGHBOURS]
    return [{"topic_id": ids[i], "label": labels[ids[i]], "similarity": round(float(similarity[i]), 6)} for i in order]


def _edges(
    snapshot: Snapshot, field: str, filters: Filters, level: int, unit: Unit, topic_id: str
) -> tuple[pl.DataFrame, int | None]:
    """Return the moves of all sessions, `count` in the unit, and how many of the unit visit the topic (None: moves)."""
    edges = graph_edges(snapshot, field, filters, level)
    if unit == "messages":
        return edges, None
    n_sessions, n_users = node_units(snapshot, field, filters, level).get(topic_id, (0, 0))
    if unit == "sessions":
        return edges.with_columns(count="sessions"), n_sessions
    users = edge_users(snapshot, field, filters, level)
    return edges.drop("count").join(users.rename({"users": "count"}), on=["from_topic", "to_topic"]), n_users


def _moves(
    edges: pl.DataFrame, here: str, there: str, topic_id: str, labels: dict[str, str], n_here: int | None
) -> list[Move]:
    """Return the `MOST_MOVES` topics most common at the end `there` of the edges whose end `here` is the topic.

    n_here: what their shares are of; None: of all these moves.
    """
    mine = edges.filter(pl.col(here) == topic_id)
    total = mine["count"].sum() if n_here is None else n_here
    top = mine.sort(["count", there], descending=[True, False]).head(MOST_MOVES)
    return [
        {
            "topic_id": row[there],
            "label": labels.get(row[there], row[there]),
            "count": row["count"],
            "share": row["count"] / total,
        }
        for row in top.iter_rows(named=True)
    ]


_MOOD = """
WITH said AS (
    SELECT session_id, coalesce(text_sentiment.sentiment, 'neutral') AS sentiment
    FROM counted_steps LEFT JOIN text_sentiment USING (text_id) WHERE topic_id = {}
)
SELECT told.sentiment, count(said.sentiment) AS n_messages, count(DISTINCT session_id) AS n_sessions,
    count(said.sentiment) / (SELECT count(*) FROM said) AS share
FROM (VALUES ('negative', 1), ('neutral', 2), ('positive', 3)) AS told (sentiment, worst)
LEFT JOIN said ON said.sentiment = told.sentiment
WHERE EXISTS (SELECT 1 FROM said)
GROUP BY told.sentiment, worst ORDER BY worst"""

_MOOD_DAYS = """
SELECT timestamp::DATE AS date, count(*) AS size,
    count(*) FILTER (sentiment = 'negative') AS n_negative, count(*) FILTER (sentiment = 'positive') AS n_positive,
    n_negative / size AS share_negative
FROM counted_steps LEFT JOIN text_sentiment USING (text_id)
WHERE topic_id = {} GROUP BY date ORDER BY date"""


def _moves_sql(here: str, there: str, topic: str, unit: str) -> str:
    if unit != "messages":
        n = how_many(unit)
        return f"""
WITH moved AS (SELECT * FROM session_moves JOIN session_users USING (session_id))
SELECT {there} AS topic_id, coalesce(label, {there}) AS label, {n} AS "count",
    {n} / (SELECT {n} FROM moved WHERE {topic} IN (from_topic, to_topic)) AS share
FROM moved LEFT JOIN labels ON labels.topic_id = {there}
WHERE {here} = {topic} GROUP BY {there}, label ORDER BY "count" DESC, {there} LIMIT {MOST_MOVES}"""
    return f"""
SELECT {there} AS topic_id, coalesce(label, {there}) AS label, "count",
    "count" / (SELECT sum("count") FROM edges WHERE {here} = {topic}) AS share
FROM edges LEFT JOIN labels ON labels.topic_id = {there}
WHERE {here} = {topic} ORDER BY "count" DESC, {there} LIMIT {MOST_MOVES}"""
