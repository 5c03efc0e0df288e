"""How often changes are told where nothing changed, and how often one that was planted is: on resampled conversations.

    python benchmarks/changes.py DATA.parquet [--streams 500] [--sessions 40] [--processes 2]

DATA has the columns session_id, ts and gold_topic, a row a message (sgd_train). A stream is 45 days of sessions drawn
from it with replacement, whole, so that each keeps its topics and length; `--sessions` a day, at an even pace but for
the weekday. Users come back (each session's is drawn with weights 1/rank), each has a plan and a channel, and a session
meets with friction as its own rate says. Nothing in it changes.

Each stream is asked what every page asks: what changed (`GET /v1/changes`, any finding), and which topics differ
(`GET /v1/topics/compare`, any mark) between the last 7 days and the 7 before, before and after a release, and between
two plans. Beside them the yardstick: whether a z-test of any topic's share of messages, last 7 days against 7 before,
has p < 0.05. Then one topic of 3 to 8 % of sessions is doubled over the last 7 days, in `--streams` others: among
all, and among new users only. Prints one JSON object: shares of the streams, with Wilson's 95% interval.

Looking at a stream again every day is looking more often: these are shares of pages, each looked at once.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.questions.changes.findings import Changes, ChangesOfField
from turret_api.read.questions.journeys.statistics import Z_95
from turret_api.read.questions.topics.comparison import ComparisonOfTopics, TopicComparison
from turret_api.read.views.sides import Side, Sides
from turret_pipeline.lake.tables import (
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_STEPS,
    TEXT_SENTIMENT,
    TOPIC_DAYS,
    TOPICS,
    Table,
)
from turret_pipeline.semantics.changes import DAY, Days
from turret_pipeline.semantics.sentiment import NEGATIVE
from turret_pipeline.semantics.topic_days import topic_days

START = dt.date(2026, 1, 1)
N_DAYS = 45
NOW = Days(START + 37 * DAY, START + 43 * DAY)
BEFORE = Days(START + 30 * DAY, START + 36 * DAY)
PACE = (1.0, 1.1, 1.0, 1.0, 0.9, 0.5, 0.4)
PLANS = ("free", "plus", "business")
CHANNELS = ("ios", "android", "web")


class FramesSnapshot(Snapshot):
    """The tables of one project, each a frame in memory; one that is not given is empty."""

    def __init__(self, frames: dict[str, pl.DataFrame]) -> None:
        self._frames = frames
        self._known: dict[object, pl.DataFrame] = {}

    def scan(self, table: Table) -> pl.LazyFrame:
        """Return the rows of `table`."""
        return self._frames.get(table.name, table.empty()).lazy()

    def remember(self, key: Any, tables: tuple[Table, ...], compute: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """Return what `compute` makes, computed once."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def is_of_steps(self, table: Table) -> bool:
        """Tell that the counts which there are were made of the steps."""
        return table.name in self._frames

    def built_at(self, *tables: Table) -> dt.datetime | None:
        """Return that nothing was built."""
        return None


def conversations(data: pl.DataFrame) -> list[list[str]]:
    """Return the topics of each session's messages, in order."""
    ordered = data.sort("session_id", "ts")
    return ordered.group_by("session_id", maintain_order=True).agg("gold_topic")["gold_topic"].to_list()


def stream(
    sessions: list[list[str]],
    seed: int,
    *,
    per_day: float,
    doubled: str | None = None,
    only_new: bool = False,
    times: float = 2.0,
) -> FramesSnapshot:
    """Return the tables of one stream; doubled: a topic whose sessions are drawn `times` as often in the last 7 days.

    only_new: only for users who had no session before.
    """
    draw = np.random.default_rng(seed)
    n_users = max(int(per_day * 12), 5)
    popularity = 1 / np.arange(1, n_users + 1) ** 0.7
    plan, channel = draw.integers(0, 3, n_users), draw.integers(0, 3, n_users)
    has = np.array([doubled in topics for topics in sessions]) if doubled else np.zeros(len(sessions), dtype=bool)
    rest = max(1 - times * has.mean(), 0.0) / max(1 - has.mean(), 1e-9)
    often = np.where(has, times, rest) / len(sessions)
    rows: list[tuple[Any, ...]] = []
    seen: set[int] = set()
    n = 0
    for day in range(N_DAYS):
        date = START + day * DAY
        for moment in np.sort(draw.uniform(0, 86_000, draw.poisson(per_day * PACE[day % 7]))):
            user = int(draw.choice(n_users, p=popularity / popularity.sum()))
            in_time = doubled is not None and NOW.first <= date <= NOW.last
            planted = in_time and (not only_new or user not in seen)
            chosen = int(draw.choice(len(sessions), p=often / often.sum()) if planted else draw.integers(len(sessions)))
            if not NOW.first <= date <= NOW.last:
                seen.add(user)
            rate = draw.beta(0.4, 4)
            at = dt.datetime.combine(date, dt.time(), dt.UTC) + dt.timedelta(seconds=float(moment))
            for place, topic in enumerate(sessions[chosen]):
                time = at + dt.timedelta(seconds=20 * place)
                rows.append(
                    (f"s{n:06d}", place, time, f"u{user}", topic, bool(draw.random() < rate), plan[user], channel[user])
                )
            n += 1
    return _tables(rows)


