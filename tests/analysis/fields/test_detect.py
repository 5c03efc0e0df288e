"""Field types: the traps with their near misses, evidence that adds up over days, and types that hold still."""

import datetime as dt
import json
import math
from collections.abc import Callable
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline.analysis.fields.detect import detect_types, periods_to_read, profile_fields
from turret_pipeline.analysis.fields.evidence import Evidence, count_only, merge, observe
from turret_pipeline.analysis.fields.verdict import judge
from turret_pipeline.lake.tables import FIELD_OVERRIDES, TIME

DAY = dt.date(2026, 3, 1)
R = Random(7)


def events_of(metadata: list[dict[str, object]], day: dt.date) -> pl.DataFrame:
    at = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    rows = {"metadata": [json.dumps(each) for each in metadata], "timestamp": [at] * len(metadata)}
    return pl.DataFrame(rows, schema={"metadata": pl.String, "timestamp": TIME})


def days_of(*days: list[dict[str, object]]) -> pl.DataFrame:
    """Profiles of events that hold these metadata, day after day."""
    frames = []
    for i, metadata in enumerate(days):
        day = DAY + dt.timedelta(days=i)
        frames.append(profile_fields(events_of(metadata, day)).with_columns(received_date=pl.lit(day)))
    return pl.concat(frames)


def detect(profiles: pl.DataFrame, previous: pl.DataFrame | None = None) -> dict[str, str]:
    found = detect_types(profiles, previous, FIELD_OVERRIDES.empty()).types
    return dict(found.select("field", "type").iter_rows())


def type_of(values: list[object]) -> str:
    return detect(days_of([{"x": value} for value in values]))["x"]


SPEECH = "my card was declined at the shop and I want to know why it happened again since last week please help"
WORDS = SPEECH.split()


def sentence(_: int = 0) -> str:
    return " ".join(R.choices(WORDS, k=R.randint(5, 14)))


LONG_OPTIONS = [" ".join(R.choices(WORDS, k=40)) for _ in range(6)]
MANY_OPTIONS = [" ".join(R.choices(WORDS, k=40)) for _ in range(30)]

