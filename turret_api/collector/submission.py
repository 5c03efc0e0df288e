"""The events of one request on their way through the writer, and what becomes of each."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import msgspec

from turret_api.collector.event import Checked
from turret_api.collector.ledger import Quota, Refusal
from turret_api.errors import ApiError


class Stored(msgspec.Struct, gc=False):
    """The ids of an event that is stored; `is_duplicate`: it was stored before, and these are the ids of then."""

    event_id: str
    session_id: str
    user_id: str
    is_duplicate: bool


Result = Stored | Refusal | ApiError


class Submission:
    """The events of one request on their way through the writer.

    Args:
        project_id: whose they are.
        events: in the order of the request; an `ApiError` stands where an event was refused already.
        size_bytes: of the request's body.
        loop: where `future` lives; it gets a list of `Result` in the same order, or an `ApiError`.
    """

    __slots__ = ("events", "future", "is_final", "loop", "parked_at", "project_id", "results", "size_bytes")

    def __init__(
        self, project_id: str, events: list[Checked | ApiError], size_bytes: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.project_id = project_id
        self.events = events
        self.size_bytes = size_bytes
        self.loop = loop
        self.future: asyncio.Future[list[Result]] = loop.create_future()
        self.results: list[Result] = []
        self.parked_at: float | None = None
        self.is_final = False


class Parked(NamedTuple):
    """A submission that waits for the broker: of its events, `n_needed` would have to fit into the quota."""

    quota: Quota
    submission: Submission
    n_needed: int


def resolve(submissions: list[Submission], error: ApiError | None) -> None:
    """Give the submissions their results, or `error`; in one call into each event loop."""
    if submissions:
        submissions[0].loop.call_soon_threadsafe(_set_results, submissions, error)


def _set_results(submissions: list[Submission], error: ApiError | None) -> None:
    for submission in submissions:
        if not submission.future.done():
            if error is None:
                submission.future.set_result(submission.results)
            else:
                submission.future.set_exception(error)
