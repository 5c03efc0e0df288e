"""Columns that are called nearly as a key of an event."""

from __future__ import annotations

import pytest

from turret_api.importing.near_keys import near_key, near_keys, what_to_type


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("Session_ID", "session_id"),
        ("sessionId", "session_id"),
        (" session_id", "session_id"),
        ("session-id", "session_id"),
        ("$session_id", "session_id"),
        ("session id\u200b", "session_id"),
        ("sesion_id", "session_id"),
        ("conversationId", "session_id"),
        ("Thread ID", "session_id"),
        ("userId", "user_id"),
        ("USER ID", "user_id"),
        ("user.id", "user_id"),
        ("usr_id", None),
        ("user_idd", "user_id"),
        ("distinct_id", "user_id"),
        ("Timestamp", "timestamp"),
        ("timestmp", "timestamp"),
        ("tiemstamp", "timestamp"),
        ("created_at", "timestamp"),
        ("CreatedAt", "timestamp"),
        ("ts", "timestamp"),
        ("event_time", "timestamp"),
        ("startTimeUnixNano", "timestamp"),
        ("Name", "name"),
        ("event", "name"),
        ("eventName", "name"),
        ("Event ID", "event_id"),
        ("$insert_id", "event_id"),
        ("Metadata", "metadata"),
        ("session_id", None),
        ("name", None),
        ("", None),
        ("__", None),
        ("prompt", None),
        ("id", None),
        ("game", None),
        ("user_ip", None),
        ("user_name", None),
        ("order_id", None),
        ("session_end", None),
        ("time_ms", None),
        ("timezone", None),
        ("message_id", None),
        ("permission_id", None),
    ],
)
def test_a_column_is_near_a_key_or_not(column, key) -> None:
    assert near_key(column) == key


def test_what_may_be_a_name_is_not_asked_about_where_the_events_have_one() -> None:
    assert near_keys(["event", "event_type", "Name"], (), is_named=True) == {"Name": "name"}


def test_a_column_beside_the_key_itself_is_metadata() -> None:
    assert near_keys(["created_at", "userId"], ("timestamp",)) == {"userId": "user_id"}


def test_the_options_can_be_typed_as_they_are_told() -> None:
    said = what_to_type({" session_id": "session_id", "created_at": "timestamp", "date": "timestamp"})

    assert said == (
        "' session_id' looks like session_id, 'created_at' looks like timestamp, 'date' looks like timestamp; "
        "add --map ' session_id=session_id' --map created_at=timestamp (or another of 'date'), "
        "or --map ' session_id=metadata. session_id' to leave it as metadata"
    )
