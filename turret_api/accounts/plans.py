"""What a plan allows: how many events, in which period.

Every period has a name, and the count of a (project, name) is never dropped. So a clock that jumps over a month's end
and back finds the old count again, and the limit is not granted twice.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

TRIAL, PRO, BUSINESS, ENTERPRISE = PLANS = ("trial", "pro", "business", "enterprise")
TRIAL_DAYS = 14
_LIMITS = {TRIAL: 250_000, PRO: 1_000_000, BUSINESS: 10_000_000}


class PlanError(ValueError):
    """A plan and a limit that do not go together."""


@dataclass(frozen=True)
class Plan:
    """A project's plan.

    Args:
        name: one of `PLANS`.
        limit: events a period, or None for no limit.
        created_at: when the project was created (UTC).
    """

    name: str
    limit: int | None
    created_at: dt.datetime

    def period(self, now: dt.datetime) -> str:
        """Return the name of the period that `now` (UTC) falls into: `trial`, or the month as `2026-11`."""
        return TRIAL if self.name == TRIAL else f"{now:%Y-%m}"

    def over_at_s(self) -> float:
        """Return the Unix time from which on the plan takes no more events at all, whatever was used."""
        if self.name != TRIAL:
            return math.inf
        return (self.created_at + dt.timedelta(days=TRIAL_DAYS)).timestamp()

    def resets_at(self, now: dt.datetime) -> dt.datetime | None:
        """Return when the count starts anew: the next month (UTC), or None for a trial, which does not renew."""
        if self.name == TRIAL:
            return None
        return dt.datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=dt.UTC)


def limit_of(plan: str, limit: int | None) -> int | None:
    """Return the events a period of `plan`; raise `PlanError` if `limit` is not the plan's to choose."""
    if plan not in PLANS:
        raise PlanError(f"{plan!r} is not a plan; choose one of {', '.join(PLANS)}")
    if plan == ENTERPRISE:
        if limit is not None and not 0 <= limit < 2**53:
            raise PlanError(f"a limit of {limit} events cannot be counted; expected 0 to {2**53 - 1}")
        return limit
    if limit is not None:
        raise PlanError(f"the plan {plan} has a fixed limit of {_LIMITS[plan]:,} events; only enterprise takes a limit")
    return _LIMITS[plan]
