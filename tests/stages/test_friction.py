"""Friction is brought up to date by day of the session, and is what it would be if all had come at once."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, Row, bring, bring_one, copied, event, files, put
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, FRICTION, JOURNEY_STEPS, TEXT_KINDS
from turret_pipeline.lake.upkeep import remove_old_files
from turret_pipeline.stages import CHECKS, STAGE_OF, changed_sessions, friction, text_kinds
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.stage import Task
from turret_pipeline.stages.told_texts import ANEW
from turret_pipeline.stages.work import Work

ON_ITS_WAY = "Your parcel left our warehouse in Leeds this morning and will be with you soon."
SORRY = "I am sorry to hear that; could you tell me a little more about what went wrong?"

Turn = tuple[str, str]
SAID: dict[str, list[Turn]] = {
    "again": [
        ("When will my parcel with the blue shoes arrive?", ON_ITS_WAY),
        ("On which day will the parcel with my blue shoes get here?", ON_ITS_WAY),
        ("How do I change the password of my account?", "Open the settings and choose a new password there."),
    ],
    "calm": [
        ("How do I bake bread without yeast?", "Take baking soda and buttermilk instead of the yeast."),
        ("What is the tallest mountain of Europe?", "Mount Elbrus in the Caucasus is the tallest one."),
        ("Thank you!", "You are welcome."),
    ],
    "twice": [
        ("Please cancel my subscription to the newspaper", SORRY),
        ("Thanks!", "You are welcome."),
        ("Please cancel my subscription to the newspaper", "It is cancelled as of the end of this month."),
    ],
}


def rows() -> list[Row]:
    """The turns of all sessions, each with its answer, over two days; `twice` goes on over midnight."""
    found: list[Row] = []
    for number, (session, turns) in enumerate(SAID.items()):
        for place, (text, answer) in enumerate(turns):
            day = DAYS[0] if session != "twice" or place < 2 else DAYS[1]
            said = {"prompt": text, "response": answer, "plan": "free"}
            changes = {"event_id": f"{session}{place}", "session_id": session, "metadata": json.dumps(said)}
            found.append(event(number * 1000 + place * 60 + (80_000 if day == DAYS[0] else 0), day, **changes))
    return found


def signs(lake: Lake) -> list[tuple[str, int, str, int | None]]:
    table = store.read(lake, FRICTION, PROJECT).sort(*FRICTION.key)
    return table.select("session_id", "place", "sign", "evidence_place").rows()


WANTED = [
    ("again", 1, "answer_repeated", 0),
    ("again", 1, "rephrased", 0),
    ("again", 2, "gave_up", 1),
    ("twice", 2, "repeated", 0),
]


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Path:
    """A lake with the conversations, all of which came before the first build."""
    lake = Lake(str(tmp_path_factory.mktemp("friction") / "lake"))
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
    bring_one("friction", Work(lake, PROJECT, full_refresh=True))


def test_each_sign_names_the_step_that_it_refers_to(built: Lake) -> None:
    assert signs(built) == WANTED
    assert pending_stages(built, None) == {PROJECT: {}}
    assert not CHECKS["friction"]["signs_have_their_steps"].find(built, PROJECT, None).n_wrong


def test_answers_have_no_friction_of_their_own(built: Lake) -> None:
    assert store.read(built, FRICTION, PROJECT)["field"].unique().to_list() == ["prompt"]


def test_a_full_refresh_leaves_the_same_bytes(built: Lake) -> None:
    before = files(built)["friction"]
    refreshed(built)
    assert files(built)["friction"] == before


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Of which sessions each look tells the signs; all days count as large."""
    monkeypatch.setattr(changed_sessions, "LARGE_DAY", 1)
    seen: list[set[str]] = []
    real = friction._told

    def noting(task: Task, steps: pl.DataFrame) -> pl.DataFrame:
        seen.append(set(steps["session_id"]))
        return real(task, steps)

    monkeypatch.setattr(friction, "_told", noting)
    return seen