def _tables(rows: list[tuple[Any, ...]]) -> FramesSnapshot:
    names = ("session_id", "place", "timestamp", "user_id", "topic_id", "has_friction", "plan", "channel")
    told = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None).with_row_index("seq")
    day = pl.col("timestamp").dt.date()
    told = told.with_columns(
        project_id=pl.lit("p"),
        field=pl.lit("prompt"),
        event_id=pl.format("e{}", "seq"),
        name=pl.lit("chat"),
        received_at="timestamp",
        message_date=day,
        received_date=day.first().over("session_id"),
        text_id=pl.Series(_texts(rows)),
        kind=pl.lit("request"),
        text_topic_id="topic_id",
        seq=pl.col("seq").cast(pl.Int64),
        part=pl.lit("p"),
        metadata=pl.Series([_metadata(row) for row in rows]),
        sign=pl.lit("rephrased"),
        strength=pl.lit(0.9),
        evidence_place=pl.lit(None, pl.Int64),
    )
    steps = _as(told, JOURNEY_STEPS)
    sounding = steps.lazy().with_columns(sentiment=pl.lit(None, pl.String))
    days = _as(topic_days(sounding).collect().with_columns(project_id=pl.lit("p")), TOPIC_DAYS)
    topics = sorted(set(told["topic_id"].drop_nulls()))
    of_topics = pl.concat([TOPICS.empty(), pl.DataFrame({"topic_id": topics})], how="diagonal").with_columns(
        project_id=pl.lit("p"), field=pl.lit("prompt"), label="topic_id", level=pl.lit(0, pl.Int64)
    )
    names_of = ["prompt", "plan", "channel", "resolved"]
    types = pl.DataFrame({"field": names_of, "type": ["text", "enum", "enum", "enum"]})
    types = types.with_columns(detected_type="type", summary=pl.lit('{"values":[{"value":"true"},{"value":"false"}]}'))
    types = pl.concat([FIELD_TYPES.empty(), types], how="diagonal").with_columns(n_events=pl.lit(1, pl.Int64))
    sounds = pl.DataFrame({"text_id": ["angry"], "sentiment": [NEGATIVE]})
    marked = pl.DataFrame({"field": ["resolved"], "good": [["true"]]})
    return FramesSnapshot(
        {
            JOURNEY_STEPS.name: steps,
            TOPIC_DAYS.name: days,
            TOPICS.name: of_topics,
            EVENTS.name: _as(told, EVENTS),
            FRICTION.name: _as(told.filter("has_friction"), FRICTION),
            FIELD_TYPES.name: types,
            TEXT_SENTIMENT.name: pl.concat([TEXT_SENTIMENT.empty(), sounds], how="diagonal"),
            FIELD_OUTCOMES.name: pl.concat([FIELD_OUTCOMES.empty(), marked], how="diagonal"),
        }
    )


def _texts(rows: list[tuple[Any, ...]]) -> list[str]:
    """Return for each row the text that it says: a seventh of the users sounds angry a third of the time."""
    draw = np.random.default_rng(len(rows)).random(len(rows))
    return [
        "angry" if u < (0.33 if int(row[3][1:]) % 7 == 0 else 0.04) else "x" for u, row in zip(draw, rows, strict=True)
    ]


def _metadata(row: tuple[Any, ...]) -> str:
    """Return the fields of a row: plan, channel, and whether the session was resolved, as 7 of 10 by their number."""
    resolved = "true" if zlib.crc32(row[0].encode()) % 10 < 7 else "false"
    return f'{{"plan":"{PLANS[row[-2]]}","channel":"{CHANNELS[row[-1]]}","resolved":{resolved}}}'


