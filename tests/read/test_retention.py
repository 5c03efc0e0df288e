"""Retention: a case by hand, a law against a plain count, and the answer over a lake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.read.conftest import CHATS, SESSIONS, Api, over_copy, write_lake
from tests.read.test_friction import edit
from tests.read.test_units import messages
from turret_api.read.questions.journeys.retention import retention_counts
from turret_pipeline.lake.paths import Lake

Said = list[tuple[int, int, str]]
"""User, day and topic of messages, in order of time within a day."""


def counts(said: Said, topic: str | None, n_days: int, newest: int | None, n_periods: int = 3) -> dict:
    """By topic, period of the beginning, and later period: users, those back, those back with the topic."""
    first = dt.datetime(1969, 12, 29, tzinfo=dt.UTC)
    ordered = sorted(enumerate(said), key=lambda item: (item[1][1], item[0]))
    steps = pl.DataFrame(
        {
            "user": [user for _, (user, _, _) in ordered],
            "timestamp": [first + dt.timedelta(days=day, seconds=at) for at, (_, day, _) in ordered],
            "topic": [name for _, (_, _, name) in ordered],
            "day": [day for _, (_, day, _) in ordered],
        },
        schema={"user": pl.UInt32, "timestamp": pl.Datetime("us", "UTC"), "topic": pl.String, "day": pl.Int64},
    )
    found = retention_counts(steps, topic, n_days, n_periods, newest)
    return {tuple(row[:3]): tuple(row[3:]) for row in found.iter_rows()}


BY_HAND: Said = [
    (1, 0, "refund"),
    (1, 8, "card"),  # back in week 1 with another topic
    (1, 15, "refund"),  # and in week 2 with the same
    (2, 3, "refund"),
    (2, 4, "refund"),  # within the first week: no return
    (3, 6, "card"),
    (3, 13, "card"),
    (4, 9, "refund"),
    (4, 22, "refund"),  # skips a week
]


def test_a_case_by_hand_of_weeks() -> None:
    found = counts(BY_HAND, None, 7, newest=24)
    assert found == {
        (None, 0, 0): (3, 0, 0),
        (None, 0, 1): (3, 2, 0),
        (None, 0, 2): (3, 1, 0),
        (None, 1, 0): (1, 0, 0),
        (None, 1, 1): (1, 0, 0),
        ("card", 0, 0): (1, 0, 0),
        ("card", 0, 1): (1, 1, 1),
        ("card", 0, 2): (1, 0, 0),
        ("refund", 0, 0): (2, 0, 0),
        ("refund", 0, 1): (2, 1, 0),
        ("refund", 0, 2): (2, 1, 1),
        ("refund", 1, 0): (1, 0, 0),
        ("refund", 1, 1): (1, 0, 0),
    }, "week 3 begins on day 21 and is not over on day 24, so that it tells nothing"


def test_with_a_topic_users_begin_with_their_first_message_that_has_it() -> None:
    found = {key: row for key, row in counts(BY_HAND, "card", 7, newest=28).items() if key[0] == "card"}
    assert found == {
        ("card", 0, 0): (1, 0, 0),
        ("card", 0, 1): (1, 1, 1),
        ("card", 0, 2): (1, 0, 0),
        ("card", 0, 3): (1, 0, 0),
        ("card", 1, 0): (1, 0, 0),
        ("card", 1, 1): (1, 1, 0),
        ("card", 1, 2): (1, 0, 0),
    }


def plainly(said: Said, topic: str | None, n_days: int, newest: int, n_periods: int) -> dict:
    """The same, user by user."""
    found: dict[tuple[str | None, int, int], list[int]] = {}
    for user in {user for user, _, _ in said}:
        mine = sorted(((day, at, name) for at, (who, day, name) in enumerate(said) if who == user))
        active = {day // n_days for day, _, _ in mine}
        begins: list[tuple[str | None, int]] = [(None, mine[0][0] // n_days)]
        with_it = [(day, name) for day, _, name in mine if topic in (None, name)]
        if with_it:
            begins.append((with_it[0][1], with_it[0][0] // n_days))
        for name, began in begins:
            again = {day // n_days for day, _, each in mine if each == name}
            for k in range(n_periods + 1):
                if k and (began + k + 1) * n_days > newest:
                    continue
                row = found.setdefault((name, began, k), [0, 0, 0])
                row[0] += 1
                row[1] += bool(k) and began + k in active
                row[2] += bool(k) and began + k in again
    return {key: tuple(row) for key, row in found.items()}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 40), st.sampled_from("abc")), max_size=40),
    st.sampled_from([None, "a"]),
    st.sampled_from([1, 7]),
    st.integers(1, 8),
)
def test_retention_equals_a_count_user_by_user(said: Said, topic: str | None, n_days: int, n_periods: int) -> None:
    newest = max((day for _, day, _ in said), default=0)
    assert counts(said, topic, n_days, newest, n_periods) == plainly(said, topic, n_days, newest, n_periods)


@pytest.fixture(scope="module")
def written_month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with sessions of three users, a day after one another, for a month."""
    folder = tmp_path_factory.mktemp("retention") / "a lake"
    said = {f"{name} {n}": said for n in range(3) for name, said in (SESSIONS | CHATS).items()}
    write_lake(Lake(str(folder)), "shop", said)
    return folder


