"""What the sender of an event is told whose user was erased and is not to be recorded again, or is being erased."""

from __future__ import annotations

from turret_api.accounts.suppression import Suppressed
from turret_api.errors import SERVICE_UNAVAILABLE, ApiError, invalid

_AGAIN_S = 10


def refusal(suppressed: Suppressed | None, user_id: str) -> ApiError | None:
    """Return the answer to an event of the user, which is not to be stored; None: it may be."""
    if suppressed is None:
        return None
    if user_id in suppressed:
        return _gone()
    return _held() if suppressed.holds(user_id) else None


def _held() -> ApiError:
    """Return an error of this event alone, after which clients send it again: nothing is lost but time."""
    message = "user_id: this user is being erased; nothing was stored. Send the event again later."
    headers = {"Retry-After": str(_AGAIN_S)}
    return ApiError(503, SERVICE_UNAVAILABLE, message, field="user_id", headers=headers)


def _gone() -> ApiError:
    return invalid(
        "user_id: this user was erased and is not recorded any more; nothing was stored. Send no more events of it.",
        field="user_id",
    )
