"""The messages that wait, were sent, or were given up: claimed by one process at a time, whatever else ends or starts.

A message that is claimed is due again after `LEASE_S`: if its process is killed, before or after it has sent it,
another one sends it then, with the same id. So each arrives at least once, and a receiver that knows its id takes it
once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from turret_api.accounts import Accounts
from turret_api.accounts.tables import ALERT_DELIVERIES, ALERT_TARGETS
from turret_api.alerts.hours import DigestPlan
from turret_api.alerts.store import may_be_id, new_id

ALERT, DIGEST, TEST = "alert", "digest", "test"
WAITING, SENT, DEAD = "waiting", "sent", "dead"

PAUSES_S = (60, 300, 1800, 7200, 18_000, 25_200, 32_400)
"""Seconds from an attempt that failed to the next one: a day less 24 minutes in all."""
MOST_ATTEMPTS = len(PAUSES_S) + 1
MOST_PAUSE_S = 3600.0
"""Longest pause that a receiver's `Retry-After` is given beyond ours."""
LEASE_S = 120.0
KEPT = dt.timedelta(days=90)
"""Age at which messages are forgotten."""


@dataclass(frozen=True)
class Delivery:
    """One message to one target. alerts: ids of what it tells; none of a digest and of a test."""

    delivery_id: str
    project_id: str
    target_id: str
    kind: str
    alerts: tuple[str, ...]
    state: str
    n_attempts: int
    next_at: dt.datetime
    error: str | None
    created_at: dt.datetime
    sent_at: dt.datetime | None


