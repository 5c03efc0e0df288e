"""What the sender of an event is told that is not taken: its user was erased for good, or it is being erased.

What is being erased is held for that time, so that nothing slips in behind the erasure.
"""

from __future__ import annotations

from turret_api.accounts.erased_ids import ErasedIds
from turret_api.accounts.suppression import EVENT, SESSION, USER, Ids, Suppressed
from turret_api.collector.event import Checked
from turret_api.errors import SERVICE_UNAVAILABLE, ApiError, invalid

_AGAIN_S = 10


def ids_of(event: Checked) -> Ids:
    """Return the ids by which an event may not be taken: of its user, of its session, and its own."""
    return event.user_id, event.session_id, event.event_id


def refusal(suppressed: Suppressed | None, ids: Ids) -> ApiError | None:
    """Return the answer to an event with these ids (of `ids_of`), which is not to be stored; None: it may be."""
    if suppressed is None:
        return None
    user_id, session_id, event_id = ids
    if user_id in suppressed:
        return _gone()
    for kind, value in ((USER, user_id), (SESSION, session_id), (EVENT, event_id)):
        if suppressed.holds(value, kind):
            return _held(kind)
    return None


def began_before(erased: ErasedIds | None, project_id: str, event: Checked) -> ApiError | None:
    """Return the answer to an event whose beginning came before it was erased; None: it may be stored.

    So it is with turns, which wait for their end.
    """
    if erased is None or event.since is None:
        return None
    received_us, version = event.since
    if not erased.has(project_id, received_us, ids_of(event), erased.knew(project_id, version)):
        return None
    return erased_meanwhile()


def erased_meanwhile() -> ApiError:
    """Return an error of an event that began to be taken before it was erased, and would have come behind that."""
    return invalid("It was erased while it was on its way here; nothing was stored.")


def _held(kind: str) -> ApiError:
    """Return an error of this event alone, after which clients send it again: nothing is lost but time."""
    message = f"{kind}_id: this {kind} is being erased; nothing was stored. Send the event again later."
    headers = {"Retry-After": str(_AGAIN_S)}
    return ApiError(503, SERVICE_UNAVAILABLE, message, field=f"{kind}_id", headers=headers)


def _gone() -> ApiError:
    return invalid(
        "user_id: this user was erased and is not recorded any more; nothing was stored. Send no more events of it.",
        field="user_id",
    )