Maker = Callable[[int], object]
TRAPS: list[tuple[str, str, int, Maker]] = [
    ("numeric strings", "number", 50, lambda i: str(R.randint(0, 5000))),
    ("numeric strings with slips", "number", 50, lambda i: "n/a" if i % 5 == 0 else f"{R.random() * 9:.2f}"),
    ("utm sources", "enum", 60, lambda i: R.choice(["google", "newsletter-2026-w12", "spring_sale_2026", "cpc"])),
    ("hex ids", "other", 50, lambda i: f"{R.getrandbits(64):016x}"),
    ("UUIDs", "other", 50, lambda i: f"{R.getrandbits(32):08x}-7d1c-4e5a-9b3f-{R.getrandbits(48):012x}"),
    ("one first UUID", "other", 1, lambda i: "550e8400-e29b-41d4-a716-446655440000"),
    ("three tenants' UUIDs", "enum", 60, lambda i: f"550e8400-e29b-41d4-a716-44665544000{i % 3}"),
    ("colour words, not hex", "enum", 60, lambda i: R.choice(["facade", "beaded", "decade"])),
    ("zip codes as texts", "other", 60, lambda i: f"{R.randint(500, 99950):05d}"),
    ("zip codes as numbers", "other", 200, lambda i: R.randint(10000, 99950)),
    ("token counts", "number", 200, lambda i: round(R.lognormvariate(8, 1))),
    ("years", "number", 60, lambda i: R.randint(1990, 2026)),
    ("versions", "enum", 60, lambda i: R.choice(["1.2.3", "1.10.0", "2.0.0-beta"])),
    ("versions that read as numbers, mostly", "enum", 60, lambda i: R.choice(["1.2", "1.10", "1.10.1"])),
    ("prices with currency", "number", 60, lambda i: f"${R.randint(1, 400)}.99"),
    ("prices in euros", "number", 60, lambda i: f"{R.randint(1, 400)},50 €"),
    ("amounts in a sentence", "text", 60, lambda i: f"it took {R.randint(1, 400)} dollars from {sentence()}"),
    ("percentages", "number", 60, lambda i: f"{R.randint(0, 100)}%"),
    ("booleans", "enum", 10, lambda i: i % 2 == 0),
    ("booleans as texts", "enum", 10, lambda i: "True" if i % 3 else "False"),
    ("dates", "other", 60, lambda i: f"2026-03-{R.randint(1, 28):02d}"),
    ("times", "other", 60, lambda i: f"2026-03-01T10:{R.randint(0, 59):02d}:00Z"),
    ("seconds since 1970", "other", 60, lambda i: 1_772_000_000 + R.randint(0, 10**6)),
    ("URLs", "other", 60, lambda i: f"https://example.com/p/{R.getrandbits(40)}"),
    ("a sentence with a URL", "text", 60, lambda i: f"see https://example.com for {sentence()}"),
    ("JSON in a text", "other", 60, lambda i: json.dumps({"a": R.random()})),
    ("a sentence in brackets", "text", 60, lambda i: f"[{sentence()}]"),
    ("lists", "other", 10, lambda i: [1, 2]),
    ("objects", "other", 10, lambda i: {"a": 1}),
    ("ratings", "number", 60, lambda i: R.randint(1, 5)),
    ("0 and 1", "number", 60, lambda i: i % 2),
    ("order numbers", "other", 100, lambda i: 100_000 + i),
    ("order ids", "other", 100, lambda i: f"ORD-2026-{i:05d}"),
    ("phone numbers", "other", 60, lambda i: f"+1415{R.randint(10**6, 10**7 - 1)}"),
    ("e-mail addresses", "other", 60, lambda i: f"user{i}@example.com"),
    ("names with e-mail addresses", "other", 60, lambda i: f"Anna Silva <user{i}@example.com>"),
    ("six options of 40 words", "enum", 80, lambda i: R.choice(LONG_OPTIONS)),
    ("free text without repeats", "text", 40, sentence),
    ("free text with many repeats", "text", 200, lambda i: R.choice(["Yes.", "ok", "thanks"]) if i % 3 else sentence()),
    ("'yes' and 'no' among sentences", "text", 100, lambda i: R.choice(["yes", "no"]) if i % 5 < 3 else sentence()),
    (
        "text without spaces between words",
        "text",
        60,
        lambda i: "".join(R.choices("我想取消订单为什么没有收到退款", k=12)) + "\uff1f",
    ),
    ("200 countries", "enum", 400, lambda i: "country" + chr(97 + min(int(R.expovariate(0.2)), 25))),
    ("models", "enum", 60, lambda i: R.choice(["gpt-4o-2024-08-06", "claude-3-5-sonnet", "llama-3.1-70b"])),
    ("mostly null", "enum", 300, lambda i: R.choice(["a", "b"]) if i % 20 == 0 else None),
    ("only null", "other", 20, lambda i: None),
    ("half numbers, half words", "other", 200, lambda i: R.random() if i % 2 else sentence()),
    ("a first value that misleads", "text", 60, lambda i: "42" if i == 0 else sentence()),
    ("a number with a few words", "number", 100, lambda i: "unknown" if i % 25 == 0 else R.random()),
    (
        "prices in many currencies",
        "number",
        60,
        lambda i: f"{R.choice(['EUR ', 'R$ ', 'kr ', '₹'])}{R.randint(1, 999)}.50",
    ),
    ("prices with thousands", "number", 60, lambda i: R.choice(["1.250,00 €", "₹1,25,000", "1'250.00 CHF"])),
    ("prices of one length", "number", 60, lambda i: f"${R.randint(10000, 99999)}"),
    ("compact dates", "other", 60, lambda i: 20260000 + 100 * R.randint(1, 12) + R.randint(1, 28)),
    ("numbers of eight digits that are no dates", "number", 60, lambda i: R.randint(20, 50) * 10**6),
    ("dates in words", "other", 60, lambda i: f"{R.choice(['Jan', 'March'])} {R.randint(1, 28)}, 2026"),
    ("dates with points", "other", 60, lambda i: f"{R.randint(1, 28)}.{R.randint(1, 12)}.2026"),
    ("a sentence with a date", "text", 60, lambda i: f"March 3, 2026 was when {sentence()}"),
    (
        "British postcodes",
        "other",
        60,
        lambda i: f"S{R.choice('EW')}{R.randint(1, 9)} {R.randint(1, 9)}{R.choice('AB')}X",
    ),
    ("phone numbers with blanks", "other", 60, lambda i: f"+49 {R.randint(100, 999)} {R.randint(10**6, 10**7 - 1)}"),
    ("card numbers", "other", 60, lambda i: " ".join(str(R.randint(1000, 9999)) for _ in range(4))),
    ("ten ids of letters and digits", "other", 10, lambda i: f"cus_{R.getrandbits(60):x}Zq"),
    ("hexadecimal colours", "other", 60, lambda i: f"#{R.getrandbits(24):06x}"),
    (
        "browsers",
        "other",
        60,
        lambda i: f"Mozilla/5.0 (X11) Chrome/{R.randint(90, 130)}.0.{R.randint(1000, 9999)}.1 Safari/537",
    ),
    ("three browsers", "enum", 60, lambda i: f"Mozilla/5.0 (X11; Linux) Chrome/{120 + i % 3}.0.0.0 Safari/537.36"),
    ("versions of two and three parts", "enum", 60, lambda i: R.choice(["1.2", "2.0"]) + R.choice(["", ".1"])),
    ("many versions", "enum", 200, lambda i: f"{R.randint(1, 5)}.{R.randint(0, 9)}.{R.randint(0, 20)}"),
    (
        "answers of a survey",
        "enum",
        60,
        lambda i: R.choice(["Strongly agree", "Neither agree nor disagree", "Disagree"]),
    ),
    ("searches", "text", 200, lambda i: " ".join(R.choices(WORDS, k=R.randint(1, 3)))),
    ("thirty options of 40 words, few common", "enum", 100, lambda i: MANY_OPTIONS[min(int(R.expovariate(0.15)), 29)]),
    ("sentences that are each sent twice", "text", 200, lambda i: f"{SPEECH} {i // 2}"),
    ("half ids, half words", "other", 100, lambda i: sentence() if i % 2 else f"{R.getrandbits(64):016x}"),
    ("mostly null texts", "text", 400, lambda i: sentence() if i % 20 == 0 else None),
    ("mostly blank texts", "text", 400, lambda i: sentence() if i % 20 == 0 else ""),
]


