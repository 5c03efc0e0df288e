"""What this collector may still accept of each project, in memory, so that the writer decides without waiting.

The truth is in the spool (granted and used, in the transaction that stores the events) and, over all collectors, in
Postgres (`turret_api.accounts.grants`). The broker moves grants between the two. One `Quota` in its life:

    open ──used = granted──▶ asks the broker ──a grant──▶ open
                                   └──all collectors have used the limit──▶ used up ──another plan, or less used──▶ open
    any of them ──the trial's end──▶ over
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from turret_api.accounts.plans import ENTERPRISE, Plan

NO_LIMIT = 2**53 - 1
"""What `RateLimit-Limit` says of a plan without a limit: the largest integer that every JSON reader keeps."""


class Plans(Protocol):
    """What knows the projects' plans: `turret_api.accounts.directory.Directory`."""

    @property
    def version(self) -> int:
        """A number that is another one once any plan may have changed."""

    def plan(self, project_id: str) -> Plan | None:
        """Return the project's plan; None if the project is not known (any more). Never blocks."""


LOOK_AGAIN_S = 86_400.0
"""Seconds after which a client of a plan that does not renew may see whether the project has another plan by now."""


@dataclass(frozen=True)
class Refusal:
    """One event that the plan has no room for.

    Args:
        limit: the plan's.
        used: of it.
        resets_at_s: Unix time at which the count begins anew; None: it never does, and only another plan helps.
        ended_at_s: Unix time at which the plan ended; None: it has not.
    """

    limit: int
    used: int
    resets_at_s: float | None
    ended_at_s: float | None


class Quota:
    """One project in one period, as this collector sees it.

    Attributes:
        granted: events that this collector may accept.
        used: events that it has accepted.
        used_elsewhere: events that other collectors have accepted, as far as they have reported.
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

    def n_free(self, now_s: float) -> int:
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
        return Refusal(limit, used, self._resets_at_s(now_s), self.over_at_s if now_s >= self.over_at_s else None)

    def headers(self, now_s: float) -> tuple[int, int, int]:
        """Return the plan's limit, what remains of it, and the seconds until it is counted anew, or worth a look."""
        limit = NO_LIMIT if self.limit is None else self.limit
        closed = self.is_closed(now_s)
        remaining = 0 if closed else max(0, limit - self.used - self.used_elsewhere)
        resets_at_s = self._resets_at_s(now_s)
        return limit, remaining, math.ceil(LOOK_AGAIN_S if resets_at_s is None else max(0.0, resets_at_s - now_s))

    def _resets_at_s(self, now_s: float) -> float | None:
        at = self.plan.resets_at(dt.datetime.fromtimestamp(now_s, dt.UTC))
        return None if at is None else at.timestamp()


class Ledger:
    """All quotas of this collector.

    Args:
        plans: what knows the plans.
        stored: (granted, used) by (project_id, period), as the spool has it.
    """

    def __init__(self, plans: Plans, stored: dict[tuple[str, str], tuple[int, int]]) -> None:
        self._plans = plans
        self._stored = dict(stored)
        self._quotas: dict[tuple[str, str], Quota] = {}
        # By project: its quota, the Unix times from and to which it is the present one, and the plans' version.
        self._current: dict[str, tuple[Quota, float, float, int]] = {}
        self._lock = threading.Lock()
        for project_id, period in stored:
            self.quota_of(project_id, period, time.time())

    def quota(self, project_id: str, now_s: float) -> Quota:
        """Return the project's quota in the period that `now_s` falls into. Any thread."""
        found = self._current.get(project_id)
        if found is not None and found[1] <= now_s < found[2] and found[3] == self._plans.version:
            return found[0]
        with self._lock:
            version = self._plans.version  # before the plan, which may be replaced between the two
            now = dt.datetime.fromtimestamp(now_s, dt.UTC)
            plan = self._plan(project_id, now)
            quota = self._open(project_id, plan.period(now), plan)
            day = math.floor(now_s / 86_400) * 86_400
            self._current[project_id] = (quota, day, day + 86_400, version)
            return quota

    def quota_of(self, project_id: str, period: str, now_s: float) -> Quota:
        """Return the project's quota in a period by its name. Any thread."""
        with self._lock:
            plan = self._plan(project_id, dt.datetime.fromtimestamp(now_s, dt.UTC))
            return self._open(project_id, period, plan)

    def quotas(self) -> list[Quota]:
        """Return every quota that was used since the start. Any thread."""
        with self._lock:
            return list(self._quotas.values())

    def forget(self, project_id: str) -> None:
        """After this call there is no quota of the project, which was deleted."""
        with self._lock:
            self._current.pop(project_id, None)
            for name in [name for name in self._quotas if name[0] == project_id]:
                del self._quotas[name]
            self._stored = {name: of for name, of in self._stored.items() if name[0] != project_id}

    def _plan(self, project_id: str, now: dt.datetime) -> Plan:
        # A key that was just used may outlive its project in the copy; such a project gets nothing.
        return self._plans.plan(project_id) or Plan(ENTERPRISE, 0, now)

    def _open(self, project_id: str, period: str, plan: Plan) -> Quota:
        quota = self._quotas.get((project_id, period))
        if quota is None:
            quota = Quota(project_id, period, plan)
            quota.granted, quota.used = self._stored.get((project_id, period), (0, 0))
            self._quotas[project_id, period] = quota
        elif quota.plan != plan:
            quota.set_plan(plan)
        return quota