class SendError(Exception):
    """A message did not arrive.

    is_final: no further attempt may help. is_gone: the receiver wants no more messages at all (410). after_s: seconds
    that the receiver asks to wait.
    """

    def __init__(
        self, reason: str, *, is_final: bool = False, is_gone: bool = False, after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.is_final = is_final or is_gone
        self.is_gone = is_gone
        self.after_s = after_s


class Outbox:
    """The messages of all projects."""

    def __init__(self, accounts: Accounts) -> None:
        self.engine = accounts.engine

    def put_digests(self, now: dt.datetime) -> int:
        """Let the digests wait that are due; of several processes one does, once. Return how many that are."""
        due = select(ALERT_TARGETS).where(ALERT_TARGETS.c.digest_at <= now, ALERT_TARGETS.c.disabled_at.is_(None))
        n = 0
        with self.engine.begin() as connection:
            for row in connection.execute(due.with_for_update(skip_locked=True)).all():
                plan = DigestPlan.model_validate_json(row.digest)
                mine = ALERT_TARGETS.c.target_id == row.target_id
                connection.execute(update(ALERT_TARGETS).where(mine).values(digest_at=plan.next(now)))
                connection.execute(insert(ALERT_DELIVERIES).values(new_row(row.project_id, row.target_id, DIGEST, now)))
                n += 1
        return n

    def put_test(self, project_id: str, target_id: str, now: dt.datetime) -> Delivery:
        """Return a test message, claimed by the caller, who sends it."""
        row = new_row(project_id, target_id, TEST, now + dt.timedelta(seconds=LEASE_S)) | {"n_attempts": 1}
        with self.engine.begin() as connection:
            return _delivery(connection.execute(insert(ALERT_DELIVERIES).values(row).returning(ALERT_DELIVERIES)).one())

    def claim(self, now: dt.datetime, most: int = 8) -> list[Delivery]:
        """Return up to `most` messages that are due, which are the caller's for `LEASE_S`."""
        due = (
            select(ALERT_DELIVERIES.c.delivery_id)
            .where(ALERT_DELIVERIES.c.state == WAITING, ALERT_DELIVERIES.c.next_at <= now)
            .order_by(ALERT_DELIVERIES.c.next_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        claimed = {
            "n_attempts": ALERT_DELIVERIES.c.n_attempts + 1,
            "next_at": now + dt.timedelta(seconds=LEASE_S),
        }
        with self.engine.begin() as connection:
            ids = list(connection.scalars(due))
            change = update(ALERT_DELIVERIES).where(ALERT_DELIVERIES.c.delivery_id.in_(ids)).values(claimed)
            return [_delivery(row) for row in connection.execute(change.returning(ALERT_DELIVERIES))]

    def sent(self, delivery: Delivery, now: dt.datetime) -> Delivery:
        """Note that the message has arrived."""
        return self._change(delivery, {"state": SENT, "sent_at": now, "error": None})

    def failed(self, delivery: Delivery, error: SendError, now: dt.datetime) -> Delivery:
        """Note why the message has not arrived, and when it is tried again, if it is."""
        reason = str(error)[:500].replace("\x00", "")
        if error.is_gone:
            with self.engine.begin() as connection:
                mine = ALERT_TARGETS.c.target_id == delivery.target_id
                off = {"disabled_at": now, "disabled_for": reason[:200]}
                connection.execute(update(ALERT_TARGETS).where(mine).values(off))
        if error.is_final or delivery.n_attempts >= MOST_ATTEMPTS or delivery.kind == TEST:
            return self._change(delivery, {"state": DEAD, "error": reason})
        pause_s = float(PAUSES_S[delivery.n_attempts - 1])
        if error.after_s is not None:
            pause_s = max(pause_s, min(error.after_s, MOST_PAUSE_S))
        return self._change(delivery, {"next_at": now + dt.timedelta(seconds=pause_s), "error": reason})

    def send_again(self, project_id: str, delivery_id: str, now: dt.datetime) -> Delivery | None:
        """Let a dead message of the project wait once more; None: it has no such message that is dead."""
        if not may_be_id(delivery_id):
            return None
        mine = (ALERT_DELIVERIES.c.project_id == project_id) & (ALERT_DELIVERIES.c.delivery_id == delivery_id)
        change = update(ALERT_DELIVERIES).where(mine, ALERT_DELIVERIES.c.state == DEAD)
        anew = change.values(state=WAITING, n_attempts=0, next_at=now).returning(ALERT_DELIVERIES)
        with self.engine.begin() as connection:
            row = connection.execute(anew).first()
        return None if row is None else _delivery(row)

    def remove(self, delivery: Delivery) -> None:
        """After this call there is no such message: there is nothing left that it would tell."""
        with self.engine.begin() as connection:
            mine = ALERT_DELIVERIES.c.delivery_id == delivery.delivery_id
            connection.execute(delete(ALERT_DELIVERIES).where(mine))

    def deliveries(
        self, project_id: str, state: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Delivery]:
        """Return the project's messages, newest first."""
        query = select(ALERT_DELIVERIES).where(ALERT_DELIVERIES.c.project_id == project_id)
        if state is not None:
            query = query.where(ALERT_DELIVERIES.c.state == state)
        query = query.order_by(ALERT_DELIVERIES.c.created_at.desc(), ALERT_DELIVERIES.c.delivery_id)
        with self.engine.connect() as connection:
            return [_delivery(row) for row in connection.execute(query.limit(limit).offset(offset))]

    def counts(self, project_id: str | None = None) -> dict[str, int]:
        """Return how many messages wait and how many are dead, of a project or of all."""
        query = select(ALERT_DELIVERIES.c.state, func.count()).group_by(ALERT_DELIVERIES.c.state)
        if project_id is not None:
            query = query.where(ALERT_DELIVERIES.c.project_id == project_id)
        with self.engine.connect() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in (WAITING, DEAD)}

    def forget_old(self, now: dt.datetime) -> None:
        """After this call messages of long ago are gone."""
        with self.engine.begin() as connection:
            old = (ALERT_DELIVERIES.c.created_at < now - KEPT) & (ALERT_DELIVERIES.c.state != WAITING)
            connection.execute(delete(ALERT_DELIVERIES).where(old))

    def _change(self, delivery: Delivery, values: dict[str, Any]) -> Delivery:
        mine = ALERT_DELIVERIES.c.delivery_id == delivery.delivery_id
        change = update(ALERT_DELIVERIES).where(mine).values(values).returning(ALERT_DELIVERIES)
        with self.engine.begin() as connection:
            row = connection.execute(change).first()
        return delivery if row is None else _delivery(row)  # its target may have been removed meanwhile


def new_row(
    project_id: str, target_id: str, kind: str, at: dt.datetime, alerts: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the row of a new message that is to be sent at a time."""
    return {
        "delivery_id": new_id("msg"),
        "project_id": project_id,
        "target_id": target_id,
        "kind": kind,
        "alerts": msgspec.json.encode(alerts).decode(),
        "state": WAITING,
        "n_attempts": 0,
        "next_at": at,
    }


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.delivery_id,
        row.project_id,
        row.target_id,
        row.kind,
        tuple(msgspec.json.decode(row.alerts, type=list[str])),
        row.state,
        row.n_attempts,
        row.next_at,
        row.error,
        row.created_at,
        row.sent_at,
    )