@pytest.mark.parametrize(("name", "expected", "n", "make"), TRAPS, ids=[trap[0] for trap in TRAPS])
def test_the_type_of(name: str, expected: str, n: int, make: Maker) -> None:
    R.seed(name)
    assert type_of([make(i) for i in range(n)]) == expected


def test_300_fields_and_keys_that_differ_by_case_are_each_their_own() -> None:
    metadata: list[dict[str, object]] = [
        {"Plan": "pro", "plan": 3.5 * i, **{f"f{k}": R.random() for k in range(298)}} for i in range(12)
    ]
    found = detect(days_of(metadata))
    assert len(found) == 300
    assert (found["Plan"], found["plan"]) == ("enum", "number")


FEBRUARY = [{"x": i % 90} for i in range(600)]
MARCH = [{"x": f"{sentence()} {i}"} for i in range(600)]


def test_a_field_that_changes_in_march_gets_its_new_type_and_does_not_waver_before() -> None:
    days = [FEBRUARY] * 3 + [MARCH] * 3
    previous, types, changes = None, [], []
    for n in range(1, 7):
        found = detect_types(days_of(*days[:n]), previous, FIELD_OVERRIDES.empty())
        previous = found.types
        types.append(previous["type"][0])
        changes += found.changes.select("type", "seen_to").rows()
    assert types == ["number", "number", "number", "number", "text", "text"]
    assert previous is not None and previous["n_events"][0] == 3600
    assert changes == [("number", DAY), ("text", DAY + dt.timedelta(days=4))]
    at_once = detect_types(days_of(*days), None, FIELD_OVERRIDES.empty())
    assert at_once.changes.select("type", "seen_to").rows() == changes
    assert at_once.types.equals(previous)


