"""The sample: believable, deterministic, valid for `POST /track`, with a planted truth that no event gives away."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter

import pytest

from turret_api.command.sample import (
    CLEAR_MOVES,
    END,
    HARD,
    MOVES,
    OUTCOME,
    START,
    SampleMessage,
    make_sample,
    planted_edges,
    planted_labels,
    planted_topics,
)
from turret_api.command.sample_texts import ENGLISH

NOW = dt.datetime(2026, 3, 4, 12, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def sample() -> list[SampleMessage]:
    return make_sample(NOW)


def test_the_same_seed_gives_the_same_texts_ids_and_users_at_any_time(sample: list[SampleMessage]) -> None:
    later = make_sample(NOW + dt.timedelta(days=40))
    assert [{**m.event, "timestamp": ""} for m in later] == [{**m.event, "timestamp": ""} for m in sample]


def test_it_is_a_few_thousand_messages_of_some_hundred_sessions_of_users_who_come_back(
    sample: list[SampleMessage],
) -> None:
    assert 2_000 <= len(sample) <= 5_000
    sessions = {m.event["session_id"]: m.event["user_id"] for m in sample}
    assert 300 <= len(sessions) <= 1_000
    assert Counter(sessions.values()).most_common(1)[0][1] > 3
    assert len({m.event["event_id"] for m in sample}) == len(sample)


def test_times_run_over_three_whole_weeks_up_to_now(sample: list[SampleMessage]) -> None:
    times = [dt.datetime.fromisoformat(m.event["timestamp"]) for m in sample]
    assert times == sorted(times)
    assert NOW - dt.timedelta(days=25) < times[0] and NOW - dt.timedelta(hours=4) < times[-1] <= NOW
    days = {time.date() for time in times}
    assert {NOW.date() - dt.timedelta(days=age) for age in range(1, 22)} < days, "three weeks of days that are over"


def test_wording_is_varied_and_every_slot_and_choice_is_filled(sample: list[SampleMessage]) -> None:
    texts = [m.event["metadata"]["prompt"] for m in sample]
    assert len(set(texts)) > 0.85 * len(texts)
    answers = [m.event["metadata"]["response"] for m in sample]
    assert not [text for text in texts + answers if set(text) & set("{}[]|") or text != text.strip() or "  " in text]


def test_no_event_gives_its_topic_away(sample: list[SampleMessage]) -> None:
    for message in sample:
        assert set(message.event) == {"event_id", "name", "session_id", "user_id", "timestamp", "metadata"}
        assert set(message.event["metadata"]) - {OUTCOME} == {
            "prompt", "response", "plan", "channel", "app_version", "tokens", "cost_usd", "latency_ms",
        }  # fmt: skip
        assert message.topic not in json.dumps(message.event) or "_" not in message.topic


def test_planted_topics_are_twelve_to_sixteen_of_comparable_size(sample: list[SampleMessage]) -> None:
    sizes = Counter(planted_topics(sample).values())
    assert 12 <= len(sizes) <= 16 and set(sizes) == set(planted_labels())
    assert min(sizes.values()) > 60 and max(sizes.values()) < len(sample) / 5


def test_every_row_of_the_chain_adds_up_and_leads_to_an_end() -> None:
    for topic, row in MOVES.items():
        assert sum(row.values()) == pytest.approx(1), topic
        assert topic not in row and set(row) - {END} <= set(planted_labels())
        assert END in row or topic == START


def test_the_clear_moves_are_the_top_edges_between_topics(sample: list[SampleMessage]) -> None:
    edges = planted_edges(sample)
    inner = Counter({edge: count for edge, count in edges.items() if START not in edge and END not in edge})
    ranked = inner.most_common(len(CLEAR_MOVES) + 1)
    assert {edge for edge, _ in ranked[:-1]} == set(CLEAR_MOVES)
    assert ranked[-2][1] > 1.3 * ranked[-1][1]
    n_sessions = len({m.event["session_id"] for m in sample})
    assert sum(count for (start, _), count in edges.items() if start == START) == n_sessions
    assert sum(count for (_, end), count in edges.items() if end == END) == n_sessions


def test_it_has_a_release_after_which_more_sessions_begin_with_a_payment_problem(sample: list[SampleMessage]) -> None:
    firsts: dict[str, SampleMessage] = {}
    for message in sample:
        firsts.setdefault(message.event["session_id"], message)
    by_version: dict[str, list[bool]] = {}
    for first in firsts.values():
        began = by_version.setdefault(first.event["metadata"]["app_version"], [])
        began.append(first.topic == "payment_problem")
    old, new = (sum(began) / len(began) for _, began in sorted(by_version.items()))
    assert new > 3 * old


@pytest.mark.slow
def test_the_release_is_told_by_the_last_whole_days_at_any_time_of_day() -> None:
    # Here, not at the top: scipy's statistics take a second to import.
    from scipy.stats import fisher_exact

    for hour in range(24):
        now = dt.datetime(2026, 11, 15, hour, 30, tzinfo=dt.UTC)
        began: dict[str, int] = {}
        had: set[str] = set()
        for message in make_sample(now):
            session = message.event["session_id"]
            ago = now.date() - dt.datetime.fromisoformat(message.event["timestamp"]).date()
            began.setdefault(session, ago.days)
            if message.topic == "payment_problem" and message.language == ENGLISH:
                had.add(session)
        windows = ([each for each, days in began.items() if days in range(first, first + 7)] for first in (1, 8))
        table = [[len(had & set(window)), len(set(window) - had)] for window in windows]
        assert fisher_exact(table).pvalue < 1e-5, hour


def test_sessions_that_were_not_served_or_had_a_payment_problem_are_resolved_less_often(
    sample: list[SampleMessage],
) -> None:
    resolved = {m.event["session_id"]: m.event["metadata"][OUTCOME] for m in sample if OUTCOME in m.event["metadata"]}
    hard = {m.event["session_id"] for m in sample if m.topic in HARD}
    assert 0.7 < len(resolved) / len({m.event["session_id"] for m in sample}) < 0.9
    good, bad = (
        [value for session, value in resolved.items() if (session in hard) == is_hard] for is_hard in (False, True)
    )
    assert sum(good) / len(good) > sum(bad) / len(bad) + 0.15


def test_some_travellers_write_german_and_are_answered_in_german(sample: list[SampleMessage]) -> None:
    german = {m.event["user_id"] for m in sample if m.event["metadata"]["response"] == "Gern geschehen, gute Reise!"}
    assert german
    said = {m.event["metadata"]["response"] for m in sample if m.event["user_id"] in german}
    assert not [text for text in said if text.startswith(("Your", "The", "You", "I "))]
