"""Answers are brought up to date by day of the session, and are what they would be if all had come at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, Row, bring, bring_one, copied, event, files, put
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import ANSWERS, JOURNEY_STEPS
from turret_pipeline.stages import CHECKS
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

ON_ITS_WAY = "Your parcel left our warehouse in Leeds this morning and will be with you soon."

SAID: dict[str, list[tuple[str, str | None]]] = {
    "again": [
        ("When will my parcel with the blue shoes arrive?", ON_ITS_WAY),
        ("On which day will the parcel with my blue shoes get here?", ON_ITS_WAY),
        ("How do I change the password of my account?", "I'm sorry, but I can't help you with that."),
    ],
    "calm": [
        ("How do I bake bread without yeast?", "Take baking soda and buttermilk instead of the yeast."),
        ("What is the tallest mountain of Europe?", None),
        ("Wann kommt die Rechnung vom März?", "Es tut mir leid, da ist etwas schiefgelaufen."),
    ],
    "twice": [
        ("Please cancel my subscription to the newspaper", "Sorry for the wait, your subscription is cancelled now."),
        ("Thanks!", "You are welcome."),
        ("Please cancel my subscription to the newspaper", "Sorry for the wait, your subscription is cancelled now."),
    ],
}


def rows() -> list[Row]:
    """The turns of all sessions, each with its answer, over two days; `twice` goes on over midnight."""
    found: list[Row] = []
    for number, (session, turns) in enumerate(SAID.items()):
        for place, (text, answer) in enumerate(turns):
            day = DAYS[0] if session != "twice" or place < 2 else DAYS[1]
            said = {"prompt": text, "plan": "free"} | ({} if answer is None else {"response": answer})
            changes = {"event_id": f"{session}{place}", "session_id": session, "metadata": json.dumps(said)}
            found.append(event(number * 1000 + place * 60 + (80_000 if day == DAYS[0] else 0), day, **changes))
    return found


def answers(lake: Lake) -> list[tuple[str, int, str, bool]]:
    table = store.read(lake, ANSWERS, PROJECT).sort(*ANSWERS.key)
    return table.select("session_id", "place", "kind", "is_repeated").rows()


WANTED = [
    ("again", 0, "answered", False),
    ("again", 1, "answered", True),
    ("again", 2, "refused", False),
    ("calm", 0, "answered", False),
    ("calm", 2, "apologised", False),
    ("twice", 0, "made_good", False),
    ("twice", 1, "answered", False),
    ("twice", 2, "made_good", True),
]


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Path:
    """A lake with the conversations, all of which came before the first build."""
    lake = Lake(str(tmp_path_factory.mktemp("answers") / "lake"))
    lake.make()
    keep_model(lake)
    for day in DAYS[:2]:
        put(lake, day, "all", [row for row in rows() if row["received_at"].date() == day])
    bring(lake)
    return Path(lake.root)


@pytest.fixture
def built(conversations: Path, tmp_path: Path) -> Lake:
    return Lake(str(copied(conversations, tmp_path / "lake")))


def refreshed(lake: Lake) -> None:
    bring_one("answers", Work(lake, PROJECT, full_refresh=True))


def test_each_message_with_an_answer_has_what_became_of_it(built: Lake) -> None:
    assert answers(built) == WANTED
    assert pending_stages(built, None) == {PROJECT: {}}
    assert not CHECKS["answers"]["answers_have_their_steps"].find(built, PROJECT, None).n_wrong


def test_answers_have_no_answers_of_their_own(built: Lake) -> None:
    table = store.read(built, ANSWERS, PROJECT)
    assert table.select("field", "answer_field").unique().rows() == [("prompt", "response")]


def test_a_full_refresh_leaves_the_same_bytes(built: Lake) -> None:
    before = files(built)["answers"]
    refreshed(built)
    assert files(built)["answers"] == before


@pytest.mark.slow
def test_days_that_come_one_by_one_leave_what_all_at_once_leave(lake: Lake) -> None:
    for day in DAYS[1::-1]:
        put(lake, day, "all", [row for row in rows() if row["received_at"].date() == day])
        bring(lake)
    assert answers(lake) == WANTED
    before = files(lake)["answers"]
    refreshed(lake)
    assert files(lake)["answers"] == before


def test_answers_go_with_the_steps_of_their_day(built: Lake) -> None:
    ProjectTable(built, JOURNEY_STEPS, PROJECT).replace(JOURNEY_STEPS.empty(), [DAYS[0]])
    bring_one("answers", Work(built, PROJECT))
    assert store.read(built, ANSWERS, PROJECT).is_empty()


@pytest.mark.parametrize(
    "spoilt",
    [
        pl.col("place") + 100,
        pl.lit("x").alias("event_id"),
        pl.lit("x").alias("text_id"),
        pl.lit("unheard of").alias("kind"),
        pl.col("sureness") + 1,
    ],
)
def test_the_check_sees_an_answer_that_fits_no_step(built: Lake, spoilt: pl.Expr) -> None:
    rows = store.read(built, ANSWERS, PROJECT)
    store.replace(built, ANSWERS, rows.with_columns(spoilt), PROJECT)
    assert CHECKS["answers"]["answers_have_their_steps"].find(built, PROJECT, None).n_wrong == rows.height


@pytest.mark.slow
def test_without_a_field_of_answers_there_are_none(lake: Lake) -> None:
    for row in rows():
        said = json.loads(row["metadata"])
        row["metadata"] = json.dumps({key: value for key, value in said.items() if key != "response"})
        if row["received_at"].date() == DAYS[0]:
            put(lake, DAYS[0], row["event_id"], [row])
    bring(lake)
    assert store.read(lake, JOURNEY_STEPS, PROJECT).height
    assert store.read(lake, ANSWERS, PROJECT).is_empty()
    assert pending_stages(lake, None) == {PROJECT: {}}
