"""Several erasures that go together leave what they would have left one after the other."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lake.holding import holding
from tests.small_lake import DAYS, PROJECT, bring, bring_one, event, put
from tests.stages.test_erasure import PARTS, events, written
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import list_all_files, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, TOPIC_NOTES
from turret_pipeline.orchestration.erase import Asked, Named, discard, forget, remove
from turret_pipeline.stages.work import Work

MONDAY, TUESDAY, _ = DAYS
WHO = "canaryuser88"


def asked(*wanted: tuple[str, str], **how: bool) -> Asked:
    return Asked(PROJECT, tuple(Named(f"era_{n}", *each, **how) for n, each in enumerate(wanted)))


def raw(lake: Lake) -> pl.DataFrame:
    return read_parts(lake, list_all_files(lake, PROJECT)).sort(pl.all())


WANTED = st.lists(
    st.sampled_from([("user", "a"), ("event", "e3"), ("event", "e1"), ("texts", "FROM B"), ("session", "s1")]),
    min_size=2,
    max_size=4,
    unique=True,
)


@pytest.mark.slow
@given(parts=PARTS, wanted=WANTED)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_together_they_leave_what_they_leave_one_after_the_other(
    tmp_path: Path, parts: list[tuple[str, dt.date, list[tuple[int, str]]]], wanted: list[tuple[str, str]]
) -> None:
    together, alone = Lake(str(tmp_path / "together")), Lake(str(tmp_path / "alone"))
    for lake in (together, alone):
        shutil.rmtree(lake.root, ignore_errors=True)
        for name, day, sent in parts:
            rows = [event(n, day, f"text from {user}", user_id=user, name=name) for n, user in sent]
            put(lake, day, name, [{**row, "seq": number} for number, row in enumerate(rows)])
        bring_one("events", Work(lake, PROJECT))
    found = remove(together, asked(*wanted))
    for each in wanted:
        remove(alone, asked(each))
        discard(alone, asked(each))
    assert raw(together).equals(raw(alone)) and events(together).equals(events(alone))
    for each in found["gathered"]:
        rows = raw(together)["event_id"]
        n_raw, _ = (done["n"] for done in found["own"][each["erasure_id"]])
        assert n_raw >= len(each["event_ids"]) and each["files"] == sorted(each["files"])
        assert each["kind"] != "event" or not rows.is_in([each["value"]]).any()


def test_a_text_that_only_two_of_them_have_goes_with_both_and_counts_are_of_each(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = [event(1, MONDAY, "what both of them say"), event(2, MONDAY, "alone"), event(30, MONDAY, "everybody")]
    rows += [event(11, MONDAY, "what both of them say"), event(12, MONDAY, "everybody")]
    put(lake, MONDAY, "c0ffee-1-1", [{**row, "seq": number} for number, row in enumerate(rows)])
    bring_one("events", Work(lake, PROJECT))
    written(
        lake, TOPIC_NOTES, field="prompt", note_id="n1", topic_id="t", text="see what both of them say", author=None
    )
    found = remove(lake, asked(("user", "u0"), ("user", "u1"), ("event", "e12")))
    texts = [each["texts"] for each in found["gathered"]]
    assert "what both of them say" in texts[0] and "what both of them say" in texts[1]
    assert "alone" in texts[0] and not any("everybody" in each for each in texts)
    assert [[done["n"] for done in each] for each in found["own"].values()] == [[2, 2], [2, 2], [1, 1]]
    assert {done["place"] for done in found["shared"]} >= {"imports", f"table {TOPIC_NOTES.name}"}
    assert events(lake)["event_id"].to_list() == ["e30"]


@pytest.mark.parametrize("point", ["erasure.after_part", "erasure.after_events"])
def test_killed_anywhere_the_next_call_goes_on_with_one_more(
    tmp_path: Path, interrupted_at: Callable[[str], AbstractContextManager[None]], point: str
) -> None:
    lake = Lake(str(tmp_path))
    put(lake, MONDAY, "c0ffee-1-1", [event(1, MONDAY, "a"), event(11, MONDAY, "b"), event(21, MONDAY, "b")])
    put(lake, TUESDAY, "c0ffee-2-1", [event(12, TUESDAY, "c"), event(31, TUESDAY, "d")])
    bring_one("events", Work(lake, PROJECT))
    with interrupted_at(point):
        remove(lake, asked(("user", "u0"), ("user", "u1")))
    # Of the first two the lists are in the lake; what the call does not know is told to have been forgotten.
    named = [Named("era_0", "user", ""), Named("era_1", "user", ""), Named("era_2", "user", "u2")]
    found = remove(lake, Asked(PROJECT, (*named, Named("era_3", "user", ""))))
    assert [each["event_ids"] for each in found["gathered"]] == [["e1"], ["e11", "e12"], ["e21"]]
    assert "b" in found["gathered"][2]["texts"] and events(lake)["event_id"].to_list() == ["e31"]
    assert raw(lake)["event_id"].to_list() == ["e31"]


@pytest.mark.slow
def test_what_one_takes_away_does_not_count_on_though_another_keeps_its_totals(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    rows = [event(9000 + n, MONDAY, f"{WHO} sings {n}", user_id=WHO, session_id=f"{WHO} cage") for n in range(4)]
    rows += [event(9100, MONDAY, f"{WHO} flies", user_id=WHO, session_id=f"{WHO} flight")]
    put(lake, MONDAY, "c0ffee-1-1", rows)
    bring(lake)
    before = store.read(lake, EVENTS, PROJECT).height
    both = (Named("era_1", "user", WHO, keep_totals=True), Named("era_2", "session", f"{WHO} cage"))
    remove(lake, Asked(PROJECT, both))
    bring(lake)
    assert forget(lake, Asked(PROJECT, both))["left"] == {}
    discard(lake, Asked(PROJECT, both))
    assert store.read(lake, EVENTS, PROJECT).height == before - 4
    assert holding(lake.root, WHO) == []