def test_a_change_in_march_is_seen_in_events_that_were_all_imported_in_june() -> None:
    months = [events_of(each * 2, dt.date(2026, month, 10)) for month, each in ((2, FEBRUARY), (3, MARCH), (4, MARCH))]
    profiles = profile_fields(pl.concat(months)).with_columns(received_date=pl.lit(dt.date(2026, 6, 7)))
    found = detect_types(profiles, None, FIELD_OVERRIDES.empty())
    assert found.types.select("type", "n_events").rows() == [("text", 3600)]
    assert found.changes.select("type", "seen_to").rows() == [
        ("number", dt.date(2026, 2, 28)),
        ("text", dt.date(2026, 3, 31)),
    ]


def test_only_what_is_new_and_enough_before_it_is_read() -> None:
    profiles = days_of(*[FEBRUARY] * 9)
    previous = detect_types(profiles.head(8), None, FIELD_OVERRIDES.empty()).types
    assert periods_to_read(profiles, None).height == 9
    # The newest day, that before it (judged already, but not yet in the totals), and one more to have a thousand.
    assert periods_to_read(profiles, previous)["received_date"].to_list() == [
        DAY + dt.timedelta(days=day) for day in (5, 6, 7, 8)
    ]


def test_a_type_holds_until_another_is_clearly_better_and_judging_again_changes_nothing() -> None:
    sure = days_of([{"x": sentence()} for _ in range(50)])
    first = detect_types(sure, None, FIELD_OVERRIDES.empty()).types
    doubtful = days_of([{"x": "hello"}])
    assert detect(doubtful) == {"x": "enum"}
    kept = detect_types(doubtful, first, FIELD_OVERRIDES.empty()).types
    assert kept["type"][0] == "text"
    assert detect_types(doubtful, kept, FIELD_OVERRIDES.empty()).types.equals(kept)


def test_a_persons_choice_wins_and_can_be_taken_back() -> None:
    profiles = days_of([{"x": i % 5} for i in range(50)])

    def overrides(*types: str | None) -> pl.DataFrame:
        rows = [("p-1", "x", dt.datetime(2026, 1, 1 + i, tzinfo=dt.UTC), each) for i, each in enumerate(types)]
        return pl.DataFrame(rows, schema=FIELD_OVERRIDES.schema, orient="row")

    chosen = detect_types(profiles, None, overrides("text", "enum")).types.row(0, named=True)
    assert (chosen["type"], chosen["detected_type"], chosen["overridden"]) == ("enum", "number", True)
    assert json.loads(chosen["summary"])["values"][0] == {"value": "0", "count": 10}
    back = detect_types(profiles, None, overrides("text", None)).types.row(0, named=True)
    assert (back["type"], back["overridden"]) == ("number", False)


SCALARS = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9) | st.text(max_size=600)
MANY = st.builds(lambda start, n: [f"v{i}" for i in range(start, start + n)], st.integers(0, 900), st.integers(0, 2500))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.builds(lambda a, b: a + b, st.lists(SCALARS, max_size=12), MANY | st.just([])), min_size=3, max_size=3)
)
def test_evidence_is_the_same_however_it_is_added_up(groups: list[list[object]]) -> None:
    """Associative and commutative, below the bound on distinct values and past it; only a sum of floats may round."""

    def plain(evidence: Evidence) -> tuple[float, dict[str, object]]:
        found = json.loads(evidence.to_json())
        return found.pop("total"), found

    a, b, c = map(observe, groups)
    at_once = plain(observe([value for group in groups for value in group]))
    for other in (merge([a, b, c]), merge([c, merge([b, a])]), merge([merge([Evidence(), b]), c, a])):
        total, rest = plain(Evidence.from_json(other.to_json()))
        assert rest == at_once[1]
        assert total == pytest.approx(at_once[0], rel=1e-9, abs=1e-3)


def test_evidence_of_days_adds_up_to_the_evidence_of_all() -> None:
    values: list[dict[str, object]] = [
        {"x": R.choice(["a", "b", None, 3, 2.5, True, "$4", sentence()])} for _ in range(900)
    ]
    apart = days_of(values[:300], values[300:600], values[600:])
    together = days_of(values)
    columns = ["type", "n_events", "n_null", "n_distinct", "summary", "reason"]
    by_day, at_once = (
        detect_types(each, None, FIELD_OVERRIDES.empty()).types.select(columns) for each in (apart, together)
    )
    assert by_day.equals(at_once)


