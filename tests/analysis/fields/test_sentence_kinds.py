"""Sentences are text however often they, or greetings and buttons beside them, repeat; long options are an enum."""

import datetime as dt
import json
from random import Random

import polars as pl
import pytest

from tests.analysis.fields.kinds import found
from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake.tables import FIELD_OVERRIDES, TIME

SPEECH = "my card was declined at the shop and I want to know why it happened again since last week please help order"
WORDS = SPEECH.split()
GREETINGS = ["hi", "hello", "ok", "thanks", "yes", "no", "great", "Hi there!", "good morning", "How are you?"]
BUTTONS = ["Track my order", "Talk to a human", "Reset my password please", "What can you do?", "Show me the menu"]


def question(random: Random, i: int) -> str:
    return f"{' '.join(random.choices(WORDS, k=random.randint(4, 12)))} {i}?"


def questions(n: int) -> list[str]:
    random = Random(n)
    return list({question(random, i).replace(f" {i}", "") for i in range(n)})


def mixed(n_distinct: int, n_other: int, others: list[str]) -> list[str]:
    """So many different questions once, and `others` at random."""
    random = Random(n_distinct)
    values = questions(n_distinct) + random.choices(others, k=n_other)
    random.shuffle(values)
    return values


def type_of(field: str, values: list[str]) -> object:
    return found(field, lambda random, i: values[i], len(values))["type"]


@pytest.mark.parametrize("field", ["prompt", "message", "query", "user_input", "question", "q"])
def test_sentences_among_greetings_are_text(field: str) -> None:
    assert type_of(field, mixed(150, 1_350, GREETINGS)) == "text"
    assert type_of(field, mixed(150, 1_350, BUTTONS)) == "text"
    assert type_of(field, questions(125) * 6) == "text"


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("n", [1_000, 10_000])
@pytest.mark.parametrize("others", [GREETINGS, BUTTONS, GREETINGS + BUTTONS], ids=["greetings", "buttons", "both"])
def test_sentences_are_text_whatever_share_repeats(share: float, n: int, others: list[str]) -> None:
    n_distinct = round(share * n)
    assert type_of("prompt", mixed(n_distinct, n - n_distinct, others)) == "text"
    if n_distinct >= 100:
        assert type_of("x", mixed(n_distinct, n - n_distinct, others)) == "text"


@pytest.mark.slow
@pytest.mark.parametrize("n_distinct", [110, 125, 300, 1_000, 3_000, 10_000])
@pytest.mark.parametrize("times", [1, 2, 6, 20])
def test_a_set_of_questions_that_is_sent_again_and_again_is_text(n_distinct: int, times: int) -> None:
    if n_distinct * times > 20_000:
        times = 2
    for field in ("prompt", "x"):
        assert type_of(field, questions(n_distinct) * times) == "text"


@pytest.mark.parametrize("n_distinct", [25, 40, 80])
def test_few_questions_that_are_sent_again_are_text_where_people_talk(n_distinct: int) -> None:
    assert type_of("prompt", questions(n_distinct) * 10) == "text"
    assert type_of("message", mixed(n_distinct, 1_000, GREETINGS)) == "text"


@pytest.mark.parametrize("n_options", [3, 12, 32, 60])
@pytest.mark.parametrize("n", [1_000, 10_000])
def test_long_options_stay_an_enum(n_options: int, n: int) -> None:
    options = questions(n_options)
    assert type_of("scenario", [options[i % len(options)] for i in range(n)]) == "enum"
    random = Random(n)
    skewed = [options[min(int(random.expovariate(8 / n_options)), len(options) - 1)] for _ in range(n)]
    assert type_of("scenario", skewed) == "enum"


def days(*values: list[str], field: str = "prompt") -> pl.DataFrame:
    frames = []
    for i, of_day in enumerate(values):
        at = dt.datetime(2026, 3, 1 + i, tzinfo=dt.UTC)
        rows = {"metadata": [json.dumps({field: value}) for value in of_day], "timestamp": [at] * len(of_day)}
        profiles = profile_fields(pl.DataFrame(rows, schema={"metadata": pl.String, "timestamp": TIME}))
        frames.append(profiles.with_columns(received_date=pl.lit(at.date())))
    return pl.concat(frames)


@pytest.mark.parametrize("field", ["prompt", "x"])
def test_a_text_field_stays_text_through_days_of_greetings_alone(field: str) -> None:
    only_greetings = mixed(0, 2_000, ["hi", "hello", "ok", "thanks"])
    all_days = [questions(300), only_greetings, only_greetings]
    previous = None
    for n in range(1, 4):
        previous = detect_types(days(*all_days[:n], field=field), previous, FIELD_OVERRIDES.empty()).types
        assert previous["type"].to_list() == ["text"]
    at_once = detect_types(days(*all_days, field=field), None, FIELD_OVERRIDES.empty())
    assert at_once.types.equals(previous)
    assert at_once.changes["type"].to_list() == ["text"]


def test_an_enum_that_people_begin_to_fill_with_sentences_becomes_text() -> None:
    options = mixed(0, 1_500, ["refund", "delivery", "other"])
    first = detect_types(days(options, field="reason"), None, FIELD_OVERRIDES.empty()).types
    then = detect_types(
        days(options, mixed(200, 1_300, ["refund", "other"]), field="reason"), first, FIELD_OVERRIDES.empty()
    )
    assert (first["type"][0], then.types["type"][0]) == ("enum", "text")
