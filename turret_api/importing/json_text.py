"""JSON as files have it: as strict as the body of a request, but for NaN, Infinity and numbers that overflow.

Python and JavaScript write those into what they call JSON. They become null, as an empty cell is.
"""

from __future__ import annotations

import json
import math
from typing import Any

from turret_api.collector import body as bodies
from turret_api.errors import ApiError


def decode(text: bytes) -> Any:
    """Return the JSON document in `text`, with null for what is no finite number; raise `ApiError` if it is none."""
    try:
        return bodies.decode(text)
    except ApiError as error:
        try:
            lenient = json.loads(text.decode(), parse_constant=lambda _: None, parse_float=_finite)
            # Once more by the strict reader, which refuses what Python's lets through, such as half an emoji.
            return bodies.decode(json.dumps(lenient).encode())
        except (ValueError, RecursionError, ApiError):
            raise error from None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
