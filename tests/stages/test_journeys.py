"""Journeys are brought up to date day by day, and are what they would be if all had come at once."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    TEXT_KINDS,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
)
from turret_pipeline.semantics.kinds import kinds, least_similarities, topics_in_context
from turret_pipeline.semantics.topic_days import topic_days
from turret_pipeline.semantics.visits import journey_edges, steps, visits
from turret_pipeline.stages import CHECKS, STAGE_OF, by_day
from turret_pipeline.stages.work import Work

PROJECT = "shop"
DAY0 = dt.date(2026, 10, 1)
Said = tuple[int, int, str, int, str]
"""Day of receipt, second within it, session, seconds that the message was late, text."""


def message(number: int, said: Said) -> dict[str, object]:
    day, second, session, late, text = said
    received_date = DAY0 + dt.timedelta(days=day)
    received_at = dt.datetime.combine(received_date, dt.time(12), dt.UTC) + dt.timedelta(seconds=second)
    return {
        "project_id": PROJECT,
        "received_date": received_date,
        "field": "prompt",
        "event_id": f"e{number}",
        "session_id": session,
        "user_id": f"user of {session}",
        "name": "chat",
        "timestamp": received_at - dt.timedelta(seconds=late),
        "received_at": received_at,
        "seq": number,
        "text_id": text,
        "text": text,
    }


class Project:
    """A project whose messages and topics come as a test says; the stages of the journeys are real."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def say(self, rows: Sequence[dict[str, object]]) -> None:
        if rows:
            ProjectTable(self.lake, MESSAGES, PROJECT).append(pl.DataFrame(list(rows), schema=MESSAGES.schema))

    def assign(self, topics: dict[str, str | None], refit: bool = False, similarity: float = 0.5) -> None:
        rows = pl.DataFrame(
            [(PROJECT, "prompt", text, topic, similarity, None, None, 1, None) for text, topic in topics.items()],
            schema=TOPIC_ASSIGNMENTS.schema,
            orient="row",
        )
        table = ProjectTable(self.lake, TOPIC_ASSIGNMENTS, PROJECT)
        (table.replace if refit else table.append)(rows)

    def tell(
        self, moves: dict[str, str | None], slight: Collection[str] = (), anew: bool = False, weight: float = 0.1
    ) -> None:
        """Say of texts which moves they are (None: none), and which of them say little by themselves: `weight`."""
        rows = pl.DataFrame(
            [
                (PROJECT, model_key(None), text, move, 1.0, weight if text in slight else 1.0)
                for text, move in moves.items()
            ],
            schema=TEXT_KINDS.schema,
            orient="row",
        )
        table = ProjectTable(self.lake, TEXT_KINDS, PROJECT)
        (table.replace if anew else table.append)(rows)

    def bring(self, full_refresh: bool = False) -> list[int]:
        """Run the stages; return how many rows each wrote."""
        work = Work(self.lake, PROJECT, full_refresh=full_refresh)
        names = ("journey_steps", "topic_days", "journey_moves", "journey_edges")
        return [STAGE_OF[name].bring(work)[0].n_rows for name in names]

    def edges(self) -> pl.DataFrame:
        return store.read(self.lake, JOURNEY_EDGES, PROJECT).drop("project_id", "field").sort("from_topic", "to_topic")

    def steps_from_scratch(self) -> pl.DataFrame:
        """The steps of all messages at once, without the tables of journeys."""
        topics = store.read(self.lake, TOPIC_ASSIGNMENTS, PROJECT, "text_id", "topic_id", "similarity")
        told = store.read(self.lake, TEXT_KINDS, PROJECT, "text_id", "move", "sureness", "weight")
        placed = steps(store.read(self.lake, MESSAGES, PROJECT).drop("text"))
        of_texts = topics.join(told, on="text_id").lazy().with_columns(field=pl.lit("prompt"))
        topics = topics.join(least_similarities(of_texts).drop("field"), on="topic_id", how="left")
        for texts in (topics, told):
            placed = placed.join(texts, on="text_id", how="left", maintain_order="left")
        placed = placed.with_columns(pl.col("sureness").fill_null(0.0), pl.col("weight").fill_null(1.0))
        placed = placed.with_columns(kinds(placed).alias("kind"), text_topic_id="topic_id")
        return placed.with_columns(topics_in_context(placed).alias("topic_id"))

    def from_scratch(self) -> pl.DataFrame:
        """The edges counted from all messages at once, without the tables of journeys."""
        return journey_edges(visits(self.steps_from_scratch()))

    def days(self, session: str) -> list[dt.date]:
        rows = store.scan(self.lake, JOURNEY_STEPS, PROJECT).filter(pl.col("session_id") == session)
        return rows.select("received_date").unique().collect()["received_date"].to_list()


