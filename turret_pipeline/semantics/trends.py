"""Which topics are new, grow or fade: marks of which at most one in twenty is a false alarm, as a pure function.

What a mark is about is the change of `semantics.changes`: the last `RECENT_DAYS` whole days against as many before
them. A mark has the sign of that change and is never set without it. Whether the topic has changed beyond chance is
judged by more: by up to `BEFORE_WEEKS` weeks before the last days, whole ones, so that the rhythm of the week says
nothing. What is compared is a topic's share, not its count, so that a project that grows as a whole has no growing
topics; and its share of what behaves as most topics do (a trimmed ratio, after Robinson and Oshlack 2010), so that one
topic that booms does not make all others fade. What is counted is sessions, so that one talkative session is one.

How much a share varies from day to day by itself is taken from the topic's own days: they hold users that come back,
sessions that come in bunches, events that everybody asks about for a day. The variance is a multiple of the binomial
one (quasi-likelihood); the multiples of all topics are shrunk towards their common course, and the test has the degrees
of freedom that this gives (Smyth 2004; Lund, Nettleton, McCarthy, Smyth 2012). Days that hang together beyond that (the
same users for a week) show in the variance between weeks, which scales it for all topics. Few counts are judged by the
binomial tail itself. Marks are those of Benjamini and Hochberg (1995) at `FALSE_ALARMS`, over all topics at once.

`scipy.special` is imported where it is used: 20 MiB that a process which works nothing out itself can do without.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from turret_pipeline.semantics.changes import DAY, LEAST_CHANGE, RECENT_DAYS
from turret_pipeline.semantics.false_discovery import adjusted

BEFORE_WEEKS = 8
NEW_DAYS = 14
"""Complete days within which a topic must have been seen first to be new."""

FALSE_ALARMS = 0.05
LEAST_SESSIONS = 10
"""Sessions of a topic in both windows together below which nothing can be said."""

TRIMMED = 0.25
"""Share of the sessions at either end of the order of changes that say nothing about how most topics behave."""

TRENDS = pl.Schema(
    {
        "topic_id": pl.String(),
        "trend": pl.String(),
        "change": pl.Float64(),
        "p_value": pl.Float64(),
        "q_value": pl.Float64(),
    }
)


def topic_trends(days: pl.DataFrame, changes: pl.DataFrame | None = None, last: dt.date | None = None) -> pl.DataFrame:
    """Return one row (`TRENDS`) a topic, by id: `new`, `growing`, `fading` or `steady`, null where too little is known.

    days: topic_id, date, n_sessions; days without sessions may be left out. Of `unassigned` there may be rows too.
    changes: topic_id, change, as `semantics.changes` has it; None: of the sessions of `days`, each day's counted anew.
    last: the last whole day; None: the one before the newest of `days`.
    change: that of `changes`; null from nothing, and where the days before are not whole.
    q_value: share of false alarms among the marks down to this one, 0 to 1.
    """
    topics = days["topic_id"].unique().sort()
    counts, first = _by_day(days, topics, last)
    n_weeks = min(BEFORE_WEEKS, counts.shape[1] // 7 - 1)
    change = _changes(counts, topics, changes)
    unknown = topics.to_frame("topic_id").select(
        *(pl.lit(None, kind).alias(name) if name != "topic_id" else name for name, kind in TRENDS.items())
    )
    unknown = unknown.with_columns(change=pl.Series(change, dtype=pl.Float64, nan_to_null=True))
    if n_weeks < 1 or (changes is not None and changes.is_empty()):
        return unknown
    recent, before = counts[:, -RECENT_DAYS:], counts[:, -RECENT_DAYS - 7 * n_weeks : -RECENT_DAYS]
    now, then = recent.sum(axis=1), before.sum(axis=1)
    told = now + then >= LEAST_SESSIONS
    if not told.any() or not then.any() or not now.any():
        return unknown
    ratio = _common_ratio(now, then)
    scale, freedom = _dispersion(before[told])
    # What comes in bunches varies by more than in proportion: where days are fuller now, so is what is beyond chance.
    exposure = before.sum(axis=0)
    fuller = now.sum() / RECENT_DAYS / ((exposure**2).sum() / exposure.sum())
    scale = 1 + (scale - 1) * max(1.0, float(fuller))
    p_value = np.full(len(topics), np.nan)
    p_value[told] = _p_values(now[told], then[told], ratio, scale, freedom)
    q_value = np.full(len(topics), np.nan)
    q_value[told] = adjusted(p_value[told])
    marks: list[str | None] = []
    for topic in range(len(topics)):
        sure = q_value[topic] <= FALSE_ALARMS
        seen_late = first[topic] >= max(counts.shape[1] - NEW_DAYS, 7)
        grows = now[topic] > then[topic] * ratio
        from_nothing = np.isnan(change[topic])
        if np.isnan(q_value[topic]):
            marks.append(None)
        elif sure and seen_late and grows and (from_nothing or change[topic] > 0):
            marks.append("new")
        elif sure and grows and (from_nothing or change[topic] > LEAST_CHANGE):
            marks.append("growing")
        elif sure and not grows and change[topic] < -LEAST_CHANGE:
            marks.append("fading")
        else:
            marks.append("steady")
    columns = {"topic_id": topics, "trend": marks, "change": change, "p_value": p_value, "q_value": q_value}
    return pl.DataFrame(columns, schema=TRENDS, nan_to_null=True)


def _changes(counts: np.ndarray, topics: pl.Series, changes: pl.DataFrame | None) -> np.ndarray:
    """Return the change of each topic, float64 (n_topics,): from `changes`, or of `counts`; NaN: none is told."""
    if changes is not None:
        named = topics.to_frame("topic_id").join(changes, on="topic_id", how="left", maintain_order="left")
        return named["change"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    none = np.full(len(topics), np.nan)
    if counts.shape[1] < 2 * RECENT_DAYS:
        return none
    now, then = counts[:, -RECENT_DAYS:].sum(axis=1), counts[:, -2 * RECENT_DAYS : -RECENT_DAYS].sum(axis=1)
    scaled = then * (now.sum() / then.sum()) if then.sum() else then
    found: np.ndarray = np.divide(now, scaled, out=none, where=scaled > 0) - 1
    return found


def _by_day(days: pl.DataFrame, topics: pl.Series, last: dt.date | None) -> tuple[np.ndarray, np.ndarray]:
    """Return sessions, float64 (n_topics, n_days) over all days up to the last whole one, and when each topic came."""
    if days.is_empty():
        return np.zeros((0, 0)), np.zeros(0)
    start, newest = days["date"].min(), days["date"].max()
    assert isinstance(start, dt.date)
    assert isinstance(newest, dt.date)
    whole = ((newest - DAY if last is None else last) - start).days + 1
    counts = np.zeros((len(topics), max((newest - start).days + 1, whole)))
    places = (days["date"] - start).dt.total_days().to_numpy()
    np.add.at(counts, (topics.search_sorted(days["topic_id"]).to_numpy(), places), days["n_sessions"].to_numpy())
    return counts[:, : max(whole, 0)], (counts > 0).argmax(axis=1)


def _common_ratio(now: np.ndarray, then: np.ndarray) -> float:
    """Return how many sessions most topics have now for one before: without those that changed most, by sessions."""
    if (now > 0).sum() < 4:
        return float(now.sum() / then.sum())
    order = np.argsort(now / (now + then + 1e-9), kind="stable")
    weight = (now + then)[order]
    upper = np.cumsum(weight) / weight.sum()
    lower = upper - weight / weight.sum()
    kept = np.clip(np.minimum(upper, 1 - TRIMMED) - np.maximum(lower, TRIMMED), 0, None) / np.maximum(
        upper - lower, 1e-12
    )
    some_now, some_then = (kept * now[order]).sum(), (kept * then[order]).sum()
    return float(some_now / some_then) if some_now and some_then else float(now.sum() / then.sum())


def _dispersion(before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much each topic's counts vary more than binomial ones, at least 1, and the degrees of freedom.

    before: sessions, float64 (n_topics, 7 * n_weeks).
    """
    n_topics, n_days = before.shape
    n_weeks = n_days // 7
    exposure = before.sum(axis=0)
    total = np.maximum(before.sum(axis=1), 0.5)
    if n_weeks >= 3:  # each weekday has a share of its own
        by_weekday = before.reshape(n_topics, n_weeks, 7).sum(axis=1)
        share = by_weekday / np.maximum(exposure.reshape(n_weeks, 7).sum(axis=0), 1)
        expected, freedom = np.tile(share, n_weeks) * exposure, n_days - 7
    else:
        expected, freedom = np.outer(total / exposure.sum(), exposure), n_days - 1
    rest = np.maximum(1 - total / exposure.sum(), 0.05)  # a share of nearly all cannot vary much
    raw = ((before - expected) ** 2).sum(axis=1) / total / rest * n_days / freedom
    scale, freedoms = _shrunk(np.maximum(raw, 0.05), freedom, np.log(total))
    scale = np.maximum(scale, raw)  # a topic that is seen to vary more than most is given no discount
    if n_weeks >= 4:
        weeks, of_weeks = before.reshape(n_topics, n_weeks, 7).sum(axis=2), exposure.reshape(n_weeks, 7).sum(axis=1)
        expected = np.outer(total / of_weeks.sum(), of_weeks)
        between = ((weeks - expected) ** 2).sum(axis=1) / total / rest * n_weeks / (n_weeks - 1)
        middle = (1 - 2 / (9 * (n_weeks - 1))) ** 3  # median of chi square over its degrees of freedom
        scale = scale * max(1.0, float(np.median(between / scale)) / middle)
    # Sudden days have heavy tails: no more certainty than the topic's own days give.
    return np.maximum(scale, 1.0), np.minimum(freedoms, freedom)


