"""Histories for the benchmarks: years of messages made in minutes, equal in every run.

Texts come from the grammar of the sample (`turret_api.command.sample`), typing errors included, until enough of them
are distinct. `SHARE_NEW` of a day's messages are new texts, the others repeat earlier ones, so that 1,000,000 messages
hold 400,000 distinct texts. Sessions follow the sample's chain from topic to topic. Benchmarks that leave the model
out take vectors that lie about one centre for each topic.
"""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import polars as pl

from turret_api.command.sample import END, MOVES, START, planted_labels
from turret_api.command.sample_texts import make_text
from turret_pipeline.lake.parts import PART_SCHEMA

TOPICS = sorted(planted_labels())
SHARE_NEW = 0.4
N_DIMS = 640
FIRST_DAY = dt.date(2026, 1, 1)


def make_texts(n: int, seed: int = 0) -> pl.DataFrame:
    """Return `text` and `topic` (index into `TOPICS`) of `n` distinct texts; a larger `n` continues a smaller one."""
    dice = random.Random(seed)
    found: dict[str, int] = {}
    while len(found) < n:
        topic = dice.randrange(len(TOPICS))
        found.setdefault(make_text(dice, TOPICS[topic]), topic)
    return pl.DataFrame({"text": list(found), "topic": pl.Series(list(found.values()), dtype=pl.Int64)})


def make_vectors(topics: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return vectors about the centres of `topics`: float32 of shape (len(topics), N_DIMS), rows of unit length.

    A topic has 12 tighter groups, one for each way to ask; cosines within a group are about 0.6.
    """
    centres = np.random.default_rng(7).standard_normal((len(TOPICS), 12, N_DIMS)).astype(np.float32)
    centres += np.random.default_rng(8).standard_normal((len(TOPICS), 1, N_DIMS)).astype(np.float32) * 1.5
    dice = np.random.default_rng(seed)
    group = dice.integers(0, 12, len(topics))
    vectors = centres[topics, group] + 1.2 * dice.standard_normal((len(topics), N_DIMS), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_day(texts: pl.DataFrame, day: int, n: int, share_new: float = SHARE_NEW) -> pl.DataFrame:
    """Return the `n` raw events (`PART_SCHEMA`) of day number `day`, in order of receipt.

    Args:
        texts: from `make_texts`, at least `(day + 1) * share_new * n` of them.
        day: days since `FIRST_DAY`.
        n: events of the day.
        share_new: share of the events whose text was not said before, 0 to 1.
    """
    dice = np.random.default_rng([day, n])
    n_new = round(n * share_new)
    said = np.concatenate([np.arange(day * n_new, (day + 1) * n_new), dice.integers(0, (day + 1) * n_new, n - n_new)])
    session, topic = _sessions(random.Random(day), n)
    # Texts and places in sessions are both sorted by topic and paired, so that sessions follow the chain.
    place = np.empty(n, dtype=np.int64)
    place[np.argsort(topic, kind="stable")] = said[np.argsort(texts["topic"].to_numpy()[said], kind="stable")]
    midnight = dt.datetime.combine(FIRST_DAY + dt.timedelta(days=day), dt.time(), dt.UTC)
    time = np.sort(dice.integers(0, 80_000_000_000, n)) + int(midnight.timestamp()) * 1_000_000
    tokens = (pl.col("prompt").str.len_chars() // 4).cast(pl.Int64) + pl.col("seq") % 97
    rows = pl.DataFrame({"session": session, "prompt": texts["text"].gather(place), "seq": np.arange(n)})
    rows = rows.with_columns(
        plan=pl.Series(np.array(["free", "plus", "business"])[session % 3]),
        channel=pl.Series(np.array(["ios", "android", "web", "api"])[session % 4]),
        tokens=tokens,
        at=pl.Series(time).cast(PART_SCHEMA["timestamp"]),
        id=pl.Series(dice.integers(1 << 62, 1 << 63, n)),
    )
    said_with = pl.struct("prompt", "plan", "channel", "tokens", latency_ms=180.5 + pl.col("tokens") * 9)
    return rows.select(
        event_id=pl.format("evt_{}{}", "id", pl.col("seq") + day * n),
        session_id=pl.format("ses_{}_{}", pl.lit(day), "session"),
        user_id=pl.format("user_{}", pl.col("session") % 5000),
        name=pl.lit("user_prompt"),
        timestamp="at",
        received_at="at",
        seq="seq",
        metadata=said_with.struct.json_encode(),
    )


def _sessions(dice: random.Random, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return session (a number) and topic (index into `TOPICS`) of `n` messages, session after session."""
    place = {topic: number for number, topic in enumerate(TOPICS)}
    chain = {topic: (list(moves), list(moves.values())) for topic, moves in MOVES.items()}
    session: list[int] = []
    topics: list[int] = []
    number = 0
    while len(topics) < n:
        at = START
        while (at := dice.choices(*chain[at])[0]) != END:
            n_messages = dice.choice((1, 1, 2, 3))
            session += [number] * n_messages
            topics += [place[at]] * n_messages
        number += 1
    return np.array(session[:n]), np.array(topics[:n])
