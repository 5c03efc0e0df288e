"""Columns that are called nearly as a key of an event, such as `userId`, `Session ID`, ` timestamp` or `created_at`.

Read as metadata they would leave every event with a session of its own, or at the time of the import, and nothing would
say so. A name is near a key if it is one but for capitals, spaces and signs or a slip of typing, or if it is one of the
names that programs give to the same thing.
"""

from __future__ import annotations

import difflib
import functools
import re
import shlex
from collections.abc import Collection

KEYS = ("name", "session_id", "user_id", "timestamp", "event_id", "metadata")

_NAMES = {
    "name": "event_name",
    "session_id": "session sid session_uuid session_key conversation_id conversation_uuid conv_id convo_id thread_id "
    "chat_id chat_session_id dialog_id dialogue_id visit_id ga_session_id",
    "user_id": "user uid user_uuid user_key distinct_id anonymous_id visitor_id customer_id member_id person_id "
    "profile_id end_user_id end_user app_user_id user_pseudo_id external_user_id sender_id author_id",
    "timestamp": "time ts date datetime date_time created created_at created_on created_time created_date "
    "creation_time creation_date create_time event_time event_date event_timestamp event_at event_ts message_time "
    "message_timestamp occurred_at happened_at sent_at logged_at recorded_at received_at inserted_at started_at "
    "start_time start_time_unix_nano original_timestamp client_event_time request_time utc_time time_utc unix_time "
    "epoch epoch_ms epoch_time timestamp_ms timestamp_us timestamp_ns timestamp_utc timestamp_unix unix_timestamp "
    "created_at_utc created_at_ms created_utc ts_ms ts_utc",
    "event_id": "event_uuid insert_id",
    "metadata": "",
}
_IF_UNNAMED = frozenset(("event", "eventtype"))
"""Near `name` only if nothing else gives the events a name: these are words for much else, too."""
_SLIP_FROM = 6
"""A slip of typing is looked for in names of at least so many letters and digits: `game` is no `name`."""
_SLIP = 0.86
"""Least likeness of a name with a slip, of 0 to 1; that of `session_end` to `session_id` is 0.84."""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


_KEY_BY_NAME = {_plain(name): key for key, names in _NAMES.items() for name in (key, *names.split())} | dict.fromkeys(
    _IF_UNNAMED, "name"
)


@functools.lru_cache(4096)
def near_key(column: str, *, is_named: bool = False) -> str | None:
    """Return the key of an event that `column` is near to, None if there is none or it is the key itself.

    Args:
        column: its name in the file.
        is_named: whether the events have a name already, so that `event` need not be one.
    """
    plain = _plain(column)
    if column in KEYS or not plain or (is_named and plain in _IF_UNNAMED):
        return None
    if plain in _KEY_BY_NAME:
        return _KEY_BY_NAME[plain]
    if len(plain) < _SLIP_FROM:
        return None
    likeness = {key: difflib.SequenceMatcher(None, plain, _plain(key)).ratio() for key in KEYS}
    best = max(likeness, key=lambda key: likeness[key])
    return best if likeness[best] >= _SLIP else None


def near_keys(columns: Collection[str], given: Collection[str], *, is_named: bool = False) -> dict[str, str]:
    """Return the key that each of `columns` is near to, without those near to no key or to one of `given`."""
    near = {column: near_key(column, is_named=is_named) for column in columns}
    return {column: key for column, key in near.items() if key is not None and key not in given}


def what_to_type(near: dict[str, str]) -> str:
    """Return what is wrong with columns that are near to a key, and the options that put it right, as one sentence."""
    kept: dict[str, str] = {}
    others: list[str] = []
    for column, key in near.items():
        if key in kept.values():
            others.append(column)
        else:
            kept[column] = key
    looks = ", ".join(f"{column!r} looks like {key}" for column, key in near.items())
    options = " ".join(option(column, key) for column, key in kept.items())
    column = next(iter(near))
    leave = option(column, f"metadata.{column}")
    instead = f" (or another of {', '.join(map(repr, others))})" if others else ""
    return f"{looks}; add {options}{instead}, or {leave} to leave it as metadata"


def option(column: str, key: str) -> str:
    """Return the option that maps `column` to `key`, as a shell takes it."""
    return f"--map {shlex.quote(f'{column}={key}')}"
