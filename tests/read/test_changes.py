"""What changed: by one definition on every route, equal to a plain count, and hardly ever where nothing changed."""

from __future__ import annotations

import datetime as dt
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from scipy.stats import fisher_exact

from tests.read.conftest import Api, C, N, P, R, write_lake
from tests.read.reading import read_app
from turret_api.read.questions.changes.kinds import KINDS
from turret_api.read.questions.changes.scene import CANDIDATES, Scene
from turret_api.read.questions.journeys.edge_sessions import SessionsOfEdge
from turret_api.read.views.filters import NO_FILTERS, Filters
from turret_api.read.views.sides import Side
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.semantics.changes import DAY, Days, last_windows, share_change, whole_days

FIRST = dt.date(2026, 3, 1)
N_DAYS = 17
"""Days with messages: 15 of them are whole, and 7 and 7 of these are windows."""


def sessions_of_days() -> dict[str, list[str]]:
    """One session a day in order of `write_lake`, which starts each session a day after the one before."""
    return {f"d{day:02d}": [P, R] if day < 9 else [P, C, N] for day in range(N_DAYS)}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    lake = Lake(str(tmp_path_factory.mktemp("changes") / "a lake"))
    write_lake(lake, "shop", sessions_of_days())
    write_lake(lake, "short", dict(list(sessions_of_days().items())[:9]))
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


