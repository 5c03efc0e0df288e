"""The thread that brings grants from Postgres to the ledger and back, so that the writer never waits for Postgres.

A submission that needs more than is granted here is parked:

    parked ──a grant came, or the limit is used up──▶ submitted again, and decided by the writer
       │ └────others hold unused grants─────────────▶ parked, until they give some back
       └──────Postgres is away, others are silent, or `_PATIENCE_S` is over──▶ refused (503)
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts.grants import Grants
from turret_api.collector.ledger import Ledger, Quota
from turret_api.collector.spool import Spool, SpoolBrokenError
from turret_api.collector.submission import Parked, Submission, resolve
from turret_api.collector.writer import Writer
from turret_api.errors import UnavailableError

log = logging.getLogger(__name__)

SYNC_S, IDLE_SYNC_S = 0.5, 2.0
"""Seconds between two looks at Postgres, and between those of a collector that has stored nothing for `BUSY_S`: still
less than `_PATIENCE_S`, for which others wait for what it is to give back. What it then stores is reported as soon."""
BUSY_S = 10.0
ALIVE_S = 5.0
"""Seconds after which a collector with nothing new to report says that it lives; far below `_SILENT_S`."""
_ASK_AGAIN_S = 0.05
_PATIENCE_S = 4.0
_SILENT_S = 15.0
_LEAST_SURPLUS, _MOST_SURPLUS = 1_000, 1_000_000
_ACTIVE_S = 60.0


class Broker:
    """Keeps the grants of `ledger`'s quotas in step with Postgres.

    Args:
        parked: where the writer puts what needs more than is granted here; None in it ends the thread.
        brought_in: returns the revision before which all that was taken is in the lake; None: it is not known.
    """

    def __init__(
        self,
        grants: Grants,
        ledger: Ledger,
        writer: Writer,
        parked: queue.SimpleQueue[Parked | None],
        brought_in: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._grants = grants
        self._ledger = ledger
        self._writer = writer
        self._inbox = parked
        self._brought_in = brought_in
        self._parked: list[Parked] = []
        self._reported: dict[Quota, int] = {}
        self._leased: dict[Quota, tuple[float, int]] = {}
        self._looked_at = self._synced_at = self._reported_at = self._busy_at = float("-inf")
        self._said: int | None = None
        self._is_reached = True
        self._is_reconciled = False
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def start(self) -> None:
        """Take what Postgres says is granted, if it can be reached, and keep in step from then on."""
        self._thread.start()

    def stop(self) -> None:
        """After this call what was used is reported, what was not is given back, and the thread has ended."""
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
            self._refuse_parked("The server is shutting down; nothing was stored. Try again.")
            self._settle()
        except SpoolBrokenError:
            return  # the writer has seen it too, and ends the process

    def _turn(self) -> bool:
        pause = _ASK_AGAIN_S if self._parked else max(0.0, self._looked_at + SYNC_S - time.monotonic())
        try:
            item = self._inbox.get(timeout=pause) if pause else self._inbox.get_nowait()
            while True:
                if item is None:
                    return False
                item.submission.parked_at = item.submission.parked_at or time.monotonic()
                self._parked.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            pass
        try:
            has_asked = bool(self._parked)
            if self._parked:
                self._serve_parked()
            if time.monotonic() - self._looked_at >= SYNC_S:
                self._looked_at = time.monotonic()
                has_asked = self._sync_if_due() or has_asked
            if has_asked and not self._is_reached:
                log.info("Postgres is back; quotas are in step again")
            self._is_reached = self._is_reached or has_asked
        except SQLAlchemyError as error:
            if self._is_reached:
                log.warning(
                    "Postgres is away; events are taken as far as grants go", extra={"reason": str(error)[:300]}
                )
            self._is_reached = False
            self._synced_at = time.monotonic()
            self._refuse_parked("Whether the plan has room cannot be known now; nothing was stored. Try again.")
        except SpoolBrokenError:
            raise
        except Exception as error:
            log.error("quotas could not be kept in step; it is tried again", exc_info=error)
            self._synced_at = time.monotonic()
            self._refuse_parked("Whether the plan has room cannot be known now; nothing was stored. Try again.")
        return True

    def _serve_parked(self) -> None:
        by_quota: dict[Quota, list[tuple[Submission, int]]] = {}
        for quota, submission, needed in self._parked:
            by_quota.setdefault(quota, []).append((submission, needed))
        self._parked = []
        try:
            while by_quota:
                quota, waiting = next(iter(by_quota.items()))
                self._decide(quota, waiting)
                del by_quota[quota]
        finally:
            # Those that an error left undecided are still to be answered.
            for quota, waiting in by_quota.items():
                self._parked += [Parked(quota, submission, needed) for submission, needed in waiting]

    def _decide(self, quota: Quota, waiting: list[tuple[Submission, int]]) -> None:
        if self._ledger.quota(quota.project_id, time.time()) is not quota:
            self._release(waiting)  # a new month has begun meanwhile
            return
        need = sum(needed for _, needed in waiting)
        before = quota.granted
        elsewhere, silent_s = self._lease(quota, need)
        if quota.granted > before or quota.n_free(time.time()) >= waiting[0][1] or quota.is_used_up:
            self._release(waiting)
        elif not elsewhere:
            # All is granted and used but what this collector holds: as many of the events as fit are taken.
            if quota.n_free(time.time()):
                for submission, _ in waiting[:1]:
                    submission.is_final = True
            else:
                quota.is_used_up = quota.limit is not None
            self._release(waiting)
        else:
            self._wait_for_others(quota, waiting, silent_s)

    def _wait_for_others(self, quota: Quota, waiting: list[tuple[Submission, int]], silent_s: float) -> None:
        for submission, needed in waiting:
            if silent_s > _SILENT_S or time.monotonic() - (submission.parked_at or 0.0) > _PATIENCE_S:
                message = "The rest of the plan is set aside for another collector; nothing was stored. Try again."
                resolve([submission], UnavailableError(message, retry_after_s=5))
            else:
                self._parked.append(Parked(quota, submission, needed))

    def _lease(self, quota: Quota, need: int) -> tuple[int, float]:
        """Ask for `need` more than there is room for; return what others hold unused, and how long they were silent."""
        at, last = self._leased.get(quota, (float("-inf"), 0))
        is_busy = time.monotonic() - at < _ACTIVE_S
        surplus = min(_MOST_SURPLUS, max(_LEAST_SURPLUS, 2 * last if is_busy else 0))
        used = quota.used
        lease = self._grants.lease(quota.project_id, quota.period, used, need, surplus)
        self._leased[quota] = (time.monotonic(), surplus)
        self._reported[quota] = used
        quota.used_elsewhere = max(0, lease.used - used)
        if lease.granted != quota.granted:
            self._set_granted(quota, lambda: lease.granted)
        return lease.elsewhere, lease.silent_s

    def _release(self, waiting: list[tuple[Submission, int]]) -> None:
        for submission, _ in waiting:
            self._writer.submit(submission)

    def _refuse_parked(self, message: str) -> None:
        for _, submission, _ in self._parked:
            resolve([submission], UnavailableError(message, retry_after_s=2))
        self._parked = []

    def _sync_if_due(self) -> bool:
        """Look at Postgres if it is time; return whether it was."""
        now = time.monotonic()
        if self._changed():
            self._busy_at = now
        if now - self._synced_at >= (SYNC_S if now - self._busy_at < BUSY_S else IDLE_SYNC_S):
            self._synced_at = now
            self._sync()
            return True
        return False

    def _changed(self) -> dict[Quota, int]:
        """Return what has been used of each quota of which Postgres does not know it yet."""
        return {quota: quota.used for quota in self._ledger.quotas() if self._reported.get(quota) != quota.used}

    def _reconcile(self) -> None:
        """Take over what Postgres says is granted: a lease may have been made just before this collector died."""
        for (project_id, period), granted in self._grants.all_granted().items():
            quota = self._ledger.quota_of(project_id, period, time.time())
            if granted != quota.granted:
                self._set_granted(quota, lambda granted=granted: granted)  # type: ignore[misc]
        self._is_reconciled = True

    def _sync(self) -> None:
        if not self._is_reconciled:
            self._reconcile()
        quotas = self._ledger.quotas()
        changed, now = self._changed(), time.monotonic()
        brought_in = self._brought_in()
        if changed or now - self._reported_at >= ALIVE_S or brought_in != self._said:
            used_now = {(quota.project_id, quota.period): used for quota, used in changed.items()}
            self._grants.report(used_now, brought_in)
            self._said = brought_in
            self._reported.update(changed)
            self._reported_at = now
        if not quotas:
            return
        now_s = time.time()
        by_name = {(quota.project_id, quota.period): quota for quota in quotas}
        for name, (used, granted) in self._grants.used_elsewhere(by_name).items():
            quota = by_name[name]
            quota.used_elsewhere = used
            if quota.is_used_up and (quota.limit is None or granted < quota.limit):
                quota.is_used_up = False
        waited_for = self._grants.wanted()
        for name, quota in by_name.items():
            is_current = self._ledger.quota(quota.project_id, now_s) is quota
            over = quota.limit is not None and quota.granted > quota.limit
            if quota.granted > quota.used and (name in waited_for or over or not is_current):
                self._give_back(quota)
            elif is_current and quota in changed and quota.limit is not None and not quota.is_closed(now_s):
                _, surplus = self._leased.get(quota, (0.0, 0))
                if quota.granted - quota.used < surplus // 2 and name not in waited_for:
                    self._lease(quota, 0)

    def _give_back(self, quota: Quota) -> None:
        used = self._set_granted(quota, lambda: quota.used)
        self._grants.give_back(quota.project_id, quota.period, used, used)
        self._reported[quota] = used

    def _set_granted(self, quota: Quota, amount: Callable[[], int]) -> int:
        """Set the grant, in the spool and for the writer, on the writer's thread, so that no commit comes between."""

        def change(spool: Spool) -> int:
            granted = max(amount(), quota.used)
            lower = granted < quota.granted
            if lower:
                quota.granted = granted
            spool.set_quota(quota.project_id, quota.period, granted, quota.used)
            quota.granted = granted
            return granted

        return self._writer.call(change)

    def _settle(self) -> None:
        """Give everything unused back, for this collector may not come again."""
        try:
            self._sync()
            for quota in self._ledger.quotas():
                if quota.granted > quota.used:
                    self._give_back(quota)
        except SQLAlchemyError as error:
            log.warning("unused grants could not be given back", extra={"reason": str(error)[:300]})