def failing_checks(lake: Lake) -> dict[str, object]:
    tables = ("journey_steps", "topic_days", "journey_moves", "journey_edges")
    found = {
        f"{table}.{name}": each.find(lake, PROJECT, None) for table in tables for name, each in CHECKS[table].items()
    }
    return {name: finding for name, finding in found.items() if finding.n_wrong}


@pytest.fixture
def project(lake: Lake) -> Project:
    return Project(lake)


SAID = st.tuples(
    st.integers(0, 3),
    st.integers(0, 5),
    st.sampled_from(["s1", "s2", "s3"]),
    st.sampled_from([0, 0, 3, 90_000]),
    st.sampled_from(["a", "b", "c", "none", "thanks", "more"]),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.lists(SAID, min_size=1, max_size=14).flatmap(
        lambda said: st.tuples(
            st.permutations(list(enumerate(said))),
            st.lists(st.integers(0, len(said)), max_size=2),
            st.booleans(),
            st.sampled_from([0.1, 0.32]),
        )
    )
)
def test_messages_in_any_split_and_order_of_arrival_leave_what_all_at_once_would(
    given_: tuple[list[tuple[int, Said]], list[int], bool, float],
) -> None:
    arriving, cuts, refit, weight = given_
    rows = [message(number, said) for number, said in arriving]
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Lake(str(Path(folder) / "lake")))
        project.lake.make()
        project.assign({"a": "t1", "b": "t2", "c": "t1", "none": None, "thanks": "t1", "more": "t2"})
        project.tell({"a": None, "b": None, "c": None, "thanks": "thanks"})
        project.tell({"more": None}, slight=["more"], weight=weight)
        bounds = sorted({0, *cuts, len(rows)})
        for start, end in zip(bounds, bounds[1:], strict=False):  # noqa: RUF007
            project.say(rows[start:end])
            project.bring()
            if refit and start == 0:
                project.assign(
                    {"a": "t1", "b": "t1", "c": "t3", "none": "t2", "thanks": None, "more": "t1"}, refit=True
                )
                project.tell({"a": None, "b": "yes", "thanks": "thanks", "more": None}, slight=["more"], anew=True)
        project.bring()
        assert project.edges().equals(project.from_scratch())
        assert project.bring() == [0, 0, 0, 0]
        found, wanted = store.read(project.lake, JOURNEY_STEPS, PROJECT), project.steps_from_scratch()
        columns = ("event_id", "session_id", "place", "kind", "topic_id", "text_topic_id")
        assert found.select(columns).sort("event_id").equals(wanted.select(columns).sort("event_id"))
        counted = store.read(project.lake, TOPIC_DAYS, PROJECT).drop("project_id")
        first_day = pl.col("received_date").min().over("session_id")
        sentiment = pl.lit(None, pl.String)  # no text was looked at
        days = topic_days(wanted.with_columns(received_date=first_day, sentiment=sentiment).lazy()).collect()
        assert counted.sort(*days.columns).equals(days.sort(*days.columns).select(counted.columns))
        assert failing_checks(project.lake) == {}


