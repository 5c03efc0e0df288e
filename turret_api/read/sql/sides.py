"""The two sides of a comparison in SQL: the sessions of each, without those that are on both."""

from __future__ import annotations

from collections.abc import Mapping

from turret_api.read.engine.literals import text, time
from turret_api.read.engine.queries import Views
from turret_api.read.views.sides import Side


def side_views(field: str, sides: Mapping[str, Side]) -> Views:
    """Return the views `in_both`, and by side, as `a_sessions`, the sessions of that side alone.

    sides: by name; the views of each side's messages are there under it, as `a_visits`.
    """
    views = Views()
    for name, side in sides.items():
        views[f"{name}_side"] = (
            f"sessions on side {name}: those with a message that passes, which began in its period",
            f"""
SELECT DISTINCT session_id FROM {name}_visits WHERE {began_in(field, side)}""",
        )
    views["in_both"] = (
        "sessions on both sides, which count on neither",
        "\nINTERSECT".join(f"\nSELECT session_id FROM {name}_side" for name in sides),
    )
    for name in sides:
        views[f"{name}_sessions"] = (
            f"the sessions that count on side {name}",
            f"""
SELECT session_id FROM {name}_side EXCEPT SELECT session_id FROM in_both""",
        )
    return views


def began_in(field: str, side: Side) -> str:
    """Return the condition that a row's session began in the period of the side."""
    bounds = [f"timestamp {sign} {time(at)}" for sign, at in ((">=", side.since), ("<", side.until)) if at is not None]
    if not bounds:
        return "true"
    began = f"SELECT session_id FROM journey_steps WHERE field = {text(field)} AND place = 0"
    return f"session_id IN ({began} AND {' AND '.join(bounds)})"
