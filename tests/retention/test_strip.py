"""What people wrote goes, and what is counted stays: after the retention, and after whatever is built on it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.small_lake import DAYS, PROJECT, bring, bring_one, event, planted_rows, put, tables, versions
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import list_files_of, remove_files, take_back
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    EVENTS,
    JOURNEY_STEPS,
    MESSAGES,
    REMOVALS,
    RETENTION_RULES,
    TOPIC_ASSIGNMENTS,
    TOPICS,
)
from turret_pipeline.retention.run import Retained, retain
from turret_pipeline.retention.strip import strip_events
from turret_pipeline.retention.texts import forget_unsaid
from turret_pipeline.semantics.gone import IS_GONE, is_gone
from turret_pipeline.semantics.values import text_id
from turret_pipeline.stages import CHECKS
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

MONDAY, TUESDAY, WEDNESDAY = DAYS
THURSDAY = dt.datetime(2026, 10, 4, 5, tzinfo=dt.UTC)


def rule(lake: Lake, days: int | None, field: str | None = None) -> None:
    row = {"project_id": PROJECT, "field": field, "decided_at": dt.datetime.now(dt.UTC), "days": days, "author": None}
    store.append(lake, RETENTION_RULES, pl.DataFrame([row], schema=RETENTION_RULES.schema))


def counts(lake: Lake) -> dict[str, Any]:
    """Return all that is counted: no text, no id, no number of distinct texts."""
    found = tables(lake)
    steps, sentiment = found["journey_steps"], found["text_sentiment"].select("text_id", "sentiment")
    signs, answers, edges = found["friction"], found["answers"], found["journey_edges"]
    events = found["events"]
    of_day = ["received_date", "field"]
    joined = steps.join(sentiment, on="text_id", how="left")
    return {
        "events": events.group_by("received_date", "name").len().sort(pl.all()).rows(),
        "users": (events["user_id"].n_unique(), events["session_id"].n_unique(), events["event_id"].n_unique()),
        "users by day": events.group_by("received_date")
        .agg(pl.col("user_id", "session_id").n_unique())
        .sort("received_date")
        .rows(),
        "messages": found["messages"].group_by(*of_day).len().sort(pl.all()).rows(),
        "types": found["field_types"].select("field", "type", "n_events", "n_null").rows(),
        "topics": found["topics"].select("field", "topic_id", "level", "label", "parent_id").sort("topic_id").rows(),
        "steps": joined.group_by(*of_day, "topic_id", "kind", "sentiment").len().sort(pl.all()).rows(),
        "days": found["topic_days"].rows(),
        "signs": signs.group_by(*of_day, "topic_id", "sign", "place").len().sort(pl.all()).rows(),
        "answers": answers.group_by(*of_day, "kind", "is_repeated").len().sort(pl.all()).rows(),
        "moves": found["journey_moves"].rows(),
        "edges": edges.rows(),
        "values": found["step_values"].drop("places", "order").rows(),
    }


def failing(lake: Lake) -> dict[str, str]:
    found = {}
    for table, checks in CHECKS.items():
        for name, check in checks.items():
            result = check.find(lake, PROJECT, None)
            if result.n_wrong:
                found[f"{table}.{name}"] = result.example
    return found


def everything(lake: Lake) -> str:
    """Return all that the files of the lake hold, the model's left out."""
    found = []
    for path in sorted(Path(lake.root).rglob("*")):
        if not path.is_file() or "models" in path.parts:
            continue
        content = path.read_bytes()
        if content.startswith(b"PAR1"):
            found.append(str(pq.read_table(pa.BufferReader(content)).to_pylist()))
        else:
            found.append(content.decode(errors="replace"))
    return "\n".join(found)


def words_of(numbers: range) -> list[str]:
    """Return a text of each of the planted events."""
    rows = planted_rows()
    return [json.loads(rows[number]["metadata"])["prompt"] for number in numbers]


def left(lake: Lake, words: list[str]) -> list[str]:
    held = everything(lake)
    return [text for text in words if re.search(rf"{re.escape(text)}(?!\d)", held) or text_id(text) in held]


@pytest.fixture
def retained(lake_before: Callable[[str], Lake]) -> Iterator[Lake]:
    """The small lake, whose project keeps one day: what came on Monday and Tuesday is gone, what is counted is not."""
    lake = lake_before("end")
    before = counts(lake)
    rule(lake, 1)
    done = retain(Work(lake, PROJECT), THURSDAY)
    assert (done.waiting, list(done.stripped.n_events)) == ([], [MONDAY, TUESDAY])
    assert counts(lake) == before
    yield lake
    assert failing(lake) == {}
    assert counts(lake)["days"]


