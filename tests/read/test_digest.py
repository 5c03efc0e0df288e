"""The digest: whole days against whole days, counts that are those of the other routes, and words for people."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.read.conftest import SESSIONS, Api, C, N, P, R, events, over_copy, write_lake
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPICS

MANY = {f"m{day}": [P, R, C, N][: 1 + day % 4] for day in range(20)}
"""One session a day from the first of March on, each begun ten minutes before midnight."""


@pytest.fixture(scope="module")
def written_many(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with these sessions, which is never written to again."""
    folder = tmp_path_factory.mktemp("digest") / "a lake"
    shutil.copytree(written, folder)
    write_lake(Lake(str(folder)), "shop", MANY)
    return folder


@pytest.fixture
def many(written_many: Path, tmp_path: Path) -> Iterator[Api]:
    yield from over_copy(written_many, tmp_path)


def days(digest: dict[str, Any]) -> dict[str, str]:
    """Return as query what the window's days are as filters."""
    end = dt.date.fromisoformat(digest["last_day"]) + dt.timedelta(1)
    return {"from": digest["first_day"], "to": end.isoformat()}


@pytest.mark.slow
def test_the_window_is_of_complete_days_and_is_compared_with_whole_days_only(many: Api) -> None:
    digest = many.get("/v1/digest")
    # The newest message is of 20 March.
    assert (digest["days"], digest["first_day"], digest["last_day"]) == (7, "2026-03-13", "2026-03-19")
    assert digest["messages"]["before"] is not None
    longer = many.get("/v1/digest", days=10)
    assert (longer["first_day"], longer["last_day"]) == ("2026-03-10", "2026-03-19")
    assert longer["messages"]["before"] is None
    assert longer["messages"]["change"] is None
    assert {row["size_before"] for row in longer["topics"]} == {None}
    assert longer["numbers"][0]["sum_before"] is None
    assert longer["friction"][0]["share_before"] is None


def test_a_brief_digest_leaves_out_what_takes_longest_and_says_all_else_alike(many: Api) -> None:
    whole, brief = many.get("/v1/digest", days=5), many.get("/v1/digest", days=5, brief=True)
    assert whole["friction"] and whole["numbers"]
    assert brief == whole | {"changes": [], "friction": [], "numbers": []}


@pytest.mark.parametrize("length", [1, 5, 7, 9])
def test_its_counts_are_those_of_the_other_routes_and_add_up(many: Api, length: int) -> None:
    digest = many.get("/v1/digest", days=length)
    before = {
        "first_day": str(dt.date.fromisoformat(digest["first_day"]) - dt.timedelta(length)),
        "last_day": str(dt.date.fromisoformat(digest["first_day"]) - dt.timedelta(1)),
    }
    for window, which in ((digest, "now"), (before, "before")):
        topics = many.get("/v1/topics", number="tokens", **days(window))
        assert digest["messages"][which] == topics["n_messages"]
        assert digest["sessions"][which] == many.get("/v1/journeys", **days(window))["n_sessions"]
        (tokens,) = digest["numbers"]
        assert tokens["sum" if which == "now" else "sum_before"] == topics["number"]["all"]["sum"]
        sizes = {row["topic_id"]: row["size"] for row in topics["data"]}
        for row in digest["topics"]:
            assert row["size" if which == "now" else "size_before"] == sizes.get(row["topic_id"], 0)
    listed = sum(row["size"] for row in digest["topics"])
    assert listed + digest["n_other"] + digest["n_unassigned"] == digest["messages"]["now"]
    friction = many.get("/v1/friction", **days(digest))
    shares = {row["sign"]: row["share_of_sessions"] for row in friction["data"]}
    assert all(each["share"] == shares[each["sign"]] for each in digest["friction"])


@pytest.mark.slow
@pytest.mark.parametrize("length", [3, 7])
def test_what_changed_is_what_the_route_of_changes_says(own_api: Api, length: int) -> None:
    write_lake(
        own_api.lake, "shop", {f"d{day:02d}": [P, R] if day < 9 + 7 - length else [P, C, N] for day in range(17)}
    )
    told = own_api.get("/v1/changes", days=length)
    digest = own_api.get("/v1/digest", days=length)
    assert digest["changes"] == told["data"]
    assert (digest["first_day"], digest["last_day"]) == (told["now"]["first"], told["now"]["last"])
    sentences = [each["sentence"] for each in told["data"]]
    words = said(own_api, "text", days=length)
    assert all(f"\n- {sentence}\n" in words for sentence in sentences)
    assert ("Nothing changed beyond chance." in words) is not bool(sentences)


