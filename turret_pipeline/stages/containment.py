"""What fails because of a field's values fails that field alone; all else of the project goes on in the same build.

No list of errors could be complete, so every error out of the analysis counts as one of the values that it was given
(`contained`). What the machine did does not: a full disk, a lake that cannot be read or a model that is missing fail
the build, as nothing of the project could go on.

The reasons lie in `field_failures`, one row for each table and field (and day, where the table is made by day):

    no row ── the analysis fails ──> a row ── it succeeds, or the field is no text any more ──> no row
                                     │   ^
                                     └───┘ it fails again

A row is written, or taken away, before the commit that says that the table is up to date: a build that is killed in
between tries the field again. While the row is there the table counts as up to date all the same, so no run is asked
for on its account: the field is tried again with the next change of what the table is made from, by another version of
the method, and in a full refresh.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from deltalake.exceptions import DeltaError

from turret_pipeline.embedder.embed import ModelError
from turret_pipeline.lake import store
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_FAILURES, FIELD_TYPES, Table
from turret_pipeline.semantics.failures import FailedField, failed_fields
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, of_days
from turret_pipeline.stages.stage import Task

OF_THE_MACHINE = (OSError, DeltaError, DamageError, store.SchemaError, ModelError)
"""Errors that no text is to blame for."""

REASON_CHARACTERS = 300
"""Longest reason; some libraries put a whole array, or a whole text, into their message."""

CHEAP_MESSAGES, LEAST_GROWTH = 10_000, 0.01
"""A field with no more messages is tried again with every change; a larger one when so large a share came or went.
Else a stream of events would have a fit that takes minutes, and fails, repeated without end."""


class FieldError(Exception):
    """The analysis failed on the values of a field; the message is the reason, in words."""


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """An error of the analysis in the block is raised as `FieldError`; one of the machine, or a stop, as it is."""
    try:
        yield
    except FieldError:
        raise
    except BaseException as error:
        # A panic in Rust code, ours or a library's, is no `Exception`.
        is_panic = type(error).__module__ == "pyo3_runtime"
        if isinstance(error, OF_THE_MACHINE) or not (is_panic or isinstance(error, Exception)):
            raise
        raise FieldError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    words = "".join(char if char.isprintable() else " " for char in str(error))
    line = " ".join(f"{type(error).__name__}: {words}".rstrip(": ").split())
    return line if len(line) <= REASON_CHARACTERS else f"{line[: REASON_CHARACTERS - 1]}…"


@dataclass(frozen=True)
class Failure:
    """Why a field failed; n_messages, tried_with: as in `FIELD_FAILURES`."""

    reason: str
    n_messages: int = 0
    tried_with: str = ""

    def is_to_be_tried(self, n_messages: int, tried_with: str) -> bool:
        """Whether enough has changed for another try of a field that has so many messages now."""
        change = abs(n_messages - self.n_messages)
        least = LEAST_GROWTH * self.n_messages if self.n_messages > CHEAP_MESSAGES else 1
        return tried_with != self.tried_with or change >= least


@contextlib.contextmanager
def trying(found: dict[str, Failure], field: str) -> Iterator[None]:
    """An error of the analysis in the block is put into `found` as the field's, and goes no further."""
    try:
        with contained():
            yield
    except FieldError as error:
        found[field] = Failure(str(error))


class Failures:
    """The fields that one stage failed on, in one project: what `field_failures` says, and what is to be said there."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._table = task.stage.table.name
        rows = task.rows(FIELD_FAILURES).filter(pl.col("table") == self._table)
        self._known = {
            (str(row["field"]), row["received_date"]): Failure(row["reason"], row["n_messages"], row["tried_with"])
            for row in rows.iter_rows(named=True)
        }

    def __bool__(self) -> bool:
        """Whether any field has failed, on whatever day."""
        return bool(self._known)

    def of(self, field: str) -> Failure | None:
        """Return why the field failed at the last try, None if it did not."""
        return self._known.get((field, None))

    def are_any(self, day: dt.date) -> bool:
        """Return whether a field failed on this day at the last try."""
        return any(failed_on == day for _, failed_on in self._known)

    @property
    def facts(self) -> dict[str, int | float | str]:
        """The reasons, as facts of an outcome."""
        return {f"{field} failed": failure.reason for (field, _), failure in sorted(self._known.items(), key=str)}

    def settle(self, found: Mapping[str, Failure], day: dt.date | None = None) -> None:
        """After this call the fields in `found` are those that failed (on `day`), and no others."""
        self._write(
            {key: failure for key, failure in self._known.items() if key[1] != day}
            | {(field, day): failure for field, failure in found.items()}
        )

    def note(self, field: str, failure: Failure) -> None:
        """After this call the field has failed, for this reason."""
        self._write(self._known | {(field, None): failure})

    def clear(self, field: str) -> None:
        """After this call the field has not failed."""
        self._write({key: failure for key, failure in self._known.items() if key != (field, None)})

    def keep(self, fields: Collection[str]) -> None:
        """After this call no field but these has failed."""
        self._write({key: failure for key, failure in self._known.items() if key[0] in fields})

    def _write(self, wanted: dict[tuple[str, dt.date | None], Failure]) -> None:
        if wanted == self._known:
            return
        rows = [
            (self._task.work.project_id, self._table, field, day, each.reason, each.n_messages, each.tried_with)
            for (field, day), each in wanted.items()
        ]
        # Opened, and so made, with the first failure: most projects never have one.
        opened = self._task.work.open(FIELD_FAILURES)
        others = opened.scan().filter(pl.col("table") != self._table).collect()
        mine = pl.DataFrame(rows, schema=FIELD_FAILURES.schema, orient="row")
        opened.replace(pl.concat([others, mine]).sort(*FIELD_FAILURES.key))
        self._known = wanted


def failures_of(lake: Lake, project_id: str) -> list[FailedField]:
    """Return the fields of a project that tables could not be brought up to date for, in order."""
    return failed_fields(store.read(lake, FIELD_FAILURES, project_id))


def no_field_failed(table: Table) -> Check:
    """Return the check that the table could be brought up to date for every field."""

    def find(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
        rows = store.scan(lake, FIELD_FAILURES, project_id).filter(pl.col("table") == table.name)
        failed = (of_days(rows, days) if table.is_by_day else rows).select("field", "reason").collect()
        known = store.scan(lake, FIELD_TYPES, project_id).select("field").collect()["field"]
        n_fields = len({*known, *failed["field"]})
        return Finding(n_fields, failed["field"].n_unique(), str(failed.row(0)) if failed.height else "")

    return Check("no field failed", find)