def test_texts_that_are_over_are_in_no_file_and_the_others_are(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    assert len(left(lake, words_of(range(240)))) == 240
    rule(lake, 1)
    retain(Work(lake, PROJECT), THURSDAY)
    assert left(lake, words_of(range(160))) == []
    assert len(left(lake, words_of(range(160, 240)))) == 80
    held = everything(lake)
    assert [user for user in range(16) if f"'u{user}'" in held] == []
    assert "'u16'" in held
    assert [n for n in range(160) if f"'e{n}'" in held or f'"e{n}"' in held] == []


@pytest.mark.slow
def test_nothing_is_to_be_built_after_a_run_and_nothing_to_be_let_go(retained: Lake) -> None:
    assert not pending_stages(retained, None)[PROJECT]
    now, versions_before = counts(retained), versions(retained)
    bring(retained)
    assert versions(retained) == versions_before
    assert retain(Work(retained, PROJECT), THURSDAY) == Retained()
    assert versions(retained) == versions_before
    assert counts(retained) == now


@pytest.mark.slow
def test_a_full_refresh_leaves_what_is_counted_of_what_is_gone(retained: Lake) -> None:
    before = counts(retained)
    bring(retained, full_refresh=True)
    after = counts(retained)
    for name in ("events", "users", "users by day", "messages", "values"):
        assert after[name] == before[name], name
    assert [row[:2] for row in after["types"]] == [row[:2] for row in before["types"]]
    assert sum(row[-1] for row in after["steps"]) == 240
    gone = store.read(retained, TOPIC_ASSIGNMENTS, PROJECT).filter(IS_GONE)
    assert (gone.height, gone["topic_id"].null_count()) == (160, 0)


@pytest.mark.slow
def test_late_events_and_new_days_join_what_is_gone(retained: Lake) -> None:
    before = counts(retained)
    put(retained, TUESDAY, "late-0", [event(900, TUESDAY, "how do I get a refund for order 900", session_id="s900")])
    put(retained, DAYS[2], "late-1", [event(901, DAYS[2], "tell me about my parcel please, case 901")])
    bring(retained)
    after = counts(retained)
    assert sum(row[-1] for row in after["messages"]) == 242
    assert after["topics"] == before["topics"]
    done = retain(Work(retained, PROJECT), THURSDAY + dt.timedelta(hours=1))
    assert done.stripped.n_events == {TUESDAY: 1}
    assert counts(retained) == after
    assert left(retained, ["how do I get a refund for order 900"]) == []


def test_removals_say_what_went(retained: Lake) -> None:
    rows = store.read(retained, REMOVALS, PROJECT).drop("project_id")
    assert rows.rows() == [(THURSDAY, None, 1, MONDAY, TUESDAY, 160, 160)]


@pytest.mark.slow
def test_an_event_that_was_sent_twice_is_gone_from_both_parts(lake: Lake) -> None:
    put(lake, MONDAY, "a-0", [event(n, MONDAY, f"what is the price of order {n}") for n in range(30)])
    put(lake, WEDNESDAY, "b-0", [event(n, WEDNESDAY, f"what is the price of order {n}") for n in range(20, 40)])
    bring(lake)
    before = counts(lake)
    rule(lake, 1)
    retain(Work(lake, PROJECT), THURSDAY)
    assert left(lake, [f"what is the price of order {n}" for n in range(30)]) == []
    bring_one("events", Work(lake, PROJECT, full_refresh=True))
    assert counts(lake)["events"] == before["events"]


@pytest.mark.slow
def test_a_field_of_its_own_days_loses_its_texts_and_the_event_keeps_the_rest(lake: Lake) -> None:
    rows = [event(n, DAYS[n % 3], f"where is the parcel of order {n}") for n in range(90)]
    for row in rows:
        number = row["seq"]
        answer = {"answer": f"the parcel of order {number} will come tomorrow, the courier {number} says"}
        row["metadata"] = json.dumps(json.loads(row["metadata"]) | answer)
    for day in DAYS:
        put(lake, day, "a-0", [row for row in rows if row["received_at"].date() == day])
    bring(lake)
    before = counts(lake)
    rule(lake, 1, "answer")
    retain(Work(lake, PROJECT), THURSDAY)
    assert counts(lake) == before
    assert left(lake, ["the courier 3 says", "the courier 4 says"]) == []
    assert left(lake, ["the courier 5 says", "where is the parcel of order 3"]) != []
    messages = store.read(lake, MESSAGES, PROJECT)
    gone = messages.filter(pl.col("text").is_null())
    assert set(gone["field"]) == {"answer"}
    assert gone.height == 60
    assert set(messages["event_id"]) == {f"e{n}" for n in range(90)}
    bring(lake, full_refresh=True)
    assert counts(lake)["messages"] == before["messages"]
    assert counts(lake)["answers"] == before["answers"]


@pytest.mark.slow
def test_a_session_and_a_user_keep_their_ids_while_there_is_a_newer_event(lake: Lake) -> None:
    said = [(0, MONDAY), (1, TUESDAY), (2, WEDNESDAY)]
    going_on = [event(n, day, f"a question {n}", session_id="long", user_id="returning") for n, day in said]
    over = [event(10 + n, day, f"another {n}", session_id="short", user_id="returning") for n, day in said[:2]]
    lost = [event(20 + n, day, f"a third {n}", session_id="gone-out", user_id="gone-left") for n, day in said[:2]]
    rows = [*going_on, *over, *lost]
    for day in DAYS:
        put(lake, day, "a-0", [row for row in rows if row["received_at"].date() == day])
    bring(lake)
    before = counts(lake)
    rule(lake, 1)
    retain(Work(lake, PROJECT), THURSDAY)
    assert counts(lake) == before
    events = store.read(lake, EVENTS, PROJECT).sort("timestamp", "seq")
    assert events.filter(pl.col("session_id") == "long").height == 3
    assert events.filter(pl.col("user_id") == "returning").height == 5
    assert set(events["session_id"].map_elements(is_gone, return_dtype=pl.Boolean)) == {True, False}
    assert events.filter(pl.col("session_id") == "short").height == 0
    retain(Work(lake, PROJECT), THURSDAY + dt.timedelta(days=1))
    assert counts(lake) == before
    held = everything(lake)
    assert [word for word in ("long", "returning", "gone-left", "gone-out") if f"'{word}'" in held] == []


POINTS = (
    *("strip.after_copies", "part.mid_file", "strip.after_part", "strip.after_parts", "strip.after_signs"),
    *("strip.after_steps", "strip.after_messages", "strip.after_events", "strip.after_unsaid"),
    *("strip.before_oblivion", "oblivion.after_entries", "retention.before_removals"),
    "retention.after_removals",
)
QUICK = "strip.after_events"


@pytest.mark.parametrize(
    "point", [pytest.param(each, marks=[] if each == QUICK else pytest.mark.slow) for each in POINTS]
)
def test_a_run_that_is_killed_is_finished_by_the_next(
    lake_before: Callable[[str], Lake], interrupted_at: Callable[[str], AbstractContextManager[None]], point: str
) -> None:
    lake = lake_before("end")
    before = counts(lake)
    rule(lake, 1)
    with interrupted_at(point):
        retain(Work(lake, PROJECT), THURSDAY)
    assert counts(lake)["events"] == before["events"]
    retain(Work(lake, PROJECT), THURSDAY)
    assert counts(lake) == before
    assert left(lake, words_of(range(160))) == []
    assert failing(lake) == {}
    removed = store.read(lake, REMOVALS, PROJECT).drop("project_id", "removed_at")
    assert removed.rows() == [(None, 1, MONDAY, TUESDAY, 160, 160)]
    bring_one("events", Work(lake, PROJECT, full_refresh=True))
    assert counts(lake)["users"] == before["users"]
    assert not (Path(lake.project_folder(PROJECT)) / "stripping" / "run.json").exists()


@pytest.mark.slow
def test_events_that_are_named_go_on_to_count_and_are_gone(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before = counts(lake)
    strip_events(lake, PROJECT, ["e3", "e170", "e999"], user_ids=["u0"])
    assert counts(lake) == before
    words = words_of(range(240))
    assert left(lake, [words[3], words[170]]) == []
    assert len(left(lake, words)) == 238
    held = everything(lake)
    assert [name for name in ("e3", "e170", "u0") if f"'{name}'" in held] == []
    assert failing(lake) == {}


@pytest.mark.slow
def test_a_summary_that_quotes_stays_as_long_as_a_text_has_its_words(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    topics = ProjectTable(lake, TOPICS, PROJECT)
    rows, text = topics.read(), store.read(lake, EMBEDDINGS, PROJECT)["text"][0]
    said = [f'People write: "{text[:9]}… {text[-5:]}"', 'People write: "what nobody says …"', "People ask when.", None]
    topics.rewrite(rows.with_columns(summary=pl.Series((said * rows.height)[: rows.height])))
    forget_unsaid(lake, PROJECT)
    kept = [said[0], None, said[2], None]
    assert rows.height >= len(said)
    assert ProjectTable(lake, TOPICS, PROJECT).read()["summary"].to_list() == (kept * rows.height)[: rows.height]


@pytest.mark.slow
def test_a_summary_that_was_told_from_a_text_goes_with_the_last_text_that_says_it(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    topics, embeddings = ProjectTable(lake, TOPICS, PROJECT), ProjectTable(lake, EMBEDDINGS, PROJECT)
    message = json.loads(planted_rows()[0]["metadata"])["prompt"]
    unsaid = [f"My aunt died. Hello, {message}?", "When does it close?"]
    rows = embeddings.read().head(len(unsaid))
    ids = pl.Series([text_id(text) for text in unsaid])
    embeddings.append(rows.with_columns(text=pl.Series(unsaid), text_id=ids))
    said = ["People ask how to get money back for order 0.", "People ask when it closes.", "People ask for visas."]
    before = topics.read()
    topics.rewrite(before.with_columns(summary=pl.Series((said * before.height)[: before.height])))

    def summaries() -> list[str | None]:
        return ProjectTable(lake, TOPICS, PROJECT).read()["summary"].to_list()[: len(said)]

    forget_unsaid(lake, PROJECT)
    assert summaries() == [said[0], None, said[2]]  # a message says the first still; nobody ever said the third
    strip_events(lake, PROJECT, ["e0"])
    assert summaries() == [None, None, said[2]]


@pytest.mark.slow
def test_a_topic_that_nobody_speaks_of_any_more_stays_with_what_was_counted(lake: Lake) -> None:
    old = [event(n, MONDAY, f"which visa do I need for the trip to japan, case {n}") for n in range(60)]
    new = [event(100 + n, WEDNESDAY, f"where is the parcel of order {n}, it is late") for n in range(60)]
    new += [event(200 + n, WEDNESDAY, f"how do I bake bread with yeast, step {n}") for n in range(60)]
    put(lake, MONDAY, "a-0", old)
    put(lake, WEDNESDAY, "a-0", new)
    bring(lake)
    topics = store.read(lake, TOPICS, PROJECT).filter(pl.col("level") == 0)
    of_text = dict(store.read(lake, TOPIC_ASSIGNMENTS, PROJECT, "text_id", "topic_id").iter_rows())
    (visa,) = {of_text[text_id(json.loads(row["metadata"])["prompt"])] for row in old}
    assert visa is not None
    before = counts(lake)
    rule(lake, 1)
    retain(Work(lake, PROJECT), THURSDAY)
    assert counts(lake) == before
    (kept,) = store.read(lake, TOPICS, PROJECT).filter(pl.col("topic_id") == visa).to_dicts()
    assert (kept["examples"], kept["label"]) == ([], topics.filter(pl.col("topic_id") == visa)["label"].item())

    bring(lake, full_refresh=True)
    after = store.read(lake, TOPICS, PROJECT)
    (kept,) = after.filter(pl.col("topic_id") == visa).to_dicts()
    assert (kept["n_messages"], kept["n_texts"], kept["examples"]) == (60, 60, [])
    steps = store.read(lake, JOURNEY_STEPS, PROJECT)
    assert steps.filter(pl.col("text_topic_id") == visa).height == 60
    assert failing(lake) == {}
    bring(lake, full_refresh=True)
    assert store.read(lake, TOPICS, PROJECT).filter(pl.col("topic_id") == visa).height == 1


@pytest.mark.slow
def test_where_all_texts_are_gone_topics_and_counts_stay_through_a_refresh(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    before = counts(lake)
    rule(lake, 1)
    retain(Work(lake, PROJECT), THURSDAY + dt.timedelta(days=7))
    assert counts(lake) == before
    assert left(lake, words_of(range(240))) == []
    bring(lake, full_refresh=True)
    assert counts(lake) == before
    assert failing(lake) == {}


@pytest.mark.slow
def test_an_import_is_taken_back_after_its_texts_are_gone(lake: Lake) -> None:
    mine = [event(n, DAYS[n % 3], f"where is the parcel of order {n}") for n in range(60)]
    theirs = [event(100 + n, DAYS[n % 3], f"how do I bake bread, step {n}", user_id="imported") for n in range(60)]
    for day in DAYS:
        put(lake, day, "a-0", [row for row in mine if row["received_at"].date() == day])
        put(lake, day, "import-1-0", [row for row in theirs if row["received_at"].date() == day])
    bring(lake)
    rule(lake, 1)
    retain(Work(lake, PROJECT), THURSDAY)
    take_back(lake, PROJECT, "import-1", b"{}")
    remove_files(lake, list_files_of(lake, PROJECT, "import-1"))
    bring(lake)
    assert [row[1:] for row in counts(lake)["messages"]] == [("prompt", 20)] * 3
    assert failing(lake) == {}
    assert not pending_stages(lake, None)[PROJECT]