def _as(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    return rows.select(table.schema.names()).cast(dict(table.schema))


def asked(snapshot: FramesSnapshot) -> tuple[Changes, dict[str, TopicComparison]]:
    """Return what the pages would say."""
    release = Sides(Side(), Side(), NOW.first - 4 * DAY)
    periods = Sides(Side((), NOW.since, NOW.until), Side((), BEFORE.since, BEFORE.until))
    plans = Sides(Side((("plan", ("free",)),)), Side((("plan", ("plus",)),)))
    changes = cast(Changes, ChangesOfField("prompt").answer(snapshot))
    sides = {"periods": periods, "release": release, "segments": plans}
    return changes, {
        name: cast(TopicComparison, ComparisonOfTopics("prompt", sides=each).answer(snapshot))
        for name, each in sides.items()
    }


def z_alarm(snapshot: FramesSnapshot) -> bool:
    """Return whether a z-test of shares of messages finds a topic, without a correction for how many there are."""
    steps = snapshot.scan(JOURNEY_STEPS).collect()
    k, n = [], []
    for days in (NOW, BEFORE):
        here = steps.filter(pl.col("timestamp").is_between(days.since, days.until, closed="left"))
        k.append(dict(here["topic_id"].value_counts().iter_rows()))
        n.append(here.height)
    for topic in set(k[0]) | set(k[1]):
        a, b = k[0].get(topic, 0), k[1].get(topic, 0)
        pooled = (a + b) / sum(n)
        error = (pooled * (1 - pooled) * (1 / n[0] + 1 / n[1])) ** 0.5
        if abs(a / n[0] - b / n[1]) > Z_95 * error:
            return True
    return False


def quiet(sessions: list[list[str]], per_day: float, seed: int) -> dict[str, bool]:
    """Return what is told of a stream in which nothing changes."""
    snapshot = stream(sessions, seed, per_day=per_day)
    changes, compared = asked(snapshot)
    marked = {f"compare_{name}": any(row["mark"] for row in found.data) for name, found in compared.items()}
    kinds = {f"kind_{kind}": True for kind in {each["kind"] for each in changes.data}}
    return {"changes": bool(changes.data), **marked, "z_test_of_messages": z_alarm(snapshot), **kinds}


def planted(sessions: list[list[str]], topics: list[str], per_day: float, seed: int) -> dict[str, bool]:
    """Return whether the doubling of a topic is told, of all sessions and of those of new users."""
    topic = topics[seed % len(topics)]
    changes, compared = asked(stream(sessions, seed, per_day=per_day, doubled=topic))
    of_all = any(each["kind"] == "topic" and each["topic_id"] == topic for each in changes.data)
    grew = any(row["topic_id"] == topic and row["mark"] in ("grew", "new") for row in compared["periods"].data)
    new = ChangesOfField("prompt").answer(stream(sessions, seed, per_day=per_day, doubled=topic, only_new=True))
    of_new = any(each["topic_id"] == topic and each["kind"] in ("topic", "topic_of_new_users") for each in new.data)
    return {"changes": of_all, "compare_periods": grew, "changes_among_new_users": of_new}


def share(found: list[dict[str, bool]], name: str) -> list[float]:
    """Return the share of streams that have it, and its interval."""
    n, k = len(found), sum(each.get(name, False) for each in found)
    middle, half = k / n + Z_95**2 / (2 * n), Z_95 * ((k / n) * (1 - k / n) / n + Z_95**2 / (4 * n * n)) ** 0.5
    scale = 1 + Z_95**2 / n
    return [round(each, 4) for each in (k / n, max(0.0, (middle - half) / scale), (middle + half) / scale)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--sessions", type=float, default=40)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    sessions = conversations(pl.read_parquet(options.data))
    frequency = pl.Series([topic for topics in sessions for topic in set(topics) - {None}]).value_counts()
    common = frequency.filter((pl.col("count") / len(sessions)).is_between(0.03, 0.08)).sort("count", "")
    topics = common[""].to_list()
    figures: dict[str, object] = {"streams": options.streams, "sessions_a_day": options.sessions}
    # Not forked: the threads of polars do not live on in a copy.
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        told = list(pool.map(partial(quiet, sessions, options.sessions), range(options.streams), chunksize=10))
        for name in sorted({key for each in told for key in each}):
            figures[f"quiet_{name}"] = share(told, name)
        seeds = range(10_000, 10_000 + options.planted)
        found = list(pool.map(partial(planted, sessions, topics, options.sessions), seeds, chunksize=10))
        for name in found[0] if found else ():
            figures[f"found_{name}"] = share(found, name)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