def test_the_number_of_distinct_values_is_exact_while_small_and_close_when_large() -> None:
    small = detect_types(days_of([{"x": f"v{i % 1500}"} for i in range(3000)]), None, FIELD_OVERRIDES.empty()).types
    assert small["n_distinct"][0] == 1500
    halves = days_of([{"x": sentence() + str(i)} for i in range(9000)], [{"x": str(i)} for i in range(9000)])
    assert detect_types(halves, None, FIELD_OVERRIDES.empty()).types["n_distinct"][0] == pytest.approx(18_000, rel=0.15)
    assert halves["evidence"].str.len_bytes().max() < 30_000


def test_a_summary_shows_options_with_counts_or_the_distribution_of_numbers_or_examples() -> None:
    metadata: list[dict[str, object]] = [
        {"e": "ab"[i % 4 == 0], "n": i + 0.5, "t": f"{sentence()} {i}", "none": None} for i in range(1000)
    ]
    found = detect_types(days_of(metadata), None, FIELD_OVERRIDES.empty()).types
    summary = {row["field"]: json.loads(row["summary"]) for row in found.iter_rows(named=True)}
    assert summary["e"] == {"values": [{"value": "a", "count": 750}, {"value": "b", "count": 250}], "n_rest": 0}
    assert (summary["n"]["min"], summary["n"]["max"], summary["n"]["mean"]) == (0.5, 999.5, 500.0)
    assert summary["n"]["quantiles"]["0.5"] == pytest.approx(500, rel=0.011)
    assert summary["n"]["quantiles"]["0.95"] == pytest.approx(950, rel=0.011)
    assert len(summary["t"]["examples"]) == 8
    assert summary["none"] == {"examples": [], "mean_chars": None}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-50, 50) | st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_bins_hold_every_number_once_and_lie_end_to_end(values: list[float]) -> None:
    bins = observe(values).bins((0.1, 0.25, 0.5, 0.75, 0.9))
    assert sum(count for _, _, count in bins) == len(values)
    assert (bins[0][0], bins[-1][1]) == (None, None)
    cuts = [least for least, _, _ in bins[1:]]
    assert cuts == [most for _, most, _ in bins[:-1]] == sorted(set(cuts))


def test_ratings_have_a_bin_each() -> None:
    bins = observe([1, 2, 3, 4, 5] * 20).bins((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9))
    assert bins == [(None, 2.0, 20), (2.0, 3.0, 20), (3.0, 4.0, 20), (4.0, 5.0, 20), (5.0, None, 20)]


@pytest.mark.parametrize("values", [[1e308] * 20, [1e308, -1e308] * 10, ["1e308"] * 20 + [-1e308] * 40])
def test_numbers_whose_sum_no_float_can_hold_have_a_finite_summary(values: list[object]) -> None:
    whole = merge([observe(values[:7]), observe(values[7:])])
    assert math.isfinite(whole.total) and Evidence.from_json(whole.to_json()) == whole
    days = days_of([{"n": value} for value in values[:9]], [{"n": value} for value in values[9:]])
    (row,) = detect_types(days, None, FIELD_OVERRIDES.empty()).types.iter_rows(named=True)
    assert days.height == 2 and None not in json.loads(row["summary"]).values()


def test_values_that_cannot_be_looked_into_are_counted_and_judge_nothing() -> None:
    values: list[object] = [None, "", " ", "a sentence", 5, True, [1], {"a": 1}]
    found = count_only(values)
    assert (found.n, found.kinds["null"], found.shapes["-"], found.unread.total()) == (8, 1, 2, 5)
    assert Evidence.from_json(found.to_json()) == found
    verdict = judge("prompt", found)
    assert (verdict.type, verdict.confidence) == ("other", 0.0)
    read = observe([f"{sentence()} {n}" for n in range(100)])
    assert judge("prompt", merge([read, found])) == judge("prompt", read)


def test_no_events_have_no_fields() -> None:
    assert days_of([]).is_empty()
    assert detect_types(days_of([]), None, FIELD_OVERRIDES.empty()).types.is_empty()
