"""What people write down and take away again: annotations of dates, notes on topics, saved views.

As with the edits of topics (`changes`), each decision is one row of a table and in force at once.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import threading
import unicodedata
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import polars as pl

from turret_api.auth import Principal
from turret_api.dashboard.routes import PAGES
from turret_api.errors import NotFoundError, invalid
from turret_api.read.changes import append
from turret_api.read.engine.library import Library
from turret_api.read.questions.notebook import Annotation, Kind, SavedView, TopicNote
from turret_api.read.questions.topics.topic import find_topic
from turret_api.read.views.notebook import annotations_of, notes_of, views_of
from turret_api.read.views.topics import edits_of
from turret_pipeline.lake.tables import ANNOTATIONS, SAVED_VIEWS, TOPIC_NOTES, Table
from turret_pipeline.semantics.blank import is_blank

Row = TypeVar("Row")

_PAGE = re.compile("|".join(re.sub(r"\{[^}]*\}", "[^/]*", page) for page in PAGES))
_SAVING = threading.Lock()
"""Held from the look at the names of views to the new row, so that two do not get the same name at once."""


def annotate(
    library: Library, who: Principal, date: dt.date, text: str, until: dt.date | None = None, kind: Kind | None = None
) -> Annotation:
    """After this call the day, or the days up to `until`, are annotated; return the annotation."""
    if until is not None and until < date:
        raise invalid(f"The last day, {until}, is before the first, {date}.", field="until")
    row = {"annotation_id": _new_id("ann"), "date": date, "until": until, "kind": kind, "text": _line(text, "text")}
    return _shown(_decide(library, ANNOTATIONS, who, row), Annotation)


def remove_annotation(library: Library, who: Principal, annotation_id: str) -> Annotation:
    """After this call there is no such annotation any more; return it. Raise `NotFoundError` if there was none."""
    found = _find(annotations_of(library.snapshot(who.project_id)), "annotation_id", annotation_id, "/v1/annotations")
    _decide(library, ANNOTATIONS, who, {**found, "text": None})
    return _shown(found, Annotation)


def write_note(library: Library, who: Principal, topic_id: str, text: str, field: str | None = None) -> TopicNote:
    """After this call the note is on the topic; return it. Raise `NotFoundError` if there is no such topic."""
    if is_blank(text):
        raise invalid("The note is blank; write something that can be seen.", field="text")
    snapshot = library.snapshot(who.project_id)
    text_field = find_topic(snapshot, topic_id, field)
    row = {"note_id": _new_id("note"), "field": text_field, "topic_id": topic_id, "text": text.strip()}
    on_topic = edits_of(snapshot, text_field).merged.get(topic_id, topic_id)
    return _shown({**_decide(library, TOPIC_NOTES, who, row), "on_topic": on_topic}, TopicNote)


def remove_note(library: Library, who: Principal, topic_id: str, note_id: str) -> TopicNote:
    """After this call there is no such note any more; return it. Raise `NotFoundError` if the topic has none."""
    notes = notes_of(library.snapshot(who.project_id))
    on_it = notes.filter((pl.col("topic_id") == topic_id) | (pl.col("on_topic") == topic_id))
    found = _find(on_it, "note_id", note_id, f"/v1/topics/{topic_id}/notes")
    _decide(library, TOPIC_NOTES, who, {**found, "text": None})
    return _shown(found, TopicNote)


def save_view(library: Library, who: Principal, name: str, address: str, view_id: str | None = None) -> SavedView:
    """After this call the page is saved under the name; return the view.

    view_id: the view whose name and address these replace; None: a new one. Raise an `ApiError` where the name is
    taken or the address is none of the dashboard's, and `NotFoundError` if there is no such view.
    """
    name, address = _line(name, "name"), page_address(address)
    with _SAVING:
        known = views_of(library.snapshot(who.project_id))
        before = {} if view_id is None else _find(known, "view_id", view_id, "/v1/views")
        taken = known.filter(pl.col("view_id") != (view_id or ""))["name"]
        if name.casefold() in (each.casefold() for each in taken):
            raise invalid(f"A view is called {name!r} already; choose another name.", field="name")
        row = _decide(
            library, SAVED_VIEWS, who, {"view_id": view_id or _new_id("view"), "name": name, "address": address}
        )
    written_at = before.get("written_at", row["decided_at"])
    return _shown({**row, "written_at": written_at, "changed_at": row["decided_at"]}, SavedView)


def remove_view(library: Library, who: Principal, view_id: str) -> SavedView:
    """After this call there is no such view any more; return it. Raise `NotFoundError` if there was none."""
    found = _find(views_of(library.snapshot(who.project_id)), "view_id", view_id, "/v1/views")
    _decide(library, SAVED_VIEWS, who, {**found, "name": None})
    return _shown({**found, "changed_at": found["decided_at"]}, SavedView)


def page_address(address: str) -> str:
    """Return the address of a page of the dashboard without its project, which the view is of already.

    Raise an `ApiError` if it leads anywhere else: to another host, to the API, or to no page.
    """
    parts = urlsplit(address)
    words = "An address is the path and query of a page of the dashboard, for example /topics?from=2026-03-01."
    is_own = address.startswith("/") and not parts.scheme and not parts.netloc and not parts.fragment
    plain = unquote(parts.path)
    if (
        not is_own
        or not address.isprintable()
        or "\\" in plain
        or any(each in (".", "..") for each in plain.split("/"))
    ):
        raise invalid(words, field="address")
    if not _PAGE.fullmatch(parts.path):
        raise invalid(f"The dashboard has no page {parts.path!r}. {words}", field="address")
    query = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "project"]
    return f"{parts.path}?{urlencode(query)}" if query else parts.path


def _line(given: str, at: str) -> str:
    """Return the words in one line without blanks around them; raise an `ApiError` where they show nothing."""
    line = " ".join(given.split())
    if is_blank(line):
        raise invalid(f"The {at} is blank; write something that can be seen.", field=at)
    if any(unicodedata.category(character) == "Cc" for character in line):
        raise invalid(f"The {at} has a control character; leave it out.", field=at)
    return line


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(6)}"


def _find(rows: pl.DataFrame, column: str, name: str, route: str) -> dict[str, Any]:
    found = rows.filter(pl.col(column) == name)
    if found.is_empty():
        raise NotFoundError(f"There is no {column.removesuffix('_id')} {name!r}; GET {route} lists them.", field=column)
    return found.row(0, named=True)


def _decide(library: Library, table: Table, who: Principal, row: dict[str, Any]) -> dict[str, Any]:
    """After this call the decision is stored; return it. The author of what is taken away stays who wrote it."""
    at = dt.datetime.now(dt.UTC)
    told = {**row, "project_id": who.project_id, "decided_at": at, "author": row.get("author", who.name)}
    append(library, table, {name: told[name] for name in table.schema})
    return {**told, "written_at": at}


def _shown(row: dict[str, Any], kind: type[Row]) -> Row:
    """Return of `row` what the typed dict `kind` has."""
    return cast(Row, {name: row[name] for name in kind.__annotations__})
