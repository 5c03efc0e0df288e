"""What became of topics at the fits, as the pipeline wrote it down."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated, Literal

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, Answer, BuiltAt, Meaning, Next, typed_rows
from turret_api.read.questions.pages import Listed
from turret_api.read.views.topics import edits_of, topics_of
from turret_pipeline.lake.tables import TOPIC_EDITS, TOPIC_FITS, TOPIC_LINEAGE, TOPICS

CARRY = "carry"
_LEFT_OUT = "Left out: of `topics`, which of them people have hidden or merged into others since."


class Way(TypedDict):
    """What became of a topic, or what one came from, at one fit."""

    model_version: Annotated[int, Meaning("number of the fit at which it happened")]
    kind: Literal["birth", "end", "split", "merge"]
    from_topic: str | None
    from_label: str | None
    to_topic: str | None
    to_label: str | None
    n_texts: Annotated[int, Meaning("distinct texts that went this way")]
    share: Annotated[float, Meaning("of the texts of `from_topic`; at a birth, of the topic's own that had none")]


class Fit(TypedDict):
    """One fit of a field's topics."""

    field: str
    model_version: int
    reason: str
    seen_until: Annotated[dt.datetime | None, Meaning("time of receipt of the newest message that it knew")]
    n_texts: int
    n_topics: int
    coverage: Annotated[float | None, Meaning("share of the messages that have a topic")]
    mean_similarity: float | None
    sd_similarity: float | None
    changed: Annotated[float | None, Meaning("share of the messages known before whose topic is another now")]
    ari: Annotated[float | None, Meaning("adjusted Rand index of both, over these messages")]
    kept_ids: Annotated[float | None, Meaning("share of the topics before that there are still")]


class TopicsInField(TypedDict):
    """How many topics a text field has now, hidden ones left out."""

    field: str
    n_topics: int
    n_themes: int


@dataclass(frozen=True)
class Fits(Answer):
    """The fits of all text fields, newest first."""

    data: Annotated[list[Fit], OF_TEXTS] = dataclasses.field(default_factory=list)
    topics: Annotated[list[TopicsInField], Meaning("of each field that has some, in order of its name")] = (
        dataclasses.field(default_factory=list)
    )
    built_at: BuiltAt = None
    next: Next = None


@dataclass(frozen=True)
class AllFits(Listed):
    """Which fits were made, why, and how far did each move what there was?"""

    tables = (TOPIC_FITS, TOPICS, TOPIC_EDITS)
    answers = Fits
    is_open = True

    def answer(self, snapshot: Snapshot) -> Fits:
        """Return a page of the fits."""
        found = snapshot.scan(TOPIC_FITS).collect()
        found = found.sort(["seen_until", "field", "model_version"], descending=[True, False, True])
        data, following = self.page(typed_rows(found, Fit))
        fields = snapshot.scan(TOPICS).select(pl.col("field").unique().sort()).collect()["field"]
        topics = [_topics_in(snapshot, field) for field in fields]
        return Fits(data, topics, snapshot.built_at(TOPICS), following)

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the fits."""
        data = f"""
SELECT {", ".join(Fit.__annotations__)} FROM topic_fits
ORDER BY seen_until DESC NULLS FIRST, field, model_version DESC LIMIT {self.limit} OFFSET {self.offset}"""
        topics = """
SELECT field, count(*) FILTER (level = 0) AS n_topics, count(*) FILTER (level = 1) AS n_themes FROM topics
GROUP BY field ORDER BY field"""
        return Queries({"data": data, "topics": topics}, left_out=_LEFT_OUT)


def _topics_in(snapshot: Snapshot, field: str) -> TopicsInField:
    is_seen = ~pl.col("topic_id").is_in(list(edits_of(snapshot, field).hidden))
    n_topics, n_themes = (topics_of(snapshot, field, level).filter(is_seen).height for level in (0, 1))
    return {"field": field, "n_topics": n_topics, "n_themes": n_themes}


def ways(snapshot: Snapshot, field: str) -> dict[str, list[Way]]:
    """Return for each topic of the field what it came from and what came from it, newest fit first.

    That it carried on at a fit is left out.
    """
    found: defaultdict[str, list[Way]] = defaultdict(list)
    for way in typed_rows(_lineage(snapshot).filter(pl.col("field") == field), Way):
        for name in {way["from_topic"], way["to_topic"]}:
            if name is not None:
                found[name].append(way)
    return found


def became(snapshot: Snapshot, topic_id: str) -> str:
    """Return what is to be said of a topic that does not exist, or no longer does."""
    last = _lineage(snapshot).filter(pl.col("from_topic") == topic_id).head(1)
    if last.is_empty():
        return "GET /v1/topics lists them"
    (way,) = typed_rows(last, Way)
    if way["to_topic"] is None:
        return f"it ended at fit {way['model_version']}"
    label = "" if way["to_label"] is None else f" ({way['to_label']})"
    return f"most of it became {way['to_topic']}{label} at fit {way['model_version']}"


def _lineage(snapshot: Snapshot) -> pl.DataFrame:
    """Return all fields' rows but those of what carried on; the newest fit first, then most of a topic first."""

    def compute() -> pl.DataFrame:
        rows = snapshot.scan(TOPIC_LINEAGE).filter(pl.col("kind") != CARRY).drop("project_id").collect()
        return rows.sort(["model_version", "share", "kind", "to_topic"], descending=[True, True, False, False])

    return snapshot.remember("lineage", (TOPIC_LINEAGE,), compute)
