"""What an answer of the server means for each event of a batch. Pure: bytes in, a verdict out.

200                     all are stored
207                     each is judged by itself
413                     too much: each half is tried
408, 425, 429, 5xx      nothing is stored: later, when the server says
any other               none of them will ever be taken
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

_LATER = frozenset((408, 425, 429))
_LATER_CODES = frozenset(("RATE_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"))
MOST_WAIT_S = 300.0
"""Of a plan that is used up the server says when there is room again, which may be in weeks; another plan is sooner."""


@dataclasses.dataclass
class Verdict:
    """What becomes of the events of one request.

    Args:
        stored: they are stored.
        refused: they never will be, by the reason.
        again: they are to be sent again.
        halves: they are to be sent again in two parts.
        wait_s: how long the server wants to be left alone; None: it has not said.
        message: what was wrong, for the log.
    """

    stored: list[bytes] = dataclasses.field(default_factory=list)
    refused: dict[str, list[bytes]] = dataclasses.field(default_factory=dict)
    again: list[bytes] = dataclasses.field(default_factory=list)
    halves: list[bytes] = dataclasses.field(default_factory=list)
    wait_s: float | None = None
    message: str = ""


def judge(status: int, headers: Mapping[str, str], body: bytes, batch: list[bytes]) -> Verdict:
    """Return what an answer to `batch`, sent as an array, means for its events."""
    if status == 200 and body[:16].startswith(b'{"success":true'):  # spares reading a result for each event
        return Verdict(stored=batch)
    answer = _object_in(body)
    if status in (200, 207):
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(batch):
            return Verdict(again=batch, message=f"The answer ({status}) is not Turret's; check the URL")
        return _judge_each(results, batch, _retry_after_s(headers))
    said = answer.get("error")
    message = f"The server answered {status}" + (f": {str(said).rstrip('.')}" if said else "")
    if status in _LATER or status >= 500:
        return Verdict(again=batch, wait_s=_retry_after_s(headers), message=message)
    if status == 413 and len(batch) > 1:
        return Verdict(halves=batch, message=message)
    if 300 <= status < 400:
        message += f" and leads to {headers.get('Location', 'another address')}; give that server's URL"
    return Verdict(refused={message: batch})


def _judge_each(results: list[Any], batch: list[bytes], wait_s: float | None) -> Verdict:
    verdict = Verdict(wait_s=wait_s)
    for event, result in zip(batch, results, strict=True):
        result = result if isinstance(result, dict) else {}
        if result.get("success") is True:
            verdict.stored.append(event)
        elif result.get("code") in _LATER_CODES:
            verdict.again.append(event)
            verdict.message = str(result.get("error", "")).rstrip(".")
        else:
            reason = f"The server refuses it: {str(result.get('error', result)).rstrip('.')}"
            verdict.refused.setdefault(reason, []).append(event)
    return verdict


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`, within bounds; None where it is missing or a date."""
    try:
        wait_s = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(wait_s, MOST_WAIT_S) if wait_s >= 0 else None