@pytest.fixture
def api(written_month: Path, tmp_path: Path) -> Iterator[Api]:
    yield from over_copy(written_month, tmp_path)


def test_the_answer_is_that_of_the_messages_that_count(api: Api) -> None:
    rows = sorted(messages(api), key=lambda row: row["timestamp"])
    users = {name: n for n, name in enumerate(sorted({row["user_id"] for row in rows}))}
    day = lambda at: (dt.date.fromisoformat(at[:10]) - dt.date(1969, 12, 29)).days  # noqa: E731
    said = [(users[row["user_id"]], day(row["timestamp"]), row["topic"]) for row in rows]
    newest = max(day(row["timestamp"]) for row in messages(api, kinds="all"))
    for topic in (None, "t_refund"):
        found = api.get("/v1/retention", by="day", periods=9, **({"topic_id": topic} if topic else {}))
        wanted = plainly(said, topic, 1, newest, 9)
        assert found["n_users"] == len(users)
        for row in [{"topic_id": None, "periods": found["all"]}, *found["data"]]:
            for period in row["periods"]:
                of = [each for (name, _, k), each in wanted.items() if (name, k) == (row["topic_id"], period["period"])]
                assert (period["n_users"], period["n_back"]) == (sum(n for n, _, _ in of), sum(n for _, n, _ in of))
                assert period["low"] <= period["share"] <= period["high"]
                if row["topic_id"]:
                    assert period["n_same"] == sum(n for _, _, n in of)
                    assert period["low_same"] <= period["share_same"] <= period["high_same"]
                else:
                    assert period["n_same"] is None
        assert sum(each["n_users"] for each in found["starts"]) == (found["data"][0] if topic else found)["n_users"]
        for each in found["starts"]:
            began = day(each["start"])
            for k, n_back in enumerate(each["n_back"], start=1):
                assert n_back == (wanted[topic, began, k][1] if (topic, began, k) in wanted else None)


def test_topics_of_retention_are_those_that_people_see(api: Api) -> None:
    assert sum(row["n_users"] for row in api.get("/v1/retention")["data"]) == api.get("/v1/retention")["n_users"]
    edit(api, "t_refund", "merge", "t_card")
    (row,) = api.get("/v1/retention", topic_id="t_refund")["data"]
    assert (row["topic_id"], row["label"]) == ("t_card", "Declined cards")
    assert row == api.get("/v1/retention", topic_id="t_card")["data"][0]
    edit(api, "t_parcel", "hide", "")
    assert "t_parcel" not in [row["topic_id"] for row in api.get("/v1/retention")["data"]]
    assert [row["label"] for row in api.get("/v1/retention", level=1, topic_id="theme_shop")["data"]] == ["Orders"]
    api.get("/v1/retention", topic_id="t_absent", status=404)