def kinds_of(project: Project, session: str) -> list[tuple[str, str | None]]:
    rows = store.read(project.lake, JOURNEY_STEPS, PROJECT).filter(session_id=session).sort("place")
    return list(rows.select("kind", "topic_id").iter_rows())


def test_a_late_message_makes_what_follows_it_a_follow_up_of_it(project: Project) -> None:
    project.assign({"a": "t1", "b": "t2", "more": "t9", "thanks": "t1"})
    project.tell({"a": None, "b": None, "more": None, "thanks": "thanks"}, slight=["more"])
    project.say(
        [message(0, (0, 10, "s", 0, "a")), message(1, (0, 20, "s", 0, "more")), message(2, (0, 30, "s", 0, "thanks"))]
    )
    project.bring()
    assert kinds_of(project, "s") == [("request", "t1"), ("follow_up", "t1"), ("thanks", None)]
    project.say([message(3, (1, 0, "s", 86_385, "b"))])  # it was said between the first two
    project.bring()
    assert kinds_of(project, "s") == [("request", "t1"), ("request", "t2"), ("follow_up", "t2"), ("thanks", None)]
    found = {(row[0], row[1]) for row in project.edges().iter_rows()}
    assert found == {("start", "t1"), ("t1", "t2"), ("t2", "end")}


def test_texts_that_come_later_make_of_a_topic_one_that_slight_texts_bring(project: Project) -> None:
    project.assign({"a": "t1", "ramen": "t2"})
    project.tell({"a": None, "ramen": None}, slight=["ramen"], weight=0.25)
    project.say([message(0, (0, 0, "s", 0, "a")), message(1, (0, 1, "s", 0, "ramen"))])
    project.bring()
    assert kinds_of(project, "s") == [("request", "t1"), ("follow_up", "t1")]
    project.assign({f"food {number}": "t2" for number in range(4)})
    project.tell({f"food {number}": None for number in range(4)})
    project.say([message(2 + number, (1, number, "other", 0, f"food {number}")) for number in range(4)])
    project.bring()
    assert kinds_of(project, "s") == [("request", "t1"), ("request", "t2")]
    assert project.bring() == [0, 0, 0, 0]


def test_kinds_that_are_told_anew_are_joined_anew(project: Project) -> None:
    project.assign({"a": "t1", "b": "t2"})
    project.tell({"a": None, "b": None})
    project.say([message(0, (0, 0, "s", 0, "a")), message(1, (0, 1, "s", 0, "b"))])
    project.bring()
    project.tell({"a": "greeting", "b": "goodbye"}, anew=True)
    project.bring()
    assert kinds_of(project, "s") == [("greeting", None), ("goodbye", None)]
    assert [row[:2] for row in project.edges().iter_rows()] == [("moves", "end"), ("start", "moves")]
    counted = store.read(project.lake, TOPIC_DAYS, PROJECT).sort("topic_id")
    assert counted.select("topic_id", "n_messages").rows() == [("goodbye", 1), ("greeting", 1)]


def test_a_session_over_midnight_lies_whole_on_its_first_day(project: Project) -> None:
    project.assign({"a": "t1", "b": "t2"})
    project.say([message(0, (0, 43_190, "s", 0, "a")), message(1, (0, 0, "other", 0, "b"))])
    project.bring()
    project.say([message(2, (1, -43_190, "s", 0, "b"))])
    project.bring()
    assert project.days("s") == [DAY0]
    found = {(row[0], row[1]): row[2:] for row in project.edges().iter_rows()}
    assert found[("t1", "t2")] == (1, 1, 1.0, 20.0, 20.0, 20.0, 20.0)


def test_a_part_of_an_earlier_day_that_comes_late_takes_the_session_with_it(project: Project) -> None:
    project.assign({"a": "t1", "b": "t2"})
    project.say([message(0, (2, 0, "s", 0, "b"))])
    project.bring()
    project.say([message(1, (0, 0, "s", 0, "a"))])
    project.bring()
    assert project.days("s") == [DAY0]
    assert project.edges().equals(project.from_scratch())


