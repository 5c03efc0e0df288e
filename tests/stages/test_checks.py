"""Every check sees the fault that it looks for, whether it looks at all days or at the one that was worked on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, copied
from turret_pipeline.lake import store
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_FAILURES, TABLES
from turret_pipeline.stages import CHECKS

Spoil = Callable[[pl.DataFrame], pl.DataFrame]
DAY = DAYS[2]
OF_DAY = pl.col("received_date") == DAY


def without_one(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows without one of the spoiled day's (or without the first, where no day is known)."""
    numbered = rows.with_row_index("n")
    found = numbered.filter(OF_DAY) if "received_date" in rows.columns else numbered
    return numbered.filter(pl.col("n") != found["n"][0]).drop("n")


def one_twice(rows: pl.DataFrame) -> pl.DataFrame:
    found = rows.filter(OF_DAY) if "received_date" in rows.columns else rows
    return pl.concat([rows, found.head(1)])


def on_another_day_too(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, rows.filter(~OF_DAY).head(1).with_columns(received_date=DAY)])


def changed(column: str, value: pl.Expr) -> Spoil:
    """Return what sets `column` to `value` in the spoiled day's rows (or in all, where no day is known)."""

    def spoil(rows: pl.DataFrame) -> pl.DataFrame:
        where = OF_DAY if "received_date" in rows.columns else pl.lit(True)
        new = pl.when(where).then(value).otherwise(column).cast(rows.schema[column])
        return rows.with_columns(new.alias(column))

    return spoil


@dataclass(frozen=True)
class Fault:
    """What is done to `table`, and the check of `checked` (default: the same table) that sees it."""

    table: str
    spoil: Spoil
    check: str
    checked: str = ""


def failing(table: str, day: dt.date | None = None) -> Spoil:
    """Return what adds that a field failed in the table."""
    row = pl.DataFrame([(PROJECT, table, "prompt", day, "why", 0, "")], schema=FIELD_FAILURES.schema, orient="row")
    return lambda rows: pl.concat([rows, row])


EMPTY = (
    *("shared_frames", "field_history", "field_overrides", "field_outcomes", "topic_edits", "field_failures"),
    *("left_out_fields", "answers", "annotations", "topic_notes", "saved_views", "retention_rules", "removals"),
)
"""Tables that have no rows here."""

FAULTS = [
    *(Fault(name, one_twice, "unique_key") for name in CHECKS if name not in EMPTY),
    Fault("events", without_one, "nothing_lost"),
    Fault("events", on_another_day_too, "no_event_on_two_days"),
    Fault("events", changed("part", pl.lit("nowhere.parquet")), "nothing_made_up"),
    Fault("field_profiles", changed("n_events", pl.lit(10_000)), "counts_reconcile"),
    Fault("field_types", without_one, "every_field_has_a_type"),
    Fault("field_failures", failing("field_profiles", DAY), "no_field_failed", "field_profiles"),
    *(
        Fault("field_failures", failing(table), "no_field_failed", table)
        for table in ("field_types", "embeddings", "topics")
    ),
    Fault("messages", changed("event_id", pl.lit("x") + pl.col("event_id")), "every_message_has_its_event"),
    Fault("messages", without_one, "counts_reconcile"),
    Fault("embeddings", changed("vector", pl.col("vector") * 2), "unit_length"),
    Fault("embeddings", changed("vector", pl.col("vector") * float("nan")), "unit_length"),
    Fault("messages", changed("text_id", pl.lit("new")), "every_text_has_a_vector", "embeddings"),
    Fault("topics", changed("label", pl.lit("same")), "labels_are_distinct"),
    Fault("topics", changed("centroid", pl.col("centroid") / 2), "unit_length"),
    Fault("topics", lambda rows: rows.head(0), "topics_exist", "topic_assignments"),
    Fault("messages", changed("text_id", pl.lit("new")), "every_text_is_assigned", "topic_assignments"),
    Fault("topic_lineage", lambda rows: rows.head(0), "every_topic_has_one"),
    Fault("topic_fits", lambda rows: rows.head(0), "every_fit_is_told"),
    Fault("text_sentiment", without_one, "every_text_has_its_sentiment"),
    Fault("text_sentiment", changed("sentiment", pl.lit("glum")), "scores_fit"),
    Fault("text_sentiment", changed("score", pl.col("score") + 3), "scores_fit"),
    Fault("topic_days", changed("n_messages", pl.col("n_messages") + 1), "days_add_up"),
    Fault("journey_steps", without_one, "every_message_is_a_step"),
    Fault("messages", without_one, "every_message_is_a_step", "journey_steps"),
    Fault("journey_steps", changed("place", pl.col("place") + 1), "every_message_is_a_step"),
    Fault("step_values", without_one, "values_fit_the_steps"),
    Fault("step_values", changed("places", pl.col("places").list.slice(1)), "values_fit_the_steps"),
    Fault("step_values", changed("values", pl.col("values").list.slice(1)), "values_fit_the_steps"),
    Fault("friction", changed("place", pl.col("place") + 100), "signs_have_their_steps"),
    Fault("friction", changed("event_id", pl.lit("x") + pl.col("event_id")), "signs_have_their_steps"),
    Fault("friction", changed("evidence_place", pl.col("place")), "signs_have_their_steps"),
    Fault("friction", changed("strength", pl.col("strength") + 1), "signs_have_their_steps"),
    Fault("friction", changed("sign", pl.lit("unheard of")), "signs_have_their_steps"),
    Fault("journey_moves", changed("gaps_s", pl.lit([1.0, 2.0, 3.0])), "moves_balance"),
    Fault("journey_edges", without_one, "edges_balance"),
]


@pytest.fixture(scope="module")
def lake(before: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of the built lake, whose rows each test leaves as they were."""
    return Lake(str(copied(before["end"], tmp_path_factory.mktemp("checks") / "lake")))


@contextmanager
def spoiled(lake: Lake, name: str, spoil: Spoil) -> Iterator[None]:
    table = TABLES[name]
    rows = store.read(lake, table, PROJECT)
    store.replace(lake, table, spoil(rows), PROJECT)
    try:
        yield
    finally:
        store.replace(lake, table, rows, PROJECT)


@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{each.checked or each.table}.{each.check}-{n}" for n, each in enumerate(FAULTS)]
)
def test_a_check_sees_its_fault(lake: Lake, fault: Fault) -> None:
    check = CHECKS[fault.checked or fault.table][fault.check]
    with spoiled(lake, fault.table, fault.spoil):
        for days in (None, [DAY]):
            finding = check.find(lake, PROJECT, days)
            assert finding.n_wrong > 0, days
            assert finding.example
            assert check.find(Batch(lake).lake, PROJECT, days) == finding
    assert check.find(lake, PROJECT).n_wrong == 0


def test_a_check_looks_at_the_days_that_it_is_given_alone(lake: Lake) -> None:
    find, other = CHECKS["messages"]["counts_reconcile"].find, DAYS[1]
    with spoiled(lake, "messages", without_one):
        assert find(lake, PROJECT, [other]).n_wrong == 0
        assert find(lake, PROJECT, [DAY, other]).n_wrong == 1
        assert find(lake, PROJECT, []).n_seen == 0