@pytest.mark.slow
def test_of_a_large_day_the_sessions_that_changed_are_told_and_the_others_stay(
    lake: Lake, told: list[set[str]]
) -> None:
    first = [row for row in rows() if row["received_at"].date() == DAYS[0]]
    for number, part in enumerate((first[:2], first[2:4], first[4:])):
        put(lake, DAYS[0], f"part{number}", part)
        bring(lake)
    put(lake, DAYS[1], "goeson", [row for row in rows() if row["received_at"].date() == DAYS[1]])
    bring(lake)
    assert told == [{"again"}, {"again", "calm"}, {"calm", "twice"}, {"twice"}]
    assert signs(lake) == WANTED
    before = files(lake)["friction"]
    refreshed(lake)
    assert told[-1] == {"again", "calm", "twice"}, "a full refresh tells all"
    assert files(lake)["friction"] == before


@pytest.mark.slow
def test_a_large_day_is_told_whole_once_texts_are_told_otherwise_or_the_steps_of_then_are_gone(
    lake: Lake, told: list[set[str]]
) -> None:
    for number, row in enumerate(rows()[:3]):
        put(lake, DAYS[0], f"part{number}", [row])
    bring(lake)
    put(lake, DAYS[0], "calm", rows()[3:4])
    kinds = ProjectTable(lake, TEXT_KINDS, PROJECT)
    kinds.append(TEXT_KINDS.empty(), marks={ANEW: 5})
    bring(lake)
    assert told == [{"again"}, {"again", "calm"}]
    put(lake, DAYS[0], "more", rows()[4:5])
    bring(lake, until="journey_steps")
    assert remove_old_files(lake, JOURNEY_STEPS, dt.timedelta(0))
    bring(lake)
    assert told[-1] == {"again", "calm"}


@pytest.mark.slow
def test_days_that_come_one_by_one_leave_what_all_at_once_leave(lake: Lake) -> None:
    for day in DAYS[1::-1]:
        put(lake, day, "all", [row for row in rows() if row["received_at"].date() == day])
        bring(lake)
    assert signs(lake) == WANTED
    before = files(lake)["friction"]
    refreshed(lake)
    assert files(lake)["friction"] == before


@pytest.mark.slow
def test_a_late_message_changes_the_day_of_its_session_alone(built: Lake) -> None:
    before = dict(files(built)["friction"])
    thanks = {"prompt": "Thank you!", "response": "You are welcome.", "plan": "free"}
    late = event(90_000, DAYS[0], event_id="late", session_id="again", metadata=json.dumps(thanks))
    put(built, DAYS[2], "late", [late | {"received_at": late["received_at"] + dt.timedelta(days=1)}])
    outcome = bring(built)["friction"]
    assert [each for each in WANTED if each[:2] != ("again", 2)] == signs(built)
    assert outcome.looked_at == [DAYS[0]]
    assert dict(files(built)["friction"]).keys() == before.keys()


def test_signs_go_with_the_steps_of_their_day(built: Lake) -> None:
    ProjectTable(built, JOURNEY_STEPS, PROJECT).replace(JOURNEY_STEPS.empty(), [DAYS[0]])
    bring_one("friction", Work(built, PROJECT))
    assert store.read(built, FRICTION, PROJECT).is_empty()


def test_other_vectors_make_every_day_stale(built: Lake) -> None:
    now = Task(STAGE_OF["friction"], Work(built, PROJECT))
    assert now.stale_days() == []
    embeddings = ProjectTable(built, EMBEDDINGS, PROJECT, method=99)
    embeddings.replace(embeddings.read(), inputs=7)
    assert Task(STAGE_OF["friction"], Work(built, PROJECT)).stale_days() == [DAYS[0]]


@pytest.mark.slow
def test_signs_follow_kinds_that_are_told_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def choke(texts: pl.DataFrame, examples: object) -> pl.DataFrame:
        raise ValueError("no words")

    said = [row for row in rows() if row["session_id"] == "again"]
    with monkeypatch.context() as patch:
        patch.setattr(text_kinds, "told_kinds", choke)
        put(lake, DAYS[0], "all", said)
        bring(lake)
    untold = store.read(lake, FRICTION, PROJECT)
    put(lake, DAYS[2], "next", [event(200_000, DAYS[2], "How do I bake bread without yeast?")])
    outcome = bring(lake)["friction"]
    assert outcome.looked_at == [DAYS[0], DAYS[2]]
    told = store.read(lake, FRICTION, PROJECT)
    # The kinds are the same requests; how much each says by itself is what the strength of `rephrased` follows from.
    assert told.drop("strength").equals(untold.drop("strength"))
    assert not told.equals(untold)
    before = files(lake)["friction"]
    refreshed(lake)
    assert files(lake)["friction"] == before