def test_a_new_day_leaves_the_files_of_days_that_it_does_not_touch(project: Project) -> None:
    project.assign({"a": "t1", "b": "t2"})
    project.say([message(i, (i, 0, f"s{i}", 0, "ab"[i % 2])) for i in range(4)])
    project.bring()
    tables = (JOURNEY_STEPS, JOURNEY_MOVES)
    before = [set(store.project_files(store.open_table(project.lake, table), PROJECT)) for table in tables]
    project.say([message(9, (4, 0, "s3", 0, "a")), message(10, (4, 1, "new", 0, "a"))])
    project.assign({"new text": None})
    written = project.bring()
    # The messages; of s3's day and the new one two days of topics each, and three moves and two.
    assert [written[0], written[2]] == [2, 5]
    for table, files in zip(tables, before, strict=True):
        now = set(store.project_files(store.open_table(project.lake, table), PROJECT))
        assert len(files & now) == 3, table.name
    assert project.edges().equals(project.from_scratch())


def test_a_refit_joins_anew_and_writes_only_days_where_a_topic_changed(project: Project) -> None:
    project.assign({"a": "t1", "b": "t2"})
    project.say([message(0, (0, 0, "s0", 0, "a")), message(1, (1, 0, "s1", 0, "b")), message(2, (1, 1, "s1", 0, "a"))])
    project.bring()
    project.assign({"a": "t1", "b": "t9"}, refit=True)
    assert project.bring()[0] == 2
    assert project.edges().equals(project.from_scratch())
    project.assign({"a": "t1", "b": "t9"}, refit=True)
    assert project.bring() == [0, 0, 0, 0]


def test_a_text_that_was_not_assigned_yet_gets_its_topic_when_it_is(project: Project) -> None:
    project.say([message(0, (0, 0, "s", 0, "a")), message(1, (0, 1, "s", 0, "b"))])
    project.assign({"a": "t1"})
    project.bring()
    assert set(project.edges()["from_topic"]) == {"start", "t1", "unassigned"}
    project.assign({"b": "t2"})
    project.bring()
    assert set(project.edges()["from_topic"]) == {"start", "t1", "t2"}


def test_messages_that_are_gone_are_gone_from_the_journeys(project: Project) -> None:
    """As when a field stops being text, or an earlier receipt of the same event comes to light."""
    project.assign({"a": "t1", "b": "t2"})
    rows = [message(i, (i // 2, i, f"s{i % 2}", 0, "ab"[i % 2])) for i in range(6)]
    project.say(rows)
    project.bring()
    messages = ProjectTable(project.lake, MESSAGES, PROJECT)
    messages.replace(pl.DataFrame(rows[:1], schema=MESSAGES.schema), [DAY0])
    project.bring()
    assert project.edges().equals(project.from_scratch())
    messages = ProjectTable(project.lake, MESSAGES, PROJECT)
    messages.replace(MESSAGES.empty(), messages.days())
    project.bring()
    assert project.edges().is_empty()
    assert store.read(project.lake, JOURNEY_STEPS, PROJECT).is_empty()
    assert store.read(project.lake, JOURNEY_MOVES, PROJECT).is_empty()


def test_a_full_refresh_and_batches_of_a_day_leave_the_same(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.assign({"a": "t1", "b": "t2", "none": None})
    texts = ["a", "b", "none"]
    project.say([message(i, (i % 5, i, f"s{i % 7}", 0, texts[i % 3])) for i in range(40)])
    monkeypatch.setattr(by_day, "BATCH_ROWS", 1)
    project.bring()
    once = {
        table.name: store.read(project.lake, table, PROJECT).sort(table.key) for table in (JOURNEY_STEPS, JOURNEY_MOVES)
    }
    assert project.edges().equals(project.from_scratch())
    monkeypatch.undo()
    project.bring(full_refresh=True)
    for table in (JOURNEY_STEPS, JOURNEY_MOVES):
        assert store.read(project.lake, table, PROJECT).sort(table.key).equals(once[table.name]), table.name
