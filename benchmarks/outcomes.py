"""How well effects on outcomes are found, and how often one is found where none is: in simulated streams of sessions.

    python benchmarks/outcomes.py [--streams N] [--sessions N] [--json]

A stream has `--sessions` sessions of 2 to 9 messages in 14 topics of unequal size; every tenth message has one of three
signs of friction. Into a third of its sessions a thing is put that the others do not have: a topic, a
move between two topics that all come to, or a sign. Those end well 12 points less often than the others (70 %), or,
where the outcome is a number, cost by so much more that the smaller of two numbers is the other's in 59 % of pairs.

- `power_*`: share of streams in which the planted thing is found to be worse.
- `null_*`: share of streams in which anything at all is found though the outcome follows from nothing. With
  Benjamini-Hochberg that is the chance of any false alarm in an answer where nothing is to be found.
- `false_of_found`: of the topics and signs that are found in streams with a planted topic, the share of others. (Moves
  from it, to it and around it do follow from it.)
- `after`: share of streams in which a topic is found that sessions come to after their outcome, thrice as often if it
  was bad.

Beside each stands, as `naive_*`, what a test of messages says: two shares of messages (with and without the thing, each
with the outcome of its session), the z-test of two proportions at .05, nothing adjusted, no look at what came when.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.report import say, show
from turret_api.read.questions.journeys.outcomes import factors
from turret_pipeline.semantics.friction import SIGNS as NAMES
from turret_pipeline.semantics.outcomes import Outcome

TOPICS = 14
SIGNS = 3
PLANTED = TOPICS
"""The topic that only some sessions have."""
BASE, LESS = 0.7, 0.12
SHIFT = 0.32
"""Of two numbers whose logarithms are normal, the one that is this many standard deviations higher is the larger in
59 % of pairs."""
SHARE_OUTCOME, NUMBER_OUTCOME = Outcome("resolved", good=("true",)), Outcome("cost", better="lower")
MOVE = (0, 1)
MINUTE_US = 60_000_000
T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Stream:
    """Messages of sessions, in order: session, topic and signs (bits) of each; and which sessions have the thing."""

    session: np.ndarray
    topic: np.ndarray
    signs: np.ndarray
    has: np.ndarray

    @property
    def steps(self) -> pl.DataFrame:
        """The messages as `factors` takes them, a minute apart."""
        names = pl.Series([f"t{n}" for n in range(PLANTED + 1)])
        minutes = pl.Series(np.arange(self.session.size) * MINUTE_US).cast(pl.Duration("us"))
        start = pl.Series([T0], dtype=pl.Datetime("us", "UTC")).new_from_index(0, self.session.size)
        return pl.DataFrame(
            {
                "session": pl.Series(self.session, dtype=pl.UInt32),
                "topic_id": names.gather(self.topic).cast(pl.Categorical),
                "timestamp": start + minutes,
                "signs": pl.Series(self.signs, dtype=pl.UInt8),
            }
        )


def drawn(rng: np.random.Generator, n_sessions: int, planted: str | None) -> Stream:
    """Return a stream; planted: topic, move, sign, or None for none."""
    sizes = 2 + rng.binomial(7, 0.35, n_sessions)
    session = np.repeat(np.arange(n_sessions), sizes)
    weights = 1 / (np.arange(TOPICS) + 3)
    topic = rng.choice(TOPICS, session.size, p=weights / weights.sum())
    stays = (rng.random(session.size) < 0.25) & np.append(False, session[1:] == session[:-1])
    topic[stays] = topic[np.flatnonzero(stays) - 1]
    signs = np.where(rng.random(session.size) < 0.1, 1 << rng.integers(0, SIGNS, session.size), 0)
    has = np.zeros(n_sessions, dtype=bool)
    has[rng.permutation(n_sessions)[: n_sessions // 3]] = planted is not None
    start = np.cumsum(sizes) - sizes
    at = start + (rng.random(n_sessions) * (sizes - 1)).astype(np.int64)
    if planted == "topic":  # one message more, so that all other topics are as often as ever
        session, signs = np.insert(session, at[has] + 1, session[at[has]]), np.insert(signs, at[has] + 1, 0)
        topic = np.insert(topic, at[has] + 1, PLANTED)
    elif planted == "move":
        moves = np.flatnonzero((topic[:-1] == MOVE[0]) & (topic[1:] == MOVE[1]) & (session[:-1] == session[1:]))
        topic[moves + 1] = MOVE[0]
        topic[at[has]], topic[at[has] + 1] = MOVE
    elif planted == "sign":
        signs[at[has]] = 1 << SIGNS
    return Stream(session, topic, signs, has)


def shares(rng: np.random.Generator, has: np.ndarray) -> np.ndarray:
    """Return 1 for each session that ended well, 0 for each other."""
    return (rng.random(has.size) < BASE - LESS * has).astype(np.float64)


def numbers(rng: np.random.Generator, has: np.ndarray) -> np.ndarray:
    """Return a cost for each session."""
    return np.exp(rng.normal(size=has.size) + SHIFT * has)


def told(stream: Stream, values: np.ndarray, outcome: Outcome, at: pl.Series | None = None) -> pl.DataFrame:
    """Return what Turret finds. at: when each session's outcome came; None: with its last message."""
    steps = stream.steps
    last = steps.group_by("session", maintain_order=True).agg(pl.col("timestamp").max())["timestamp"]
    went = pl.DataFrame(
        {
            "session": pl.Series(np.arange(values.size), dtype=pl.UInt32),
            "at": last if at is None else at,
            "value": values,
        }
    )
    return factors(steps, went, outcome).filter(pl.col("kind") != "all")


