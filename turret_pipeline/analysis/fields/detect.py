"""Field types: text, enum, number or other, from what a project's events hold.

Evidence is counted once for each day of receipt and month of the events (`profile_fields`) and adds up
(`fields.evidence`). So live events give a period a day, and imported ones a period a month. A field's type follows
from its newest periods, as many as hold `ENOUGH_VALUES` values, so that a field that changes is noticed while one that
does not is judged on plenty (`fields.verdict`). Periods are judged in order of time, whether they came day by day
or all at once, and each change is kept. A type that was found stays until another is clearly better; what a person
chose wins over both. Counts and summaries are over all days. No language model is asked.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import polars as pl

from turret_pipeline.analysis.fields import shapes as shape
from turret_pipeline.analysis.fields.evidence import Evidence, Readings, count_only, merge, observe, read_texts
from turret_pipeline.analysis.fields.messages import extract_messages
from turret_pipeline.analysis.fields.verdict import ENUM, NUMBER, OTHER, TEXT, Verdict, judge
from turret_pipeline.lake.tables import FIELD_HISTORY, FIELD_PROFILES, FIELD_TOTALS, FIELD_TYPES, Table
from turret_pipeline.semantics.values import all_values, text_id

__all__ = [
    "add_up",
    "detect_types",
    "extract_messages",
    "most_frequent",
    "periods_to_read",
    "profile_fields",
    "text_id",
    "typed_fields",
]

ENOUGH_VALUES = 1_000
MOST_FIELDS = 5_000
"""Fields of a project that have a type: beyond, those in most events. Applications that make names of fields out of ids
would otherwise bring more with every day."""
COUNTED_FIELDS = 100_000
"""Fields without a type that are counted one by one."""
FEW_VALUES = 1_000
"""Values up to which a field is read together with others."""
JUDGED_EVERY = 100
"""Values after which a field is judged again, and at its newest period: a rare field need not be every day."""
CHUNK_EVENTS = 100_000
"""Events whose metadata is taken apart at once: Python's objects take several times the memory that the text does."""
SURE = 0.75
MARGIN = 0.1
"""Another type is taken when its confidence reaches `SURE`, or is `MARGIN` above that of the type in place."""

MARKS = ("personal", "established")
"""What of a verdict is kept in the summary, beside what it shows (`Verdict`)."""
SUMMARY_VALUES = 100
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BIN_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

_SEEN_TO = pl.min_horizontal(pl.col("month").dt.month_end(), "received_date").alias("seen_to")
"""Last day that the events of a period can be of."""


def _without_project(table: Table, *others: str) -> pl.Schema:
    return pl.Schema({name: dtype for name, dtype in table.schema.items() if name not in ("project_id", *others)})


PROFILES = _without_project(FIELD_PROFILES, "received_date")
TOTALS = _without_project(FIELD_TOTALS)
TYPES = _without_project(FIELD_TYPES)
CHANGES = _without_project(FIELD_HISTORY, "n")


Trying = Callable[[str], contextlib.AbstractContextManager[None]]
"""Given a field: a block around what is done with its values. Where it lets no error out, the field is done without."""


