"""From a turn to its event, judged as `POST /track` judges one."""

from __future__ import annotations

import time
from typing import Any

from turret_api.collector.event import MAX_AHEAD_S, Checked, check
from turret_api.errors import ApiError, invalid
from turret_api.otlp.calls import SCORES, WRAPPER, Said
from turret_api.otlp.memory import Turn
from turret_api.otlp.names import NUMBERS

DEFAULT_NAME = "chat"
SCORES_NAME = "evaluation"
_NUL = b"\\u0000"


def event_of(turn: Turn, max_text: int) -> Checked:
    """Return the event of a turn; raise `ApiError` if it may not be stored."""
    said = list(turn.said.values())
    first = said[0] if len(said) == 1 else min(said, key=_start)
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
    if first.start_us:
        if first.start_us > (time.time() + MAX_AHEAD_S) * 1e6:
            raise invalid("The span starts more than a day ahead.", field="timestamp")
        event.timestamp_us = first.start_us
    return event


def errors_of(turns: list[Turn], max_text: int) -> list[Checked | ApiError]:
    """Return the events of turns, or why there is none, in order."""
    found: list[Checked | ApiError] = []
    for turn in turns:
        try:
            found.append(event_of(turn, max_text))
        except ApiError as error:
            found.append(error)
    return found


def _name_of(said: list[Said]) -> str:
    name = next((each.about["name"] for each in said if "name" in each.about), None)
    if name is not None:
        return name
    return SCORES_NAME if said[0].kind == SCORES else DEFAULT_NAME


def _metadata_of(said: list[Said]) -> dict[str, Any]:
    """Return the fields of a turn: the newest value of each, numbers added up, and what was asked and answered.

    What wraps the calls only fills in what they do not say.
    """
    if len(said) > 1:
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
    return {key: value for key, value in fields.items() if value is not None}


def _start(said: Said) -> int:
    return said.start_us


def _rank(said: Said) -> tuple[bool, int]:
    return said.kind != WRAPPER, said.end_us or said.start_us