def naive(stream: Stream, values: np.ndarray) -> pl.DataFrame:
    """Return by thing (`kind`, `topic_id`, `from`, `to`, `sign`) which `effect` a z-test of messages finds."""
    good = values[stream.session]
    inner = np.append(False, stream.session[1:] == stream.session[:-1])
    before = np.append(0, stream.topic[:-1])
    found = []
    for topic in range(PLANTED + 1):
        found.append({"kind": "topic", "topic_id": f"t{topic}", **_z(stream.topic == topic, good)})
    for a in range(PLANTED + 1):
        for b in range(PLANTED + 1):
            is_move = inner & (before == a) & (stream.topic == b)
            if a != b and is_move.sum() >= 5:
                found.append({"kind": "move", "from": f"t{a}", "to": f"t{b}", **_z(is_move, good)})
    for sign in range(SIGNS + 1):
        has = (stream.signs & (1 << sign)) > 0
        if has.sum() >= 5:
            found.append({"kind": "sign", "sign": NAMES[sign], **_z(has, good)})
    schema = dict.fromkeys(("kind", "topic_id", "from", "to", "sign", "effect"), pl.String)
    return pl.DataFrame(found, schema=schema)


def _z(has: np.ndarray, good: np.ndarray) -> dict[str, str | None]:
    n_a, n_b = int(has.sum()), int((~has).sum())
    if not n_a or not n_b:
        return {"effect": None}
    k_a, k_b = good[has].sum(), good[~has].sum()
    pooled = (k_a + k_b) / (n_a + n_b)
    z = (k_a / n_a - k_b / n_b) / max(np.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b)), 1e-12)
    return {"effect": None if abs(z) < 1.96 else "better" if z > 0 else "worse"}


IS_PLANTED: dict[str, Callable[[], pl.Expr]] = {
    "topic": lambda: pl.col("topic_id") == f"t{PLANTED}",
    "move": lambda: (pl.col("from") == f"t{MOVE[0]}") & (pl.col("to") == f"t{MOVE[1]}"),
    "sign": lambda: pl.col("sign") == NAMES[SIGNS],
}


def streams(n: int, n_sessions: int, planted: str | None, seed: int) -> Iterator[tuple[np.random.Generator, Stream]]:
    """Yield `n` streams, each with what draws its outcomes."""
    for number in range(n):
        rng = np.random.default_rng((seed, number))
        yield rng, drawn(rng, n_sessions, planted)


