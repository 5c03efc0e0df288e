"""What the last whole days brought, beside as many before them: what the page, a mail and a chat message say alike.

Only whole days count: the newest day of the data may still be filling, and the oldest may have begun in the middle.
Where the days of the window before are not all whole, nothing is compared. What changed is what `/v1/changes` says.
Messages, sessions and users are those of `/v1/topics` and `/v1/journeys` for the same days; topics and the messages
without one add up to all messages.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import cast

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import typed_rows
from turret_api.read.questions.changes.findings import ChangesOfField
from turret_api.read.questions.digest_words import Compared, Digest, DigestNumber, DigestSign, DigestTopic
from turret_api.read.questions.journeys.friction import ANY, FrictionOfField
from turret_api.read.questions.notebook import Annotation, TopicNote
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.topics.topics import TOPIC_SOURCES
from turret_api.read.sql.digest import digest_parts, digest_views
from turret_api.read.views.all_steps import sessions_of
from turret_api.read.views.filters import NO_FILTERS, Filters
from turret_api.read.views.notebook import NOTE_SOURCES, annotations_of, notes_of
from turret_api.read.views.numbers import number_fields, number_sums
from turret_api.read.views.steps import field_steps, walked_steps
from turret_api.read.views.topic_days import daily_counts
from turret_api.read.views.topics import edits_of, labels_of
from turret_pipeline.lake.tables import ANNOTATIONS
from turret_pipeline.semantics.visits import UNASSIGNED

TOP_TOPICS, MOST_CHANGES, MOST_NUMBERS, MOST_SIGNS = 10, 10, 5, 3
COSTS = ("cost", "price", "usd", "eur", "token")
"""What the names of those number fields hold that people add up first."""


@dataclass(frozen=True)
class DigestOfField(OfField):
    """What did the last `days` whole days bring?"""

    days: int = 7
    brief: bool = False

    tables = tuple(dict.fromkeys((*TOPIC_SOURCES, *ChangesOfField.tables, *NOTE_SOURCES, ANNOTATIONS)))
    built = TOPICS_BUILT
    answers = Digest
    is_open = True

    def for_viewer(self, least: int) -> DigestOfField:
        """Return the brief digest, of counts of `least` users or more."""
        return dataclasses.replace(self, brief=True, filters=self.filters.for_viewer(least))

    def of_field(self, snapshot: Snapshot, field: str) -> Digest:
        """Return the digest of the window that ends with the last complete day.

        A `brief` one leaves out what takes longest to tell: changes, friction and numbers.
        """
        window = last_window(snapshot, field, self.days)
        if window is None:
            return Digest(days=self.days)
        first, has_before = window
        few = self.filters.few
        now, end = between(first, self.days, few), first + dt.timedelta(self.days - 1)
        before = between(first - dt.timedelta(self.days), self.days, few) if has_before else None
        topics, n_other, n_unassigned = top_topics(snapshot, field, now, before)
        here, there = (None if each is None else _counts(snapshot, field, each) for each in (now, before))
        assert here is not None
        messages, sessions, users = (_compared(n, there and there[i]) for i, n in enumerate(here))
        found = Digest(
            days=self.days,
            first_day=first,
            last_day=end,
            messages=messages,
            sessions=sessions,
            users=users,
            topics=topics,
            n_other=n_other,
            n_unassigned=n_unassigned,
            annotations=_annotations(snapshot, first, end),
            notes=_notes(snapshot, field, first),
        )
        if self.brief:
            return found
        return dataclasses.replace(
            found,
            changes=ChangesOfField(field, days=self.days).of_field(snapshot, field).data[:MOST_CHANGES],
            friction=_friction(snapshot, field, now, before),
            numbers=_numbers(snapshot, field, now, before),
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the window's counts and, under `changes`, of all that may have changed."""
        window = last_window(snapshot, field, self.days)
        if window is None:
            return Queries({}, left_out="There is no whole day yet, so there is nothing to tell.")
        first, has_before = window
        now, end = between(first, self.days), first + dt.timedelta(self.days - 1)
        before = between(first - dt.timedelta(self.days), self.days) if has_before else None
        numbers = _number_names(snapshot)
        views = digest_views(field, now, before, TOP_TOPICS, numbers)
        parts = digest_parts(field, first, end, has_before=has_before, numbers=numbers, n_signs=MOST_SIGNS)
        changed = ChangesOfField(field, days=self.days).queries_of(snapshot, field)
        if "data" in changed.parts:
            parts["changes"] = changed.parts["data"]
        return Queries(parts, {**changed.views, **views}, changed.left_out)


def last_window(snapshot: Snapshot, field: str, days: int) -> tuple[dt.date, bool] | None:
    """Return the first of the last `days` complete days, and whether the data hold as many before; None: no such day.

    The newest day with messages may still be filling and is not complete.
    """
    dates = daily_counts(snapshot, field, NO_FILTERS, 0)["date"]
    oldest, newest = dates.min(), dates.max()
    if not isinstance(oldest, dt.date) or not isinstance(newest, dt.date) or oldest == newest:
        return None
    first = newest - dt.timedelta(days)
    return first, oldest < first - dt.timedelta(days)