def _shrunk(raw: np.ndarray, freedom: int, log_total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the estimates drawn towards a common line over the log of the total, and their degrees of freedom."""
    if len(raw) < 4:
        return raw, np.full(len(raw), float(freedom))
    from scipy.special import polygamma, psi

    level = np.log(raw) - psi(freedom / 2) + np.log(freedom / 2)
    design = np.column_stack([np.ones(len(raw)), log_total - log_total.mean()])
    course = design @ np.linalg.lstsq(design, level, rcond=None)[0]
    spread = ((level - course) ** 2).sum() / max(len(raw) - 2, 1) - polygamma(1, freedom / 2)
    prior = 1000.0 if spread <= 0 else min(1000.0, 2 * _trigamma_inverse(float(spread)))
    return (prior * np.exp(course) + freedom * raw) / (prior + freedom), np.full(len(raw), prior + freedom)


def _trigamma_inverse(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method as in Smyth (2004)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        now = float(polygamma(1, x))
        step = now * (1 - now / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x


def _p_values(now: np.ndarray, then: np.ndarray, ratio: float, scale: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return two-sided p-values that `now` is what the common ratio lets expect, given the sum of both."""
    from scipy.special import betainc, ndtri, stdtr

    share = ratio / (1 + ratio)
    hits, misses = now / scale, then / scale
    up = np.where(hits > 0, betainc(np.maximum(hits, 1e-9), misses + 1, share), 1.0)
    down = np.where(misses > 0, betainc(np.maximum(misses, 1e-9), hits + 1, 1 - share), 1.0)
    tail = np.clip(np.minimum(up, down), 1e-300, 0.5)
    both: np.ndarray = np.minimum(1.0, 2 * stdtr(freedom, ndtri(tail)))
    return both
