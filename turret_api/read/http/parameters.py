"""What the routes have in common: their parameters, declared once, and how they are read off a request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from turret_api.errors import invalid
from turret_api.read.engine.encoding import Format
from turret_api.read.questions.pages import offset_of
from turret_api.read.views.cohorts import COHORT, Cohort, cohort_of
from turret_api.read.views.filters import Filters, Kinds
from turret_api.read.views.sides import Side, Sides
from turret_api.read.views.units import Unit
from turret_api.read.views.values import Segments

SEGMENT = "segment."
MAX_SEGMENTS = 16
MAX_COHORTS = 8

Form = Annotated[
    Format,
    Query(
        alias="format",
        description="csv and parquet give the list alone, as a file; sql, statements that count the same in DuckDB; "
        "text and markdown, the digest",
    ),
]
SomeCohorts = list[Annotated[str, Query(max_length=2000, pattern=COHORT)]] | None
AsOf = Annotated[
    dt.datetime | None, Query(description="answer from the tables as they were at this time (while its files are kept)")
]
FieldName = Annotated[str | None, Query(description="a text field; default: the one with most events", max_length=200)]
Level = Annotated[int, Query(description="0: topics; 1: themes, groups of topics", ge=0, le=1)]
Limit = Annotated[int, Query(description="most rows in one answer", ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="`next` of the page before", max_length=2000)]
TopicId = Annotated[
    str, Query(description="a topic, `start`, `end`, `unassigned` or `moves`", min_length=1, max_length=100)
]

InUnit = Annotated[
    Unit,
    Query(
        alias="unit",
        description="what shares, changes, days and the order of rows count: messages (of journeys: moves), or the "
        "distinct sessions or users behind them. Shares of sessions and of users do not add up to 1",
    ),
]

SignOrAny = Literal[
    "any", "rephrased", "repeated", "correction", "complaint", "gave_up", "back_and_forth", "answer_repeated"
]
"""A sign of friction, or any of them."""

AnsweredSo = Literal["refused", "apologised", "made_good", "answered", "repeated", "none", "unserved"]
"""How a message was answered: the kind of its answer, whether it is repeated, missing, or one of those that do not
serve."""


def filters(
    request: Request,
    since: Annotated[
        dt.datetime | None, Query(alias="from", description="earliest time (ISO 8601; without offset: UTC), included")
    ] = None,
    until: Annotated[dt.datetime | None, Query(alias="to", description="latest time, not included")] = None,
    name: Annotated[str | None, Query(description="the event's name", max_length=200)] = None,
    kinds: Annotated[
        Kinds,
        Query(
            description="all: moves of conversation (thanks, greeting and so on) count too, each kind as a topic of "
            "its name; requests: they are left out, and in journeys part of the visit before them"
        ),
    ] = "requests",
    cohort: Annotated[
        SomeCohorts,
        Query(
            description="only the messages of these users: `topic:<topic_id>`, who sent a message with the topic, or "
            "`path:<id>><id>`, who in a session went so, visit after visit; at any time, whatever the other filters. "
            "`!` before it: of all other users. Several: of users in all of them",
            max_length=MAX_COHORTS,
        ),
    ] = None,
) -> Filters:
    """Return the filters that the query string asks for; keys `segment.<field>` are read off it as they are."""
    segments = _segments(request, SEGMENT)
    if _count(segments) > MAX_SEGMENTS:
        raise invalid(f"There are more than {MAX_SEGMENTS} segment filters; ask for fewer.", field="segment")
    since, until = utc(since), utc(until)
    if since and until and since >= until:
        raise invalid("`from` is not before `to`; nothing lies between them.", field="from")
    return Filters(since, until, name, segments, kinds, _cohorts(cohort))


Filtered = Annotated[Filters, Depends(filters)]


@dataclass(frozen=True)
class FieldAndFilters:
    """What every question about the messages of a text field may say."""

    field: str | None
    filters: Filters


def field_and_filters(chosen: Filtered, field: FieldName = None) -> FieldAndFilters:
    """Return what the query string says."""
    return FieldAndFilters(field, chosen)


About = Annotated[FieldAndFilters, Depends(field_and_filters)]


@dataclass(frozen=True)
class Page:
    """Which rows of a list are asked for."""

    limit: int
    offset: int


def page(limit: Limit = 1000, cursor: Cursor = None) -> Page:
    """Return what the query string says; raise an `ApiError` if the cursor is made up."""
    return Page(limit, offset_of(cursor))


OfPage = Annotated[Page, Depends(page)]


def sides(
    request: Request,
    a: Annotated[
        str | None,
        Query(alias="a.segment.<field>", description="a value of the field, or a range, as `segment.<field>`"),
    ] = None,
    a_since: Annotated[
        dt.datetime | None, Query(alias="a.from", description="sessions that began from this time on are on side a")
    ] = None,
    a_until: Annotated[dt.datetime | None, Query(alias="a.to", description="those that began before this time")] = None,
    a_cohort: Annotated[
        SomeCohorts,
        Query(alias="a.cohort", description="only of these users, as `cohort`", max_length=MAX_COHORTS),
    ] = None,
    b: Annotated[str | None, Query(alias="b.segment.<field>", description="likewise of the other side")] = None,
    b_since: Annotated[dt.datetime | None, Query(alias="b.from", description="likewise of the other side")] = None,
    b_until: Annotated[dt.datetime | None, Query(alias="b.to", description="likewise of the other side")] = None,
    b_cohort: Annotated[
        SomeCohorts,
        Query(alias="b.cohort", description="likewise of the other side", max_length=MAX_COHORTS),
    ] = None,
    release: Annotated[
        dt.date | None,
        Query(description="a date (UTC) as border: a from it on, b the same number of whole days before it"),
    ] = None,
) -> Sides:
    """Return the two sides, read off the query string; each must say which sessions it has, unless a release does."""
    found = []
    said = (("a", utc(a_since), utc(a_until), a_cohort), ("b", utc(b_since), utc(b_until), b_cohort))
    for name, since, until, cohort in said:
        prefix = f"{name}.{SEGMENT}"
        segments, has_period = _segments(request, prefix), since is not None or until is not None
        if has_period and release is not None:
            raise invalid(f"`release` says when sessions began; leave out {name}.from and {name}.to.", field="release")
        if (
            not (segments or cohort or has_period or release)
            or _count(segments) > MAX_SEGMENTS
            or any(not field for field, _ in segments)
        ):
            raise invalid(
                f"{prefix}<field>=value (1 to {MAX_SEGMENTS} times), {name}.cohort, {name}.from or {name}.to is "
                "needed, or a release.",
                field=f"{prefix}<field>",
            )
        if since and until and since >= until:
            raise invalid(f"`{name}.from` is not before `{name}.to`; nothing lies between them.", field=f"{name}.from")
        found.append(Side(segments, since, until, _cohorts(cohort)))
    return Sides(found[0], found[1], release)


TwoSides = Annotated[Sides, Depends(sides)]


def utc(time: dt.datetime | None) -> dt.datetime | None:
    """Return `time` in UTC; without an offset it is taken for UTC. Raise an `ApiError` where it is out of range."""
    if time is None:
        return None
    try:
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except OverflowError:
        raise invalid("A time lies outside of the years 1 to 9999; send one within them.") from None


def only_known_parameters(request: Request) -> None:
    """Raise an `ApiError` if the query string has a key that the route does not know."""
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = _query_keys(route.dependant)
    known |= {f"{SEGMENT}<field>"} if "from" in known else set()
    starts = [name.removesuffix("<field>") for name in known if name.endswith("<field>")]
    for key in request.query_params:
        if key not in known and not any(key.startswith(start) and len(key) > len(start) for start in starts):
            names = ", ".join(sorted(known))
            raise invalid(f"There is no parameter {key!r} here; there are: {names}.", field=key)


def _query_keys(dependant: Dependant) -> set[str]:
    keys = {param.alias for param in dependant.query_params}
    return keys.union(*(_query_keys(each) for each in dependant.dependencies))


def _segments(request: Request, prefix: str) -> Segments:
    """Return the fields that keys of the query string name behind `prefix`, each with its values; in order."""
    found: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if key.startswith(prefix):
            found.setdefault(key.removeprefix(prefix), []).append(value)
    return tuple((field, tuple(sorted(values))) for field, values in sorted(found.items()))


def _cohorts(texts: Iterable[str] | None) -> tuple[Cohort, ...]:
    return tuple(sorted({cohort_of(each) for each in texts or ()}))


def _count(segments: Iterable[tuple[str, tuple[str, ...]]]) -> int:
    return sum(len(values) for _, values in segments)
