"""What an erasure takes away, and what it says of each place that it took it from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Kind = Literal["user", "session", "event", "events", "texts"]
"""What an erasure may be of: `events` are several at once, as after a restore."""
OF_IDS = ("user", "session", "event")
"""Kinds of erasures that name an id, by which collectors know what waits in their spools."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What one erasure takes away, gathered before anything of it is removed.

    Args:
        project_id: the project that it is of.
        kind: what was named: a user, a session, an event, or a piece of text that all texts with it go by.
        values: what was named: ids as they were sent, with what stands for them where ids are masked; or the piece of
            text.
        user_ids: those of whom nothing is left in the project; not those who have other events that stay.
        session_ids: likewise of sessions.
        event_ids: of all events that go.
        texts: every text of the events that go, but those that an event that stays has too: messages, other values of
            their metadata and file names of imports.
        text_ids: of the messages among `texts`.
        keeps_totals: whether the events go on to count, without texts and ids.
    """

    project_id: str
    kind: Kind
    values: frozenset[str]
    user_ids: frozenset[str] = frozenset()
    session_ids: frozenset[str] = frozenset()
    event_ids: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    text_ids: frozenset[str] = frozenset()
    keeps_totals: bool = False


_SETS = ("user_ids", "session_ids", "event_ids", "texts", "text_ids")
_OF = {"user": "user_ids", "session": "session_ids", "event": "event_ids", "texts": "texts"}
"""By kind the set that what was named belongs to."""


def merged(erasures: Sequence[Erased]) -> Erased:
    """Return what erasures of one project take away, as one that takes it all away; of one it is that one."""
    if len(erasures) == 1:
        return erasures[0]
    named = {kind: frozenset(value for each in erasures if each.kind == kind for value in each.values) for kind in _OF}
    sets = {name: frozenset[str]().union(*(getattr(each, name) for each in erasures)) for name in _SETS}
    # What was named goes as well where no event of it was found.
    for kind, name in _OF.items():
        sets[name] |= named[kind]
    keeps_totals = all(each.keeps_totals for each in erasures)
    return Erased(
        project_id=erasures[0].project_id, kind="events", values=sets["event_ids"], keeps_totals=keeps_totals, **sets
    )


class Done(msgspec.Struct, frozen=True):
    """One line of a receipt: what was done in one place. n: how many of what `what` counts; 0: nothing was there."""

    place: str
    what: str
    n: int
