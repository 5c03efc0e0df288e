"""The map of a field's texts: a place for each, and its topic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.sql.views import field_views
from turret_api.read.views.messages import SOURCES, messages_of
from turret_pipeline.lake.tables import MESSAGES, TOPIC_ASSIGNMENTS

SHOWN_CHARACTERS = 120
COLUMNS = ("x", "y", "topic_id", "text", "size")


@dataclass(frozen=True)
class TopicMap(FieldAnswer):
    """A place on the topic map for each distinct text, column by column."""

    x: Annotated[list[float], Meaning("one place a text, column by column")] = dataclasses.field(default_factory=list)
    y: list[float] = dataclasses.field(default_factory=list)
    topic_id: Annotated[list[str | None], Meaning("the topic that most of its messages have")] = dataclasses.field(
        default_factory=list
    )
    text: Annotated[list[str | None], Meaning("the first characters of each; null: it is gone")] = dataclasses.field(
        default_factory=list
    )
    size: Annotated[list[int], Meaning("messages that pass and have the text")] = dataclasses.field(
        default_factory=list
    )
    n_texts: Annotated[int, Meaning("distinct texts that pass; past the limit an even sample of them is shown")] = 0


@dataclass(frozen=True)
class MapOfTexts(OfField):
    """Where on the map are the field's texts, `limit` of them at most?"""

    limit: int = 20_000

    tables = SOURCES
    built = TOPICS_BUILT
    answers = TopicMap

    def of_field(self, snapshot: Snapshot, field: str) -> TopicMap:
        """Return the map. Texts that are moves of conversation wherever they are said are on it with `kinds=all` only.

        Past `limit` texts those with the least ids are shown: ids are hashes, so this is an even sample, and the same
        one again while nothing changes.
        """
        key = ("map", field, self.filters, self.limit)
        shown = snapshot.remember(key, SOURCES, lambda: self._places(snapshot, field))
        n_texts = int(shown["n_texts"].max() or 0)  # type: ignore[arg-type]
        x, y, topic_id, text, size = (shown[name].to_list() for name in COLUMNS)
        return TopicMap(x, y, topic_id, text, size, n_texts)

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the map, a row for each text."""
        views = field_views(field, self.filters)
        views["placed_texts"] = (
            "the texts that have a place on the map and a message that passes, each with how many messages have it",
            f"""
SELECT placed.text_id, any_value(placed.x) AS x, any_value(placed.y) AS y, count(*) AS size
FROM topic_assignments AS placed JOIN counted_steps ON counted_steps.text_id = placed.text_id
WHERE placed.field = {literal(field)} AND placed.x IS NOT NULL GROUP BY placed.text_id""",
        )
        data = f"""
WITH sample AS (SELECT * FROM placed_texts ORDER BY text_id LIMIT {self.limit}),
topic_counts AS (
    SELECT text_id, CASE WHEN is_move OR topic_id = 'unassigned' THEN NULL ELSE topic_id END AS topic_id, count(*) AS n
    FROM counted_steps GROUP BY ALL
), most AS (
    SELECT text_id, topic_id FROM topic_counts
    QUALIFY row_number() OVER (PARTITION BY text_id ORDER BY n DESC, topic_id NULLS FIRST) = 1
), words AS (
    SELECT text_id, any_value(text) AS text FROM messages WHERE field = {literal(field)} GROUP BY text_id
)
SELECT round(x::DOUBLE, 4) AS x, round(y::DOUBLE, 4) AS y, topic_id, left(text, {SHOWN_CHARACTERS}) AS text, size
FROM sample JOIN most USING (text_id) JOIN words USING (text_id) ORDER BY text_id"""
        return Queries({"data": data, "totals": "SELECT count(*) AS n_texts FROM placed_texts"}, views)

    def _places(self, snapshot: Snapshot, field: str) -> pl.DataFrame:
        placed = (
            snapshot.scan(TOPIC_ASSIGNMENTS)
            .filter(pl.col("field") == field, pl.col("x").is_not_null())
            .select("text_id", *(pl.col(name).cast(pl.Float64).round(4) for name in ("x", "y")))
        )
        said = messages_of(snapshot, field, self.filters).select("text_id", "topic_id")
        found = placed.join(said.select("text_id").unique(), on="text_id", how="semi").collect()
        sample = found.bottom_k(self.limit, by="text_id")
        # A condition on the column is judged while the files are read, which a join is not.
        of_sample = pl.col("text_id").is_in(sample["text_id"].implode())
        counted = said.filter(of_sample).group_by("text_id", "topic_id").agg(n=pl.len().cast(pl.Int64)).collect()
        most = counted.sort("n", "topic_id", descending=[True, False]).group_by("text_id", maintain_order=True)
        topics = most.agg(pl.col("topic_id").first(), size=pl.col("n").sum())
        words = snapshot.scan(MESSAGES).filter(pl.col("field") == field, of_sample).group_by("text_id")
        texts = words.agg(pl.col("text").first().str.slice(0, SHOWN_CHARACTERS)).collect()
        shown = sample.join(texts, on="text_id").join(topics, on="text_id").sort("text_id")
        return shown.select(*COLUMNS, n_texts=pl.lit(found.height, dtype=pl.Int64))
