"""Turns without what their projects mask, as the journal has them.

In memory a turn stays as it came, for what comes later is held against it; its event is masked once more when it is
made, which changes nothing of what is masked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turret_api.collector.masked import Masker, names_failed
from turret_api.masking.mask import Mask
from turret_api.masking.names import RecogniserError
from turret_api.otlp.calls import Said
from turret_api.otlp.memory import Turn

_ASKED, _ANSWERED = "prompt", "response"
"""The fields of an event that hold what was asked and answered."""


def masked_turn(turn: Turn, masker: Masker | None) -> Turn:
    """Return a turn without what is masked; raise `UnavailableError` if that cannot be told."""
    if masker is None:
        return turn
    mask = masker.mask
    session_id = _identifier(turn.session_id, mask)
    linked_in = session_id or turn.event_id or ""
    try:
        said = {span_id: _said(each, mask, linked_in) for span_id, each in turn.said.items()}
    except RecogniserError as error:
        raise names_failed(error) from None
    return msgspec.structs.replace(turn, session_id=session_id, user_id=_identifier(turn.user_id, mask), said=said)


def _said(said: Said, mask: Mask, session_id: str) -> Said:
    kinds = mask.rule.all_kinds

    def masked(value: Any, field: str = "") -> Any:
        return mask.value(value, session_id, kinds, field, field)

    tools = tuple(map(mask.identifier, said.answered.tools))
    asked = said.asked._replace(
        prompt=masked(said.asked.prompt, _ASKED), tools=tuple(map(mask.identifier, said.asked.tools))
    )
    answered = said.answered._replace(response=masked(said.answered.response, _ANSWERED), tools=tools)
    about = {key: mask.name(value) if key == "name" else mask.identifier(value) for key, value in said.about.items()}
    return msgspec.structs.replace(
        said, asked=asked, answered=answered, about=about, fields=masked(said.fields), own=masked(said.own)
    )


def _identifier(given: str | None, mask: Mask) -> str | None:
    return None if given is None else mask.identifier(given)