def _uncontained(field: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Detection:
    """Every field with its type (columns `TYPES`), and the types that were found on the way (`CHANGES`), in order."""

    types: pl.DataFrame
    changes: pl.DataFrame


def profile_fields(
    events: pl.DataFrame,
    trying: Trying = _uncontained,
    left_out: set[str] | None = None,
    known: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return what each metadata field of `events` (`timestamp` and `metadata` of `EVENTS`) held: `PROFILES`.

    One row a month and field, in this order. Values on which the block of `trying` fails are only counted. Of more
    than `MOST_FIELDS` fields those are left out that fewest events have (of the `CHUNK_EVENTS` so far), and put into
    `left_out`, which does not grow beyond `COUNTED_FIELDS`. known: profiles of other events, to which those of
    `events` are added.
    """
    already = (PROFILES.to_frame(eager=True) if known is None else known).select("month", "field", "evidence")
    found = {(month, field): Evidence.from_json(seen) for month, field, seen in already.iter_rows()}
    n_events = Counter[str]()
    for (_, field), there in found.items():
        n_events[field] += there.n
    month_of = pl.col("timestamp").dt.date().dt.month_start().alias("month")
    for chunk in events.select("metadata", month_of).iter_slices(CHUNK_EVENTS):
        groups = chunk.partition_by("month", as_dict=True, maintain_order=True)
        values = {month: all_values(group["metadata"].to_list()) for (month,), group in groups.items()}
        for of_month in values.values():
            n_events.update({field: len(of_field) for field, of_field in of_month.items()})
        rest = n_events.keys() - most_frequent(n_events)
        for field in rest:
            del n_events[field]
            for of_month in values.values():
                of_month.pop(field, None)
        if rest:
            found = {key: seen for key, seen in found.items() if key[1] not in rest}
        if left_out is not None:
            left_out |= set(sorted(rest - left_out)[: COUNTED_FIELDS - len(left_out)])
        for month, of_month in values.items():
            readings = _readings(of_month)
            for field, of_field in of_month.items():
                before = found.get((month, field), Evidence())
                seen = None
                with trying(field):
                    seen = merge([before, observe(of_field, readings)])
                    seen.to_json()
                found[month, field] = seen or merge([before, count_only(of_field)])
    if left_out is not None:
        left_out.difference_update(n_events)  # what only later events made frequent
    rows = [(*key, seen.n, _n_values(seen), seen.to_json()) for key, seen in sorted(found.items())]
    return pl.DataFrame(rows, schema=PROFILES, orient="row")


def most_frequent(n_events: Mapping[str, int], always: Collection[str] = ()) -> set[str]:
    """Return the `MOST_FIELDS` fields that most events have, by name where as many have them; and those of `always`.

    n_events: of each field, in how many events it is.
    """
    if len(n_events) <= MOST_FIELDS:
        return set(n_events)
    first = sorted(n_events, key=lambda field: (-n_events[field], field))
    return {*first[:MOST_FIELDS], *(field for field in always if field in n_events)}


def typed_fields(periods: pl.DataFrame, overrides: pl.DataFrame) -> set[str]:
    """Return the fields that have a type: the most frequent, and those whose type a person chose.

    periods: `field` and `n_events` of `FIELD_PROFILES`. overrides: as for `detect_types`.
    """
    fields = set(periods["field"].unique())
    if len(fields) <= MOST_FIELDS:
        return fields
    n_events = dict(periods.group_by("field").agg(pl.col("n_events").sum()).iter_rows())
    return most_frequent(n_events, [field for field, chosen in _latest(overrides).items() if chosen])


def _readings(values: Mapping[str, Sequence[object]]) -> Readings:
    """Return what the texts of all fields with few values read as: nearly all of the time goes by the field."""
    few = [of_field for of_field in values.values() if len(of_field) <= FEW_VALUES]
    texts = {value for of_field in few for value in of_field if type(value) is str}
    # A text on which reading fails fails again, and is contained, where its field is read alone.
    with contextlib.suppress(Exception, pl.exceptions.PanicException):
        return read_texts(texts) if len(few) > 1 else {}
    return {}


def add_up(totals: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    """Return `totals` (columns `TOTALS`) with the evidence of `profiles` added, in order of the field."""
    found = {field: Evidence.from_json(evidence) for field, evidence in totals.select(TOTALS.names()).iter_rows()}
    for field, evidence in profiles.select("field", "evidence").iter_rows():
        found.setdefault(field, Evidence()).add(Evidence.from_json(evidence))
    rows = [(field, seen.to_json()) for field, seen in sorted(found.items())]
    return pl.DataFrame(rows, schema=TOTALS, orient="row")


def periods_to_read(periods: pl.DataFrame, previous: pl.DataFrame | None) -> pl.DataFrame:
    """Return those of `periods` whose evidence `detect_types` needs: the new ones, and before them enough to judge by.

    periods: `received_date`, `month`, `field`, `n_values` of all. previous: as for `detect_types`.
    """
    keys = ["received_date", "month", "field"]
    if previous is None:
        return periods.select(keys).sort("field", "month", "received_date")
    known = _with_known(periods, previous)
    old = ~pl.col("is_new")
    later = pl.col("n_values").filter(old).cum_sum(reverse=True).over("field", mapping_strategy="explode")
    needed = known.filter(old).sort("field", "month", "received_date")
    needed = needed.with_columns(n_after=later - pl.col("n_values")).filter(pl.col("n_after") < ENOUGH_VALUES)
    newest = known.filter(pl.col("is_new") | (pl.col("received_date") == pl.col("received_date").max()))
    return pl.concat([needed.select(keys), newest.select(keys)]).unique().sort("field", "month", "received_date")


def detect_types(
    profiles: pl.DataFrame,
    previous: pl.DataFrame | None,
    overrides: pl.DataFrame,
    totals: pl.DataFrame | None = None,
    trying: Trying = _uncontained,
    newest: dt.date | None = None,
) -> Detection:
    """Return every field with its type, in order of the field, and what changed since `previous`.

    profiles: columns of `FIELD_PROFILES` without `project_id`: all, or those that `periods_to_read` named.
    previous: the types that this function returned last time (None: never), which steady the new ones.
    overrides: rows of `FIELD_OVERRIDES`; the latest of a field counts, and null takes the earlier back.
    totals: evidence of all days but the newest (columns `TOTALS`); None: `profiles` are all there is.
    newest: the day that `totals` is without; default: the newest of `profiles`.
    trying: a field on which its block fails keeps its type; without one it is `other`.
    """
    decided = _latest(overrides)
    before = {} if previous is None else {row["field"]: row for row in previous.iter_rows(named=True)}
    sums = None if totals is None else dict(totals.select("field", "evidence").iter_rows())
    last = newest or profiles["received_date"].max()
    types, changes = [], []
    for field, periods in _by_field(_with_known(profiles, previous)):
        known, row = before.get(field), None
        with trying(field):
            found, changed = _judged(field, periods, known)
            sum_of_field = None if sums is None else sums.get(field, Evidence().to_json())
            whole = _whole(periods, sum_of_field, last)
            row = _row(field, found, decided.get(field), whole, _last_day(periods, known))
            changes += changed
        types.append(row or _unjudged(field, periods, decided.get(field), known))
    return Detection(
        pl.DataFrame(types, schema=TYPES).sort("field"), pl.DataFrame(changes, schema=CHANGES, orient="row")
    )


def _judged(
    field: str, periods: list[dict[str, Any]], known: Mapping[str, Any] | None
) -> tuple[Verdict, list[tuple[object, ...]]]:
    """Return the verdict after the last of the periods, and the rows of `CHANGES` on the way to it."""
    found: Verdict | None = None
    if known is not None:
        marks = orjson.loads(known["summary"])
        of = {mark: marks.get(mark, False) for mark in MARKS}
        found = Verdict(known["detected_type"], known["confidence"], known["reason"], **of)
    changes: list[tuple[object, ...]] = []
    seen = [Evidence.from_json(period["evidence"]) for period in periods]
    for place in _places_to_judge(periods):
        steady = _steady(judge(field, merge(_newest(seen[: place + 1]))), found)
        if found is None or steady.type != found.type:
            changes.append((field, steady.type, periods[place]["seen_to"], steady.confidence, steady.reason))
        found = steady
    assert found is not None
    return found, changes


def _whole(periods: list[dict[str, Any]], total: str | None, newest: object) -> Evidence:
    """Return the evidence of all days. total: of all but the newest; None: the periods are of all days."""
    of = [period["evidence"] for period in periods if total is None or period["received_date"] == newest]
    return merge(Evidence.from_json(each) for each in ([] if total is None else [total]) + of)


def _last_day(periods: list[dict[str, Any]], known: Mapping[str, Any] | None) -> dt.date:
    last: dt.date = max([period["seen_to"] for period in periods] + ([known["seen_to"]] if known else []))
    return last


def _unjudged(
    field: str, periods: list[dict[str, Any]], chosen: str | None, known: Mapping[str, Any] | None
) -> dict[str, object]:
    """Return the row of a field that cannot be judged: as it was known before, or else of no known type."""
    if known is not None:
        detected = known["detected_type"]
        return {**known, "type": chosen or detected, "overridden": chosen is not None}
    unread = Evidence(n=sum(period["n_events"] for period in periods))
    found = Verdict(OTHER, 0.0, "its values could not be judged")
    return _row(field, found, chosen, unread, _last_day(periods, None))


def _row(field: str, found: Verdict, chosen: str | None, whole: Evidence, seen_to: dt.date) -> dict[str, object]:
    in_force = chosen or found.type
    return {
        "field": field,
        "type": in_force,
        "detected_type": found.type,
        "overridden": chosen is not None,
        "confidence": found.confidence,
        "reason": found.reason,
        "n_events": whole.n,
        "n_null": whole.kinds["null"],
        "n_distinct": whole.n_distinct,
        "summary": orjson.dumps(
            summarise(in_force, whole) | {mark: True for mark in MARKS if getattr(found, mark)}
        ).decode(),
        "seen_to": seen_to,
    }


def _with_known(periods: pl.DataFrame, previous: pl.DataFrame | None) -> pl.DataFrame:
    """Return `periods` with `seen_to`, and `is_new`: whether they may change what `previous` says of the field."""
    known = (pl.DataFrame(schema=TYPES) if previous is None else previous).select("field", judged_to="seen_to")
    return (
        periods.with_columns(_SEEN_TO)
        .join(known, on="field", how="left")
        .with_columns(is_new=(pl.col("seen_to") >= pl.col("judged_to")).fill_null(True))
        .drop("judged_to")
    )


def _by_field(profiles: pl.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each field with its periods in order of time."""
    ordered = profiles.sort("field", "month", "received_date")
    for (field,), periods in ordered.partition_by("field", as_dict=True, maintain_order=True).items():
        yield str(field), periods.to_dicts()


def _places_to_judge(periods: list[dict[str, Any]]) -> Iterator[int]:
    """Yield the places of the new periods at which there is enough that is new, and of the last."""
    n_new, new = 0, [place for place, period in enumerate(periods) if period["is_new"]]
    for place in new:
        n_new += periods[place]["n_values"]
        if n_new >= JUDGED_EVERY or place == new[-1]:
            n_new = 0
            yield place


def summarise(type_in_force: str, seen: Evidence) -> dict[str, object]:
    """Return what `/v1/fields` shows of a field of this type.

    enum: `values` (each `value`, `count`; most common first) and `n_rest`, the events with values not listed. number:
    `min`, `max`, `mean`, `quantiles` by share, each null without numbers, and `bins` (each `from`, included, `to`, not,
    null at the ends, and `count`), about a tenth of the numbers each. Otherwise: `examples`, `mean_chars`.
    """
    if type_in_force == ENUM:
        known = sorted((-v.count, v.text) for v in seen.values.values() if v.text is not None)[:SUMMARY_VALUES]
        n_values = seen.n - seen.kinds["null"] - seen.kinds["list"] - seen.kinds["object"] - seen.shapes[shape.BLANK]
        listed = [{"value": text, "count": -count} for count, text in known]
        return {"values": listed, "n_rest": n_values + sum(count for count, _ in known)}
    if type_in_force == NUMBER:
        quantiles = seen.quantiles(QUANTILES)
        return {
            "min": seen.least,
            "max": seen.greatest,
            "mean": seen.total / seen.n_numbers if seen.n_numbers else None,
            "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=True)) if quantiles else None,
            "bins": [{"from": least, "to": most, "count": count} for least, most, count in seen.bins(BIN_SHARES)],
        }
    return {"examples": seen.examples, "mean_chars": seen.chars / seen.kinds[TEXT] if seen.kinds[TEXT] else None}


def _newest(seen: list[Evidence]) -> list[Evidence]:
    """Return the newest of `seen` (in order of time) that hold `ENOUGH_VALUES`, or all."""
    found: list[Evidence] = []
    n = 0
    for each in reversed(seen):
        found.append(each)
        n += _n_values(each)
        if n >= ENOUGH_VALUES:
            break
    return found


def _n_values(seen: Evidence) -> int:
    return seen.n - seen.kinds["null"] - seen.shapes[shape.BLANK] - seen.unread.total()


def _steady(found: Verdict, before: Verdict | None) -> Verdict:
    """Return `found`, or the type in place while `found` is not clearly better than it.

    What is kept is kept as it was, so that judging the same evidence again changes nothing. A text field of many
    different sentences stays one through days on which people send little but greetings.
    """
    if before is None:
        return found
    if before.type == found.type:
        return replace(found, established=found.established or before.established)
    if before.established and found.type == ENUM:
        return before
    return found if found.confidence >= SURE or found.confidence >= before.confidence + MARGIN else before


def _latest(overrides: pl.DataFrame) -> dict[str, str | None]:
    latest = overrides.sort("decided_at", maintain_order=True).unique("field", keep="last", maintain_order=True)
    return dict(latest.select("field", "type").iter_rows())
