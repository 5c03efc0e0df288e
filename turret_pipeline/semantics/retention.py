"""For how many days a project, and each of its fields, keep what people wrote: rows of `retention_rules`.

The days are those since receipt, whole UTC days: what Turret got on March 1st and is to keep for 30 days, it has on
March 31st for the last time. Not since an event happened, which its sender says and may say wrongly. So imported
history is kept for as long as what comes today.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import polars as pl

MOST_DAYS = 36_500


@dataclass(frozen=True)
class Rules:
    """The rules in force. days: of the project; None: it keeps everything. fields: days of single fields, by name."""

    days: int | None = None
    fields: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.days is not None or bool(self.fields)

    def newest_due(self, today: dt.date) -> dt.date | None:
        """Return the newest day of receipt of whose events anything is to be let go of; None: there is none."""
        all_days = [days for days in (self.days, *self.fields.values()) if days is not None]
        return last_day(min(all_days, default=None), today)

    def last_day(self, today: dt.date) -> dt.date | None:
        """Return the last day of receipt whose events are to be let go of; None: none are."""
        return last_day(self.days, today)


def last_day(days: int | None, today: dt.date) -> dt.date | None:
    """Return the last day of receipt of which nothing is kept for more than `days`."""
    return None if days is None else today - dt.timedelta(days=days + 1)


def rules_of(rows: pl.DataFrame) -> Rules:
    """Return the rules that rows of `retention_rules` leave in force."""
    latest = rows.sort("decided_at", maintain_order=True).unique("field", keep="last", maintain_order=True)
    days = dict(latest.drop_nulls("days").select("field", "days").iter_rows())
    whole = days.pop(None, None)
    return Rules(whole, dict(sorted(days.items())))
