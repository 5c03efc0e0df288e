"""What the sender of an event is told whose user was erased and is not to be recorded again."""

from __future__ import annotations

from turret_api.errors import ApiError, invalid


def suppressed_error() -> ApiError:
    """Return the answer to an event of a suppressed user, which is not stored."""
    return invalid(
        "user_id: this user was erased and is not recorded any more; nothing was stored. Send no more events of it.",
        field="user_id",
    )
