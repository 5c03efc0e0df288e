"""From a turn to its event, judged as `POST /track` judges one."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from turret_api.collector.event import MAX_AHEAD_S, MAX_ID, Checked, check, new_id
from turret_api.collector.masked import Masker
from turret_api.errors import ApiError, UnavailableError, invalid
from turret_api.otlp.calls import SCORES, WRAPPER, Said
from turret_api.otlp.memory import Turn
from turret_api.otlp.names import NUMBERS

DEFAULT_NAME = "chat"
SCORES_NAME = "evaluation"
_NUL = b"\\u0000"
_SCALARS = frozenset((str, int, float, bool))
_LEAST, _MOST = -(2**63), 2**63
_encode = msgspec.json.Encoder().encode


def event_of(turn: Turn, max_text: int, masker: Masker | None = None) -> Checked:
    """Return the event of a turn without what is masked; raise `ApiError` if it may not be stored."""
    event = _judged(turn, max_text)
    event.since = turn.since
    return event if masker is None else masker.event(event)


def _judged(turn: Turn, max_text: int) -> Checked:
    said = list(turn.said.values())
    if len(said) == 1:
        event = _plain(turn, said[0], max_text)
        if event is not None:
            return event
    first = min(said, key=_start)
    document: dict[str, Any] = {
        "name": _name_of(said),
        "metadata": _metadata_of(said),
        "session_id": turn.session_id,
        "user_id": turn.user_id,
        "event_id": turn.event_id,
    }
    event = check(document, max_text, may_have_nul=False)
    if _NUL in event.metadata or "\0" in event.name or "\0" in event.session_id or "\0" in event.user_id:
        check(document, max_text, may_have_nul=True)
    if first.start_us > 0:
        if first.start_us > (time.time() + MAX_AHEAD_S) * 1e6:
            raise invalid("The span starts more than a day ahead.", field="timestamp")
        event.timestamp_us = first.start_us
    return event


def events_of(turns: list[Turn], max_text: int, masker: Masker | None) -> list[Checked | ApiError]:
    """Return the events of turns, or why there is none, in order; raise `UnavailableError` if masking fails."""
    found: list[Checked | ApiError] = []
    for turn in turns:
        try:
            found.append(event_of(turn, max_text, masker))
        except UnavailableError:
            raise
        except ApiError as error:
            found.append(error)
    return found


def _plain(turn: Turn, said: Said, max_text: int) -> Checked | None:
    """Return the event of one span as `check` would, in a third of the time; None: `check` has to judge it."""
    event_id, session_id = turn.event_id, turn.session_id
    user_id, name = turn.user_id or new_id("usr"), said.about.get("name", DEFAULT_NAME)
    start_us = said.start_us
    if said.own or event_id is None or session_id is None or said.kind == SCORES:
        return None
    if not 0 < start_us < (time.time() + MAX_AHEAD_S) * 1e6:
        return None
    for text in (session_id, user_id, name):
        if len(text) > MAX_ID or not "!" <= text[:1] <= "~" or "\0" in text:
            return None
    fields = said.fields.copy()
    if said.is_whole and said.end_us >= start_us:
        fields["latency_ms"] = (said.end_us - start_us) / 1000
    if said.asked.prompt is not None:
        fields["prompt"] = said.asked.prompt
    if said.answered.response is not None:
        fields["response"] = said.answered.response
    for value in fields.values():
        kind = type(value)
        if kind is not str and (kind not in _SCALARS or (kind is int and not _LEAST <= value < _MOST)):
            return None
    metadata = _encode(fields)
    if len(metadata) > max_text or _NUL in metadata:
        return None
    return Checked(event_id, session_id, user_id, name, start_us, metadata, True)


def _name_of(said: list[Said]) -> str:
    name = next((each.about["name"] for each in said if "name" in each.about), None)
    if name is not None:
        return name
    return SCORES_NAME if said[0].kind == SCORES else DEFAULT_NAME


def _metadata_of(said: list[Said]) -> dict[str, Any]:
    """Return the fields of a turn: the newest value of each, numbers added up, and what was asked and answered.

    What wraps the calls only fills in what they do not say.
    """
    said = sorted(said, key=_rank)
    fields: dict[str, Any] = {}
    for each in said:
        fields |= each.own
    for each in said:
        fields |= each.fields
    if len(said) > 1:
        for field in NUMBERS:
            numbers = [each.fields[field] for each in said if field in each.fields and each.kind != WRAPPER]
            if numbers:
                fields[field] = sum(numbers)
    whole = [each for each in said if each.is_whole and each.end_us >= each.start_us > 0]
    if whole:
        fields["latency_ms"] = (max(each.end_us for each in whole) - min(each.start_us for each in whole)) / 1000
    prompts = [each.asked.prompt for each in said if each.asked.prompt is not None]
    if prompts:
        fields["prompt"] = prompts[-1]
    answers = [each.answered for each in reversed(said) if each.answered.response is not None]
    if answers:
        fields["response"] = next((each for each in answers if not each.calls_tools), answers[0]).response
    return fields


def _start(said: Said) -> int:
    return said.start_us


def _rank(said: Said) -> tuple[bool, int]:
    return said.kind != WRAPPER, said.end_us or said.start_us
