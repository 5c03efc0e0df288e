"""What this collector may still accept of each project, in memory, for the writer to decide by without waiting.

The truth is in the spool (granted and used, in the transaction that stores the events) and, over all collectors, in
Postgres (`turret_api.accounts.grants`); `turret_api.collector.broker` moves grants between the two.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from turret_api.accounts.plans import ENTERPRISE, Plan

if TYPE_CHECKING:
    from turret_api.collector.submission import Submission

NO_LIMIT = 2**53 - 1
"""What `RateLimit-Limit` says of a plan without a limit: the largest integer that every JSON reader keeps."""


@dataclass(frozen=True)
class Refusal:
    """One event that the plan has no room for: the plan's limit, what is used, and when to try again (Unix s)."""

    limit: int
    used: int
    retry_at_s: float


class Account:
    """One project in one period, as this collector sees it.

    Args:
        granted: events that this collector may accept; `used`: that it has accepted.
        used_elsewhere: by other collectors, as far as reported.
        is_used_up: whether all collectors together have used the limit.
    """

    __slots__ = (
        "granted",
        "is_used_up",
        "limit",
        "over_at_s",
        "period",
        "plan",
        "project_id",
        "used",
        "used_elsewhere",
    )

    def __init__(self, project_id: str, period: str, plan: Plan) -> None:
        self.project_id = project_id
        self.period = period
        self.granted = 0
        self.used = 0
        self.used_elsewhere = 0
        self.is_used_up = False
        self.set_plan(plan)

    def set_plan(self, plan: Plan) -> None:
        """Take over the plan's terms, which may have changed."""
        self.plan = plan
        self.limit = plan.limit
        self.over_at_s = plan.over_at_s()
        self.is_used_up = False

    def room(self, now_s: float) -> int:
        """Return how many events may be accepted now without asking."""
        if now_s >= self.over_at_s:
            return 0
        return NO_LIMIT if self.limit is None else max(0, self.granted - self.used)

    def is_closed(self, now_s: float) -> bool:
        """Tell whether there is no more to be had by asking, either."""
        return self.is_used_up or now_s >= self.over_at_s

    def refusal(self, now_s: float) -> Refusal:
        """Return the answer to an event that finds no room."""
        limit = NO_LIMIT if self.limit is None else self.limit
        used = limit if self.is_used_up else min(limit, self.used + self.used_elsewhere)
        now = dt.datetime.fromtimestamp(now_s, dt.UTC)
        return Refusal(limit, used, self.plan.retry_at(now).timestamp())

    def headers(self, now_s: float) -> tuple[int, int, int]:
        """Return the plan's limit, what remains of it, and the seconds until it is counted anew."""
        limit = NO_LIMIT if self.limit is None else self.limit
        closed = self.is_closed(now_s)
        remaining = 0 if closed else max(0, limit - self.used - self.used_elsewhere)
        now = dt.datetime.fromtimestamp(now_s, dt.UTC)
        return limit, remaining, max(0, math.ceil(self.plan.retry_at(now).timestamp() - now_s))


class Ledger:
    """All accounts of this collector.

    Args:
        plan_of: returns a project's plan, None if the project is not known (any more).
        stored: (granted, used) by (project_id, period), as the spool has it.
    """

    def __init__(self, plan_of: Callable[[str], Plan | None], stored: dict[tuple[str, str], tuple[int, int]]) -> None:
        self._plan_of = plan_of
        self._stored = dict(stored)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._current: dict[str, tuple[Account, float, float]] = {}
        self._lock = threading.Lock()
        self.on_parked: Callable[[Account, Submission, int], None] | None = None
        for project_id, period in stored:
            self.account_of(project_id, period, time.time())

    def account(self, project_id: str, now_s: float) -> Account:
        """Return the project's account in the period that `now_s` falls into. Any thread."""
        current = self._current
        found = current.get(project_id)
        if found is not None and found[1] <= now_s < found[2]:
            return found[0]
        with self._lock:
            now = dt.datetime.fromtimestamp(now_s, dt.UTC)
            plan = self._plan(project_id, now)
            account = self._open(project_id, plan.period(now), plan)
            day = math.floor(now_s / 86_400) * 86_400
            # Into the same dictionary: if plans change meanwhile, it is thrown away with what it says.
            current[project_id] = (account, day, day + 86_400)
            return account

    def account_of(self, project_id: str, period: str, now_s: float) -> Account:
        """Return the project's account in a period by its name. Any thread."""
        with self._lock:
            plan = self._plan(project_id, dt.datetime.fromtimestamp(now_s, dt.UTC))
            return self._open(project_id, period, plan)

    def accounts(self) -> list[Account]:
        """Return every account that was used since the start. Any thread."""
        with self._lock:
            return list(self._accounts.values())

    def plans_changed(self) -> None:
        """After this call plans are looked up anew. Any thread."""
        self._current = {}

    def park(self, account: Account, submission: Submission, needed: int) -> None:
        """Put a submission aside until there is more room, or none to be had."""
        assert self.on_parked is not None
        self.on_parked(account, submission, needed)

    def _plan(self, project_id: str, now: dt.datetime) -> Plan:
        # A key that was just used may outlive its project in the copy; such a project gets nothing.
        return self._plan_of(project_id) or Plan(ENTERPRISE, 0, now)

    def _open(self, project_id: str, period: str, plan: Plan) -> Account:
        account = self._accounts.get((project_id, period))
        if account is None:
            account = Account(project_id, period, plan)
            account.granted, account.used = self._stored.get((project_id, period), (0, 0))
            self._accounts[project_id, period] = account
        elif account.plan != plan:
            account.set_plan(plan)
        return account
