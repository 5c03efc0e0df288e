"""What stands within the fences of an answer, and what outside; and the route's answer back from a tool's."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import orjson

from turret_api.assistants.fence import plain
from turret_api.assistants.tools import NAMED

FENCED = re.compile(r"<(untrusted-[0-9a-f]{8})>([^<>]*)</\1>( \(and [\d,]+ more characters\))?", re.DOTALL)


def outside(text: str) -> str:
    """Return a text without its fences and what stands in them."""
    return FENCED.sub("", text)


def fences(value: Any) -> list[str]:
    """Return each fenced string of an answer, with its fence, keys too."""
    if isinstance(value, str):
        return [value] if FENCED.fullmatch(value) else []
    if isinstance(value, list):
        return [text for each in value for text in fences(each)]
    if isinstance(value, dict):
        return [text for name, each in value.items() for text in (*fences(name), *fences(each))]
    return []


def texts(value: Any) -> set[str]:
    """Return the texts that stand in the fences of an answer, those of fenced lists one by one."""
    found = set()
    for fence in fences(value):
        found.add(plain(fence.partition(" (and ")[0] if fence.endswith(" more characters)") else fence))
        with contextlib.suppress(orjson.JSONDecodeError):
            listed = orjson.loads(fence.partition(">")[2].rpartition("<")[0])
            found |= {plain(each) for each in listed} if isinstance(listed, list) else set()
    return found


def as_route(told: Any, tool: str, route: Any, key: str = "") -> Any:
    """Return `told`, a tool's answer, without fences, and with what it left out of the route's answer put back.

    What it left out is checked to be of the keys and lists that may be: then the two are equal if what it has is.
    """
    if isinstance(told, dict):
        assert isinstance(route, dict)
        assert set(route) - {plain(name) for name in told} <= NAMED[tool].leaves_out
        found = {plain(name): as_route(each, tool, route[plain(name)], name) for name, each in told.items()}
        return {name: found.get(name, each) for name, each in route.items()} | found
    if isinstance(told, list) and isinstance(route, list):
        is_cut = len(told) < len(route)
        assert not is_cut or (len(told) in (31, 50) and key not in ("data", "edges"))
        first = len(route) - len(told) if is_cut and "date" in route[0] else 0
        rows = [as_route(each, tool, route[first + n], key) for n, each in enumerate(told)]
        return [*route[:first], *rows, *route[first + len(told) :]]
    if isinstance(told, str):
        return _as_text(told, route)
    return told


def _as_text(told: str, route: Any) -> Any:
    if isinstance(route, list):
        found = FENCED.fullmatch(told)
        assert found is not None
        rows = [plain(each) for each in orjson.loads(found[2])]
        return [_uncut(text, text.endswith("…"), route[n]) for n, text in enumerate(rows)]
    cut = re.fullmatch(r"(.*>) \(and [\d,]+ more characters\)", told, re.DOTALL)
    return _uncut(plain(told if cut is None else cut[1]), cut is not None, route)


def _uncut(text: str, is_cut: bool, route: str) -> str:
    return route if is_cut and route.startswith(text.removesuffix("…")) and len(text) > 200 else text