def test_users_are_counted_once_as_the_events_say(many: Api) -> None:
    digest = many.get("/v1/digest")
    sent = events("shop", MANY).filter(
        pl.col("timestamp").dt.date().is_between(dt.date(2026, 3, 13), dt.date(2026, 3, 19))
    )
    assert digest["users"]["now"] == sent["user_id"].n_unique()
    assert digest["messages"]["now"] == sent.height
    assert digest["numbers"][0]["n"] == sent.height


@pytest.mark.slow
def test_a_hidden_topic_is_among_the_others(many: Api) -> None:
    before = many.get("/v1/digest")
    edit = {"topic_id": "t_parcel", "action": "hide", "value": "true"}
    many.client.post("/v1/topics/edits", json=edit, headers={"X-API-Key": "shop:admin"})
    digest = many.get("/v1/digest")
    gone = next(row for row in before["topics"] if row["topic_id"] == "t_parcel")
    assert "t_parcel" not in [row["topic_id"] for row in digest["topics"]]
    assert digest["n_other"] == before["n_other"] + gone["size"]


def test_it_tells_what_people_wrote_down_about_its_days(many: Api) -> None:
    def write(path: str, **body: object) -> None:
        answer = many.client.post(path, json=body, headers={"X-API-Key": "shop:admin"})
        assert answer.status_code == 200, answer.text

    write("/v1/annotations", date="2026-03-12", text="the day before")
    write("/v1/annotations", date="2026-03-01", until="2026-03-13", text="campaign")
    write("/v1/annotations", date="2026-03-19", kind="release", text="Version 2")
    write("/v1/annotations", date="2026-03-20", text="the day after")
    write("/v1/topics/t_card/notes", text="ask the bank")
    digest = many.get("/v1/digest")
    assert [each["text"] for each in digest["annotations"]] == ["campaign", "Version 2"]
    assert [each["text"] for each in digest["notes"]] == ["ask the bank"]


def said(api: Api, form: str, **params: object) -> str:
    answer = api.client.get("/v1/digest", params={"format": form, **params}, headers={"X-API-Key": "shop:read"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain" if form == "text" else "text/markdown")
    return answer.text


@pytest.mark.slow
def test_in_words_it_says_the_same(many: Api) -> None:
    digest, text = many.get("/v1/digest"), said(many, "text")
    assert text.startswith("13 Mar to 19 Mar 2026\n=====================\n\n")
    messages, before = digest["messages"]["now"], digest["messages"]["before"]
    assert f"{messages} messages ({(messages - before) / before:+.0%})" in text.replace("as before", "+0%")
    (first, *_) = digest["topics"]
    assert f"\n- {first['label']}: {first['size']} messages, {first['share']:.0%}, before" in text
    assert f"Other topics: {digest['n_other']}; without a topic: {digest['n_unassigned']}" in text
    assert "\n## Top topics\n\n- " in said(many, "markdown")
    assert "are not whole in the data" in said(many, "text", days=10)


def test_no_word_of_a_user_is_markup(many: Api) -> None:
    label = "[win](https://evil.example) <b>*now*</b>\n# 1"
    rows = store.read(many.lake, TOPICS, "shop").with_columns(
        label=pl.when(pl.col("topic_id") == "t_parcel").then(pl.lit(label)).otherwise("label")
    )
    store.replace(many.lake, TOPICS, rows, "shop")
    assert "\n- \\[win\\](https://evil.example) \\<b\\>\\*now\\*\\</b\\> \\# 1: " in said(many, "markdown")


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [{}, {"s": SESSIONS["s1"][:1]}])
def test_without_a_complete_day_it_is_empty(own_api: Api, sessions: dict[str, list[str]]) -> None:
    write_lake(own_api.lake, "shop", {"s": [P]} | sessions)
    digest = own_api.get("/v1/digest")
    assert (digest["first_day"], digest["messages"], digest["topics"]) == (None, None, [])
    assert "no complete day" in said(own_api, "text")


def test_a_project_without_tables_has_an_empty_digest(own_api: Api) -> None:
    assert own_api.get("/v1/digest", key="nobody:read")["messages"] is None


@pytest.mark.parametrize("path", ["/v1/topics", "/v1/topics/t_card", "/v1/journeys"])
def test_no_other_answer_is_said_in_words(api: Api, path: str) -> None:
    assert api.get(path, format="markdown", status=400)["field"] == "format"
    assert api.get("/v1/digest", format="csv", status=400)["field"] == "format"
    assert api.get("/v1/digest", days=0, status=400)["field"] == "days"