def between(first: dt.date, days: int, few: int = 0) -> Filters:
    """Return the filters that messages of `days` days from `first` on pass. few: as in `Filters`."""
    since = dt.datetime.combine(first, dt.time(), dt.UTC)
    return Filters(since=since, until=since + dt.timedelta(days), few=few)


def top_topics(
    snapshot: Snapshot, field: str, now: Filters, before: Filters | None
) -> tuple[list[DigestTopic], int, int]:
    """Return the largest topics, and how many messages have further ones, and none; all add up to the messages."""
    sizes, then = _sizes(snapshot, field, now), None if before is None else _sizes(snapshot, field, before)
    n_messages, n_then = sum(sizes.values()), 0 if then is None else sum(then.values())
    labels, hidden = labels_of(snapshot, field), edits_of(snapshot, field).hidden
    n_unassigned = sizes.pop(UNASSIGNED, 0)
    absent = None if now.few else 0  # of a topic that few users have it is not told whether anybody had it
    shown = sorted((-size, name) for name, size in sizes.items() if name not in hidden)[:TOP_TOPICS]
    found: list[DigestTopic] = [
        {
            "topic_id": name,
            "label": labels.get(name, name),
            "size": -size,
            "share": -size / n_messages,
            "size_before": None if then is None else then.get(name, absent),
            "share_before": None if then is None else _share(then.get(name, absent), n_then),
        }
        for size, name in shown
    ]
    return found, n_messages - n_unassigned - sum(row["size"] for row in found), n_unassigned


def _share(n: int | None, of: int) -> float | None:
    return None if n is None else n / of if of else 0.0


def _sizes(snapshot: Snapshot, field: str, filters: Filters) -> dict[str, int]:
    """Return the messages that pass, by topic (`unassigned`: none)."""
    counted = field_steps(snapshot, field, filters, 0).group_by("topic_id").len().cast({"topic_id": pl.String})
    return dict(counted.iter_rows())


def _counts(snapshot: Snapshot, field: str, filters: Filters) -> tuple[int, int, int]:
    """Return messages, sessions and users; a session's user is that of its first message."""
    sessions = walked_steps(snapshot, field, filters, 0)["session"].unique()
    users = sessions_of(snapshot, field)["user_id"].gather(sessions)
    n_messages = field_steps(snapshot, field, filters, 0).height
    return n_messages, sessions.len(), users.n_unique()


def _compared(now: int, before: int | None) -> Compared:
    return {"now": now, "before": before, "change": (now - before) / before if before else None}


def _friction(snapshot: Snapshot, field: str, now: Filters, before: Filters | None) -> list[DigestSign]:
    """Return how many sessions met with any sign of friction, and with the signs that are most common."""
    signs = FrictionOfField(field, now, limit=1).of_field(snapshot, field).data
    earlier = [] if before is None else FrictionOfField(field, before, limit=1).of_field(snapshot, field).data
    then = {each["sign"]: each["share_of_sessions"] for each in earlier}
    found = [each for each in signs if each["sign"] == ANY or each["n_sessions"]][: 1 + MOST_SIGNS]
    return [
        {
            "sign": each["sign"],
            "n_sessions": each["n_sessions"],
            "share": each["share_of_sessions"],
            "share_before": then.get(each["sign"]),
        }
        for each in found
    ]


def _numbers(snapshot: Snapshot, field: str, now: Filters, before: Filters | None) -> list[DigestNumber]:
    """Return what the number fields come to that the window's messages have, those of cost and tokens first."""
    found: list[DigestNumber] = []
    for name in _number_names(snapshot):
        _, whole = number_sums(snapshot, field, name, now, 0)
        then = None if before is None else number_sums(snapshot, field, name, before, 0)[1]["sum"]
        if whole["n"]:
            row = {"sum": whole["sum"], "mean": whole["mean"], "n": whole["n"]}
            found.append(cast(DigestNumber, {"field": name, **row, "sum_before": then}))
    return found


def _number_names(snapshot: Snapshot) -> list[str]:
    """Return the number fields that the digest adds up, those of cost and tokens first."""
    return sorted(number_fields(snapshot), key=lambda name: (not is_cost(name), name))[:MOST_NUMBERS]


def is_cost(name: str) -> bool:
    """Tell whether a number field is named like what people add up: a cost, a price, tokens."""
    return any(word in name.lower() for word in COSTS)


def _annotations(snapshot: Snapshot, first: dt.date, end: dt.date) -> list[Annotation]:
    last = pl.coalesce("until", "date")
    return typed_rows(annotations_of(snapshot).filter(pl.col("date") <= end, last >= first), Annotation)


def _notes(snapshot: Snapshot, field: str, first: dt.date) -> list[TopicNote]:
    since = dt.datetime.combine(first, dt.time(), dt.UTC)
    return typed_rows(notes_of(snapshot).filter(pl.col("field") == field, pl.col("written_at") >= since), TopicNote)
