"""What a tool is: a route of `/v1`, what models are told of it, and how a call becomes the route's request.

Arguments have the names that the route's query has; three are Turret's own: `segments`, which becomes `segment.<field>`
keys, `text_length`, and whatever stands in the path. Limits are lower than the routes', for a model reads all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from turret_api.assistants.fence import plain

SEGMENTS, TEXT_LENGTH = "segments", "text_length"
TEXT_CHARACTERS, LEAST_CHARACTERS, MOST_CHARACTERS = 300, 200, 100_000
"""Characters of a text that are shown, unless asked for; no id is longer than the least."""
MOST_ROWS = 1000
_TYPES: dict[str, type] = {"string": str, "integer": int, "object": dict}


class WrongArgumentError(Exception):
    """A tool was called with what it does not take; the message says what it takes, and quotes nothing."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a tool: its name, its JSON schema, whether it has to be given."""

    name: str
    schema: dict[str, Any]
    is_required: bool = False


@dataclass(frozen=True)
class Tool:
    """A tool.

    Args:
        name: what models call it by.
        about: what models are told of it.
        path: the route that it asks.
        parameters: what it takes.
        limit: rows that it asks for unless told otherwise; None: the route has no limit.
        texts: characters of a text that it shows unless told otherwise.
        leaves_out: keys of the route's answer that it leaves out, at any depth: what draws a picture, or repeats.
    """

    name: str
    about: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    limit: int | None = None
    texts: int = TEXT_CHARACTERS
    leaves_out: frozenset[str] = field(default_factory=frozenset)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return {
            "type": "object",
            "properties": {each.name: dict(each.schema) for each in self._all()},
            "required": [each.name for each in self.parameters if each.is_required],
            "additionalProperties": False,
        }

    def request(self, arguments: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
        """Return the route's path and query for these arguments; raise `WrongArgumentError` if they are none of it.

        What is said of values beyond their type (bounds, forms) is the route's to judge.
        """
        known = {each.name: each for each in self._all()}
        given = {name: value for name, value in arguments.items() if value is not None}
        if set(given) - set(known):
            raise WrongArgumentError(f"{self.name} takes {', '.join(known) or 'no arguments'}, and nothing else.")
        for each in known.values():
            if each.is_required and each.name not in given:
                raise WrongArgumentError(f"{self.name} needs {each.name}.")
        path, query = self.path, []
        if self.limit is not None:
            given.setdefault("limit", self.limit)
        for name, value in given.items():
            _check(known[name], value)
            for key, text in _sent(name, value):
                if f"{{{key}}}" in path:
                    # A text of dots alone would lead to another route.
                    path = path.replace(f"{{{key}}}", quote(text, safe="").replace(".", "%2E"))
                elif key != TEXT_LENGTH:
                    query.append((key, text))
        return path, query

    def text_length(self, arguments: Mapping[str, Any]) -> int:
        """Return how many characters of a text the answer to a call shows."""
        asked = arguments.get(TEXT_LENGTH)
        return self.texts if asked is None else min(max(int(asked), LEAST_CHARACTERS), MOST_CHARACTERS)

    def _all(self) -> Iterator[Parameter]:
        yield from self.parameters
        if self.limit is not None:
            yield number("limit", f"most rows; default {self.limit}", 1, MOST_ROWS)


def _check(parameter: Parameter, value: Any) -> None:
    kind, choices = parameter.schema["type"], parameter.schema.get("enum")
    is_number = kind == "integer" and isinstance(value, str) and value.isascii() and value.isdigit()
    if not is_number and (not isinstance(value, _TYPES[kind]) or isinstance(value, bool)):
        raise WrongArgumentError(f"{parameter.name} is of the wrong type; it takes: {kind}.")
    if choices is not None and value not in choices:
        raise WrongArgumentError(f"{parameter.name} is not one of {', '.join(choices)}.")
    if kind == "object" and not all(_are_texts(each) for each in value.values()):
        raise WrongArgumentError(f"{parameter.name} takes a text for each field, or a list of texts.")
    if kind == "integer" and len(str(value)) > len(str(MOST_CHARACTERS)):
        raise WrongArgumentError(f"{parameter.name} is too large.")


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _sent(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield what the route is sent: values as `/v1` gave them, which models repeat with the fence around them."""
    if name == SEGMENTS:
        for segment, values in value.items():
            for each in [values] if isinstance(values, str) else values:
                yield f"segment.{_sendable(plain(segment))}", _sendable(plain(each))
    else:
        yield name, _sendable(plain(value) if isinstance(value, str) else str(value))


def _sendable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongArgumentError("An argument holds half of a character (a lone surrogate).") from None
    return text


def number(name: str, about: str, low: int, high: int) -> Parameter:
    """Return a parameter that is a whole number from `low` to `high`."""
    return Parameter(name, {"type": "integer", "description": about, "minimum": low, "maximum": high})