def plain(api: Api, windows: tuple[Days, Days], keep: pl.Expr | None = None) -> dict[str, list[int]]:
    """By topic the sessions of both windows; under `""` all of them. Session by session."""
    steps = store.read(api.lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for _, session in steps.group_by("session_id"):
        date = session["timestamp"].min().date()
        passing = session if keep is None else session.filter(keep)
        for side, window in enumerate(windows):
            if window.first <= date <= window.last and passing.height:
                for topic in {topic or "unassigned" for topic in passing["topic_id"]} | {""}:
                    found[topic][side] += 1
    return found


@pytest.mark.parametrize("query", [{}, {"kinds": "all"}, {"name": "chat"}, {"to": "2026-03-17"}, {"level": 1}], ids=str)
def test_every_route_tells_the_change_that_a_plain_count_does(course: Api, query: dict) -> None:
    topics = course.get("/v1/topics", **query)
    whole = topics["whole_days"]
    windows = last_windows(Days(dt.date.fromisoformat(whole["first"]), dt.date.fromisoformat(whole["last"])))
    assert windows is not None and whole["count"] in (14, 15)
    counts = plain(course, windows, pl.col("name") == "chat" if "name" in query else None)
    if query.get("level"):
        counts = {topic: counts[topic] for topic in ("t_card", "unassigned", "")} | {"theme_shop": counts[""]}
    of_now, of_before = counts[""]
    assert (of_now, of_before) == (7, 7)
    for topic in topics["data"]:
        now, before = counts.get(topic["topic_id"], [0, 0])
        expected = now / of_now / (before / of_before) - 1 if before else None
        assert topic["change"] == topic["trend"]["change"] == (None if expected is None else pytest.approx(expected))
        level = {} if topic["level"] == 0 and not query.get("level") else {"level": 1}
        if not level:
            assert course.get(f"/v1/topics/{topic['topic_id']}", **query)["change"] == topic["change"]
    periods = {f"{side}.{end}": str(date) for side, window in zip("ab", windows, strict=True)
               for end, date in (("from", window.first), ("to", window.last + DAY))}  # fmt: skip
    compared = course.get("/v1/topics/compare", **{k: v for k, v in query.items() if k != "to"}, **periods)
    assert compared["n_sessions"] == {"a": 7, "b": 7} and compared["n_sessions_in_both"] == 0
    rows = {row["topic_id"]: row for row in compared["data"]}
    assert {topic: [row["a_sessions"], row["b_sessions"]] for topic, row in rows.items()} == {
        topic: count for topic, count in counts.items() if topic and any(count)
    }
    for topic in topics["data"]:
        assert topic["change"] == rows.get(topic["topic_id"], {"change": None})["change"]
    told = course.get("/v1/changes", **query)
    assert (told["n_sessions_now"], told["n_sessions_before"]) == (7, 7)
    assert told["now"]["last"] == whole["last"] and told["now"]["count"] == told["before"]["count"] == 7


def test_a_comparison_of_topics_says_what_is_new_grew_shrank_and_is_gone(course: Api) -> None:
    rows = course.get("/v1/topics/compare", release="2026-03-10")
    assert rows["periods"] == {
        "a": {"from": "2026-03-10T00:00:00+00:00", "to": "2026-03-17T00:00:00+00:00"},
        "b": {"from": "2026-03-03T00:00:00+00:00", "to": "2026-03-10T00:00:00+00:00"},
    }
    by_topic = {row["topic_id"]: row for row in rows["data"]}
    assert {topic: row["mark"] for topic, row in by_topic.items()} == {
        "t_card": "new",
        "unassigned": "new",
        "t_refund": "gone",
        "t_parcel": None,
    }
    card = by_topic["t_card"]
    assert (card["a_share"], card["b_share"], card["change"]) == (1, 0, None)
    exact = fisher_exact([[7, 0], [0, 7]]).pvalue
    assert exact / 4 <= card["p_value"] <= exact
    assert card["low"] < card["difference"] == 1 and card["high"] == 1
    assert by_topic["t_refund"]["change"] == -1
    assert by_topic["t_refund"]["label"] == "Refunds"
    halves = course.get("/v1/topics/compare", **{"a.from": "2026-03-12", "b.to": "2026-03-12", "limit": 2})
    assert halves["n_sessions"] == {"a": 6, "b": 11} and (len(halves["data"]), halves["rest"]) == (2, 2)


def test_moves_of_periods_are_compared_by_the_sessions_that_began_in_them(course: Api) -> None:
    found = course.get("/v1/journeys/compare", **{"a.from": "2026-03-10", "b.to": "2026-03-10"})
    assert found["n_sessions"] == {"a": 8, "b": 9}
    edges = {(edge["from"], edge["to"]): (edge["a_sessions"], edge["b_sessions"]) for edge in found["data"]}
    assert edges["t_parcel", "t_refund"] == (0, 9) and edges["t_parcel", "t_card"] == (8, 0)
    both = course.get(
        "/v1/journeys/compare", **{"a.from": "2026-03-10", "a.segment.plan": "pro", "b.segment.plan": "free"}
    )
    assert both["n_sessions"] == {"a": 4, "b": 9} and both["periods"]["b"] == {"from": None, "to": None}


@pytest.mark.parametrize(
    ("query", "at_fault"),
    [
        ({}, "a.segment.<field>"),
        ({"a.from": "2026-03-10"}, "b.segment.<field>"),
        ({"a.from": "2026-03-10", "b.from": "2026-03-09", "b.to": "2026-03-09"}, "b.from"),
        ({"release": "2026-03-10", "a.to": "2026-03-10"}, "release"),
        ({"release": "2026-03-01"}, "release"),
        ({"release": "2026-03-02"}, "release"),
        ({"release": "2027-01-01"}, "release"),
        ({"release": "0001-01-01"}, "release"),
    ],
    ids=str,
)
@pytest.mark.parametrize("route", ["/v1/topics/compare", "/v1/journeys/compare"])
def test_sides_that_make_no_sense_are_refused_with_what_to_do(
    course: Api, route: str, query: dict, at_fault: str
) -> None:
    found = course.get(route, status=400, **query)
    assert (found["code"], found["field"]) == ("INVALID_REQUEST", at_fault)


def test_where_the_earlier_days_are_not_whole_nothing_is_told_but_what_is_missing(course: Api) -> None:
    found = course.get("/v1/changes", key="short:read")
    assert (found["data"], found["now"], found["n_whole_days"], found["n_needed_days"]) == ([], None, 7, 14)
    topics = course.get("/v1/topics", key="short:read")["data"]
    assert {(topic["change"], topic["trend"]["mark"]) for topic in topics} == {(None, None)}
    assert course.get("/v1/changes", days=3, key="short:read")["now"] == {
        "first": "2026-03-06",
        "last": "2026-03-08",
        "count": 3,
    }


@pytest.mark.parametrize(("oldest", "newest", "n"), [(1, 1, None), (1, 2, None), (1, 3, 1), (1, 16, 14), (1, 15, 13)])
def test_a_day_is_whole_between_the_first_message_and_the_newest(oldest: int, newest: int, n: int | None) -> None:
    days = whole_days(FIRST + oldest * DAY, FIRST + newest * DAY)
    assert (days.n if days else None) == n
    windows = last_windows(days)
    assert (windows is None) == ((n or 0) < 14)
    if windows is not None and days is not None:
        now, before = windows
        assert (now.last, now.n, before.n, before.until) == (days.last, 7, 7, now.since)


def test_a_change_is_of_shares_and_null_from_nothing() -> None:
    rows = pl.DataFrame({"now": [4, 0, 3, 1], "n": [8, 8, 8, 0], "before": [2, 2, 0, 1], "m": [8, 8, 8, 8]})
    assert rows.select(share_change("now", "n", "before", "m")).to_series().to_list() == [1.0, -1.0, None, None]


@pytest.fixture(scope="module")
def streams() -> Iterator[Any]:
    """The benchmark's streams, of conversations that we make: each a walk over twelve topics."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    import changes

    yield changes
    sys.path.pop(0)


def walks(n: int = 600) -> list[list[str]]:
    draw = np.random.default_rng(1)
    weights = 1 / np.arange(1, 13)
    return [
        [f"t{topic:02d}" for topic in draw.choice(12, int(draw.geometric(0.3)), p=weights / weights.sum())]
        for _ in range(n)
    ]


@pytest.mark.slow
def test_of_a_stream_in_which_nothing_changes_hardly_ever_anything_is_told(streams: Any) -> None:
    said = [streams.quiet(walks(), 20, seed) for seed in range(40)]
    alarms = {name: sum(each[name] for each in said) for name in said[0] if not name.startswith("kind_")}
    for name in ("changes", "compare_periods", "compare_release", "compare_segments"):
        assert alarms[name] <= 5, alarms  # at 5% each, more than 5 of 40 have a probability of 1.4%
    assert alarms["z_test_of_messages"] >= 10  # what is usually done cries wolf


def test_a_topic_that_doubles_is_told_with_its_numbers_first_among_new_users(streams: Any) -> None:
    snapshot = streams.stream(walks(), 3, per_day=150, doubled="t05", only_new=True, times=4)
    changes, _ = streams.asked(snapshot)
    assert changes.data, changes
    first = changes.data[0]
    assert (first["kind"], first["topic_id"], first["direction"]) == ("topic_of_new_users", "t05", "up")
    assert first["sentence"].startswith("“t05” grew among new users more than among others:")
    assert first["low"] > 0 and first["change"] > 0.5 and first["q_value"] < 0.05
    assert first["share_now"] == first["now"] / first["of_now"]
    importance = [each["importance"] for each in changes.data]
    assert importance == sorted(importance, reverse=True)


def test_friction_that_rises_on_a_topic_and_a_number_of_sessions_that_falls_are_told(streams: Any) -> None:
    now = streams.NOW
    snapshot = streams.stream(walks(), 5, per_day=150)
    steps = snapshot._frames["journey_steps"]
    here = pl.col("timestamp").is_between(now.since, now.until)
    extra = steps.filter(here, pl.col("topic_id") == "t01", pl.col("place") % 2 == 0)
    friction = snapshot._frames["friction"]
    more = extra.with_columns(sign=pl.lit("gave_up"), strength=pl.lit(1.0), evidence_place=pl.lit(None, pl.Int64))
    half = steps.filter(~here | (pl.col("session_id").str.slice(-1).is_in(list("02468"))))
    frames = {
        **snapshot._frames,
        "journey_steps": half,
        "friction": pl.concat([friction, more.select(friction.columns)]),
    }
    changes, _ = streams.asked(type(snapshot)(frames))
    told = {(each["kind"], each["topic_id"], each["direction"]) for each in changes.data}
    assert {("friction_of_topic", "t01", "up"), ("volume", None, "down")} <= told
    volume = next(each for each in changes.data if each["kind"] == "volume")
    assert volume["share_now"] is None and -0.6 < volume["change"] < -0.35 and volume["high"] < 0


def test_a_move_that_comes_more_often_is_told_as_a_share_of_the_sessions_with_the_topic_before(streams: Any) -> None:
    snapshot = streams.stream(walks(), 5, per_day=150)
    now, steps = streams.NOW, snapshot._frames["journey_steps"]
    # From now on t01 is followed by t04, wherever it was followed by anything.
    follows = (pl.col("topic_id").shift(1) == "t01") & (pl.col("session_id").shift(1) == pl.col("session_id"))
    changed = pl.when(follows & (pl.col("timestamp") >= now.since)).then(pl.lit("t04")).otherwise("topic_id")
    frames = {**snapshot._frames, "journey_steps": steps.sort("session_id", "place").with_columns(topic_id=changed)}
    changes, _ = streams.asked(type(snapshot)(frames))
    told = {(each["kind"], each["topic_id"], each["to_topic"]): each for each in changes.data}
    found = told["move", "t01", "t04"]
    assert found["direction"] == "up" and found["of_now"] > found["now"] > found["before"]
    assert found["sentence"].startswith("After “t01”, “t04” came more often: ")


def test_an_outcome_that_falls_and_a_topic_that_sounds_worse_are_told(streams: Any) -> None:
    now = streams.NOW
    snapshot = streams.stream(walks(), 5, per_day=150)
    here = pl.col("timestamp").is_between(now.since, now.until)
    steps, events = (snapshot._frames[name] for name in ("journey_steps", "events"))
    angry = here & (pl.col("topic_id") == "t02") & (pl.col("place") % 2 == 0)
    failed = here & pl.col("session_id").str.slice(-1).is_in(list("012"))
    frames = {
        **snapshot._frames,
        "journey_steps": steps.with_columns(text_id=pl.when(angry).then(pl.lit("angry")).otherwise("text_id")),
        "events": events.with_columns(
            metadata=pl.when(failed)
            .then(pl.col("metadata").str.replace('"resolved":true', '"resolved":false', literal=True))
            .otherwise("metadata")
        ),
    }
    changes, _ = streams.asked(type(snapshot)(frames))
    told = {(each["kind"], each["topic_id"], each["direction"]): each for each in changes.data}
    worse, mood = told["outcome", None, "down"], told["sentiment_of_topic", "t02", "up"]
    assert (worse["outcome"], worse["value"], worse["topic_id"]) == ("resolved", "good", None)
    assert worse["sentence"].startswith("Less often than before “resolved” is good in 50% of sessions, 7")
    assert worse["share_now"] < 0.6 < worse["share_before"]
    assert mood["sentence"].startswith("Negative messages rose on “t02”:")
    assert not [key for key in told if key[0] == "sentiment_of_topic" and key[1] != "t02"]


def sessions_behind(snapshot: Any, finding: Any, now: Days) -> int:
    """How many sessions the question behind a finding's link lists."""
    asked = SessionsOfEdge(
        "prompt",
        Filters(segments=((finding["segment"], (finding["value"],)),) if finding["segment"] else ()),
        from_topic="start" if finding["kind"] == "outcome" else finding["topic_id"] if finding["to_topic"] else None,
        to_topic=finding["to_topic"] or finding["topic_id"] or (None if finding["kind"] == "outcome" else "end"),
        friction="any" if finding["kind"].startswith("friction") else None,
        is_here=finding["kind"].startswith("friction"),
        outcome=finding["outcome"],
        began=Side((), now.since, now.until),
        is_new=finding["kind"] == "topic_of_new_users",
    )
    return int(asked.answer(snapshot).n_sessions)


def test_the_sessions_behind_any_finding_are_as_many_as_it_counts(streams: Any) -> None:
    snapshot = streams.stream(walks(), 9, per_day=90)
    windows = (streams.NOW, streams.BEFORE)
    scene = Scene(snapshot, "prompt", NO_FILTERS, 0, Days(FIRST, FIRST + 40 * DAY), *windows)
    seen = set()
    for of_kind in KINDS:
        for finding in of_kind(scene).head(6).to_dicts():
            is_share = finding["kind"].startswith(("outcome", "sentiment"))
            assert sessions_behind(snapshot, finding, streams.NOW) == finding["of_now" if is_share else "now"], finding
            seen.add(finding["kind"])
    assert len(seen) == 10


def test_who_asks_for_new_users_says_since_when_they_are(course: Api) -> None:
    assert course.get("/v1/journeys/sessions", users="new", status=400)["field"] == "users"
    found = course.get("/v1/journeys/sessions", users="new", to_topic="end", began_from="2026-03-02")
    # Every third session is of one user: three began by the 3rd of March, and only two of them after the 1st.
    assert found["n_sessions"] == 16 - 5
    assert course.get("/v1/journeys/sessions", to_topic="end", began_from="2026-03-02")["n_sessions"] == 16


def test_every_kind_gives_candidates_of_one_schema_though_there_is_nothing(streams: Any) -> None:
    snapshot = streams.stream([["t1"]], 1, per_day=3)
    nothing = Filters(name="absent")
    scene = Scene(snapshot, "prompt", nothing, 0, Days(FIRST, FIRST + 13 * DAY), streams.NOW, streams.BEFORE)
    for kind in KINDS:
        assert kind(scene).schema == CANDIDATES and kind(scene).is_empty()