def powers(n: int, n_sessions: int) -> dict[str, float]:
    """Return how often what is planted is found, and how much of what is found was not planted."""
    figures: dict[str, float] = {}
    for seed, planted in enumerate(("topic", "move", "sign")):
        hits = {"share": 0, "number": 0, "naive": 0}
        false = found = 0
        for rng, stream in streams(n, n_sessions, planted, seed):
            values = shares(rng, stream.has)
            seen = told(stream, values, SHARE_OUTCOME)
            is_it = IS_PLANTED[planted]()
            hits["share"] += seen.filter(is_it)["effect"].to_list() == ["worse"]
            hits["naive"] += naive(stream, values).filter(is_it)["effect"].to_list() == ["worse"]
            costs = told(stream, numbers(rng, stream.has), NUMBER_OUTCOME)
            hits["number"] += costs.filter(is_it)["effect"].to_list() == ["worse"]
            if planted == "topic":
                sure = seen.filter(pl.col("effect").is_not_null(), pl.col("kind") != "move")
                found += sure.height
                false += sure.filter(~is_it.fill_null(False)).height
        figures |= {
            f"power_{planted}": hits["share"] / n,
            f"power_{planted}_number": hits["number"] / n,
            f"naive_power_{planted}": hits["naive"] / n,
        }
        if planted == "topic":
            figures["false_of_found"] = false / max(found, 1)
        say(f"planted {planted}: {figures}")
    return figures


def nulls(n: int, n_sessions: int) -> dict[str, float]:
    """Return how often anything is found though nothing is there."""
    hits, alarms, tests = {"share": 0, "number": 0, "naive": 0}, 0, 0
    for rng, stream in streams(n, n_sessions, None, 10):
        values = shares(rng, stream.has)
        hits["share"] += told(stream, values, SHARE_OUTCOME)["effect"].count() > 0
        hits["number"] += told(stream, numbers(rng, stream.has), NUMBER_OUTCOME)["effect"].count() > 0
        plain = naive(stream, values)["effect"]
        hits["naive"] += plain.count() > 0
        alarms, tests = alarms + plain.count(), tests + plain.len()
    figures = {
        "null_share": hits["share"] / n,
        "null_number": hits["number"] / n,
        "naive_null": hits["naive"] / n,
        "naive_null_of_tests": alarms / tests,
    }
    say(f"nothing planted: {figures}")
    return figures


def afterwards(n: int, n_sessions: int) -> dict[str, float]:
    """Return how often a topic is found that sessions come to because of their outcome, after it."""
    hits = {"after": 0, "naive_after": 0}
    for rng, stream in streams(n, n_sessions, None, 20):
        values = shares(rng, stream.has)
        steps = stream.steps.with_row_index("row")
        ends = steps.group_by("session", maintain_order=True).agg(pl.col("timestamp", "row").last(), n=pl.len())
        before_last = ends["timestamp"].dt.offset_by("-1m")
        comes = rng.random(values.size) < np.where(values == 1, 0.2, 0.6)
        topic = stream.topic.copy()
        topic[ends["row"].to_numpy()[comes]] = PLANTED
        later = Stream(stream.session, topic, stream.signs, stream.has)
        is_it = IS_PLANTED["topic"]()
        seen = told(later, values, SHARE_OUTCOME, before_last)
        hits["after"] += seen.filter(is_it)["effect"].count() > 0
        hits["naive_after"] += naive(later, values).filter(is_it)["effect"].count() > 0
    figures = {name: hit / n for name, hit in hits.items()}
    say(f"after the outcome: {figures}")
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=400, help="simulated streams of each kind")
    parser.add_argument("--sessions", type=int, default=4500, help="sessions of a stream")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = options.streams, options.sessions
    show(powers(*size) | nulls(*size) | afterwards(*size), options.json)


if __name__ == "__main__":
    main()
