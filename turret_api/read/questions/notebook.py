"""Annotations of dates, notes on topics, and saved views."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import Answer, Meaning, Next, documented, typed_rows
from turret_api.read.questions.pages import Listed
from turret_api.read.questions.topics.topic import find_topic
from turret_api.read.sql.notebook import in_force_views, note_views
from turret_api.read.sql.views import now
from turret_api.read.views.notebook import NOTE_SOURCES, annotations_of, notes_of, views_of
from turret_api.read.views.topics import edits_of
from turret_pipeline.lake.tables import ANNOTATIONS, SAVED_VIEWS

_PLAIN = frozenset(
    (
        *("view", "field", "from", "to", "level", "unit", "kinds", "sort", "days"),
        *("name", "theme", "list", "map", "shape"),
    )
)
"""Keys of addresses whose values are none that users sent."""
Kind = Literal["release"]
Author = Annotated[str | None, Meaning("name of the key with which it was written; null: it had none")]


@documented
class Annotation(TypedDict):
    """What happened on a day, or on several."""

    annotation_id: str
    date: Annotated[dt.date, Meaning("the day (UTC), or the first of several")]
    until: Annotated[dt.date | None, Meaning("the last of several days, included; null: one day")]
    kind: Annotated[Kind | None, Meaning("release: it begins a version of the app")]
    text: str
    author: Author
    written_at: dt.datetime


@documented
class TopicNote(TypedDict):
    """A note on a topic."""

    note_id: str
    field: str
    topic_id: Annotated[str, Meaning("the topic or theme that it was written on")]
    on_topic: Annotated[
        str | None,
        Meaning("the topic that it is on now: what that one was merged into, or became at a refit; null: nothing"),
    ]
    text: str
    author: Author
    written_at: dt.datetime


@documented
class SavedView(TypedDict):
    """A page of the dashboard that a person saved."""

    view_id: str
    name: Annotated[str, Meaning("unique in the project")]
    address: Annotated[str, Meaning("the page's path and query")]
    author: Author
    written_at: dt.datetime
    changed_at: dt.datetime


@dataclass(frozen=True)
class Annotations(Answer):
    """Annotations, in order of their days."""

    data: list[Annotation] = dataclasses.field(default_factory=list)
    next: Next = None


@dataclass(frozen=True)
class AllAnnotations(Listed):
    """What happened when (of `kind`, or of any)?"""

    kind: str | None = None

    tables = (ANNOTATIONS,)
    answers = Annotations
    is_open = True

    def answer(self, snapshot: Snapshot) -> Annotations:
        """Return a page of the annotations."""
        found = annotations_of(snapshot)
        wanted = found if self.kind is None else found.filter(pl.col("kind") == self.kind)
        return Annotations(*self.page(typed_rows(wanted, Annotation)))

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the annotations."""
        kind = "" if self.kind is None else f"\nWHERE kind = {literal(self.kind)}"
        data = f"""
SELECT annotation_id, date, until, kind, text, author, written_at FROM annotations_in_force{kind}
ORDER BY date, written_at, annotation_id LIMIT {self.limit} OFFSET {self.offset}"""
        return Queries({"data": data}, in_force_views(ANNOTATIONS))


@dataclass(frozen=True)
class TopicNotes(Answer):
    """Notes on topics, newest first."""

    data: list[TopicNote] = dataclasses.field(default_factory=list)
    next: Next = None


@dataclass(frozen=True)
class AllNotes(Listed):
    """What did people note on topics (on the one of `topic_id`, of `field`, or on any)?"""

    topic_id: str | None = None
    field: str | None = None

    tables = NOTE_SOURCES
    answers = TopicNotes

    def answer(self, snapshot: Snapshot) -> TopicNotes:
        """Return a page of the notes; raise `NotFoundError` if there is no such topic."""
        found = notes_of(snapshot)
        if self.topic_id is not None:
            field = find_topic(snapshot, self.topic_id, self.field)
            topic = edits_of(snapshot, field).merged.get(self.topic_id, self.topic_id)
            found = found.filter(pl.col("field") == field, pl.col("on_topic") == topic)
        return TopicNotes(*self.page(typed_rows(found, TopicNote)))

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the notes; raise `NotFoundError` if there is no such topic."""
        where = ""
        if self.topic_id is not None:
            field = find_topic(snapshot, self.topic_id, self.field)
            where = f"\nWHERE field = {literal(field)} AND on_topic = {now(self.topic_id)}"
        data = f"""
SELECT note_id, field, topic_id, on_topic, text, author, written_at FROM placed_notes{where}
ORDER BY written_at DESC, note_id LIMIT {self.limit} OFFSET {self.offset}"""
        return Queries({"data": data}, note_views())


def _is_open(address: str) -> bool:
    """Tell whether a page's address holds nothing that a message may: what is searched for, a session, a value."""
    parts = urlsplit(address)
    keys = {key for key, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return keys <= _PLAIN and not parts.path.startswith("/sessions")


@dataclass(frozen=True)
class SavedViews(Answer):
    """Saved views, in order of their names."""

    data: list[SavedView] = dataclasses.field(default_factory=list)
    next: Next = None


@dataclass(frozen=True)
class AllViews(Listed):
    """Which views did people save?"""

    of_viewer: bool = False

    tables = (SAVED_VIEWS,)
    answers = SavedViews
    is_open = True

    def for_viewer(self, least: int) -> AllViews:
        """Return the same question about those views whose addresses hold no more than a viewer may ask for."""
        return dataclasses.replace(self, of_viewer=True)

    def answer(self, snapshot: Snapshot) -> SavedViews:
        """Return a page of the saved views."""
        found = views_of(snapshot).rename({"decided_at": "changed_at"})
        if self.of_viewer:
            found = found.filter(pl.col("address").map_elements(_is_open, return_dtype=pl.Boolean))
        return SavedViews(*self.page(typed_rows(found, SavedView)))

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the saved views."""
        data = f"""
SELECT view_id, name, address, author, written_at, decided_at AS changed_at FROM saved_views_in_force
ORDER BY lower(name), view_id LIMIT {self.limit} OFFSET {self.offset}"""
        return Queries({"data": data}, in_force_views(SAVED_VIEWS))
