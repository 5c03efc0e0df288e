"""The short way of judging an event says what the long way says, or nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from turret_api.collector.event import Checked, check, check_plain
from turret_api.errors import ApiError

MAX_TEXT = 40


def mostly(good: list[Any], bad: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(good * (1 + 8 * len(bad) // len(good)) + bad)


TEXTS = mostly(["a", "a ä"], ["", " ", "ä1", "\u2003", "ä", "x" * 201, None, 3])
TIMES = mostly([None, "2026-01-31T12:00:00Z"], ["yesterday", "2999-01-31T12:00:00Z", 5, ""])
KEYS = mostly(["k", "plan", "x" * 200], ["", "x" * 201])
BAD_VALUES = [2**63, 2**64, -(2**63) - 1, [1], {"a": 2**64}, {"a": {}}]
VALUES = mostly(["hello", "", 0, -1, 2**63 - 1, -(2**63), 1.5, 1e300, -0.0, True, None], BAD_VALUES)
METADATA = st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)
EVENTS = st.fixed_dictionaries(
    {"name": TEXTS, "metadata": METADATA},
    optional={"session_id": TEXTS, "user_id": TEXTS, "event_id": TEXTS, "timestamp": TIMES},
)


def told(document: bytes, is_plain: bool) -> Any:
    """Return what is made of the document but for ids that the server makes, or the words it is refused with."""
    try:
        found = (
            check_plain(document, MAX_TEXT)
            if is_plain
            else check(msgspec.json.decode(document), MAX_TEXT, may_have_nul=False)
        )
    except ApiError as error:
        return error.body()
    if found is None:
        return None
    assert isinstance(found, Checked)
    return [
        each[:4] if isinstance(each, str) and each[:4] in ("evt_", "ses_", "usr_") else each
        for each in msgspec.structs.astuple(found)
    ]


@given(EVENTS)
@example({"name": "asked", "metadata": {}})
@example({"name": "asked", "metadata": "k"})
@example({"name": "asked", "metadata": {"k": 1}, "Name": "asked"})
@example({"name": "asked", "metadata": {"k": "x" * 50}})
@example({"name": "asked", "metadata": {"k" * 200: 1}, "session_id": None, "timestamp": "2026-01-31T12:00:00Z"})
@example({"name": "asked", "metadata": {"k": "x"}, "timestamp": "yesterday"})
def test_what_is_told_the_short_way_is_told_the_long_way_too(event: dict[str, Any]) -> None:
    document = json.dumps(event, ensure_ascii=False).encode()
    found = told(document, is_plain=True)
    assert found is None or found == told(document, is_plain=False)


def test_the_events_that_most_clients_send_go_the_short_way() -> None:
    event = {"name": "asked", "session_id": "s", "metadata": {"prompt": "hello", "tokens": 3, "cached": False}}
    assert check_plain(json.dumps(event).encode(), MAX_TEXT + 60) is not None
