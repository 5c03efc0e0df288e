"""Fields that a build could not do, as people are told of them: everywhere in the same words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class FailedField:
    """A field that a table could not be brought up to date for (of events received on `day`; None: of all), and why."""

    table: str
    field: str
    day: dt.date | None
    reason: str

    @property
    def words(self) -> str:
        """The table, the day and the reason."""
        of_day = f" of {self.day}" if self.day else ""
        return f"{self.table}{of_day}: {self.reason}"


def failed_fields(rows: pl.DataFrame) -> list[FailedField]:
    """Return the fields that rows of `field_failures` tell of, in order."""
    if rows.is_empty():  # as nearly always
        return []
    found = rows.select("table", "field", "received_date", "reason").sort("field", "table", "received_date")
    return [FailedField(*row) for row in found.iter_rows()]
