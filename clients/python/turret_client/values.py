"""Any Python value as one that JSON and the server take: texts, numbers, booleans, nulls, lists and objects.

An odd value costs itself at most, never its event: it is cut, or described (`<torch.Tensor>`), or left out. Nothing
here runs what may take long: iterators are not read, tensors are not fetched from a device, and of an unknown class
only `__str__` is called, which `IPv4Address`, `ObjectId` and their like define; data frames and query sets do not.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import itertools
import json
import math
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence, Set, ValuesView
from typing import Any

MAX_TEXT = 100_000
"""Characters of one text: the server's `TURRET_MAX_TEXT` unless it is told otherwise."""
MAX_KEY = 200
MAX_KEYS = 256
MAX_DEPTH = 32
MAX_VALUES = 40_000
"""Values in one event. A value makes three marks at most (a comma, brackets), and the server takes 125,000."""
MAX_CHARACTERS = 4 * 2**20
"""Characters in one event, so that a list that names one long text again and again stays small."""
LEAST, MOST = -(2**63), 2**64
"""Bounds of the integers that the server takes, the upper one not among them."""

CUT = "…"


def plain_metadata(metadata: Mapping[Any, Any], max_text: int = MAX_TEXT) -> dict[str, Any]:
    """Return `metadata` with keys and values that the server takes: the first 256 keys, each of 1 to 200 characters."""
    plain = _Plain(max_text)
    return {
        plain.key(key) or "(empty)": plain.value(value, 0)
        for key, value in list(itertools.islice(metadata.items(), MAX_KEYS))
    }


def as_mapping(value: Any) -> Mapping[Any, Any] | None:
    """Return what a mapping, a dataclass or a model of pydantic, attrs or msgspec holds by name; None: it is none."""
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    if isinstance(value, type):
        return None
    if callable(dump := getattr(kind, "model_dump", None)):
        found = dump(value, warnings=False)
        return found if isinstance(found, Mapping) else None
    names: Iterable[str] | None
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__]
    else:
        names = getattr(kind, "__struct_fields__", None) or (
            getattr(kind, "_fields", ()) if isinstance(value, tuple) else ()
        )
    return {name: getattr(value, name) for name in names} if names else None


def clean(text: str, most: int = MAX_TEXT) -> str:
    """Return `text` as the server takes it: of `most` characters at most, without NUL and halves of surrogate pairs."""
    if len(text) > most:
        text = text[: most - 1] + CUT
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def described(value: Any) -> str:
    """Return the name of a value's class, as `<module.Class>`."""
    kind = type(value)
    return clean(f"<{kind.__module__}.{kind.__qualname__}>", MAX_KEY)


class _Plain:
    """Makes the values of one event plain, and keeps count of them."""

    def __init__(self, max_text: int) -> None:
        self._max_text = max_text
        self._values_left = MAX_VALUES
        self._characters_left = MAX_CHARACTERS
        self._above: set[int] = set()

    def key(self, key: Any) -> str:
        if type(key) is not str:
            value = self.value(key, MAX_DEPTH - 1)
            key = value if type(value) is str else json.dumps(value, ensure_ascii=False)
        return self._text(key, MAX_KEY)

    def value(self, value: Any, depth: int) -> Any:
        """Return what stands for `value`, which lies inside `depth` lists and objects of its key."""
        self._values_left -= 1
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if LEAST <= value < MOST else self._long_integer(value)
        if kind is float:
            return value if math.isfinite(value) else None
        if id(value) in self._above:
            return "<itself>"
        self._above.add(id(value))
        try:
            return self._made_of(value, depth)
        except Exception:
            return described(value)
        finally:
            self._above.discard(id(value))

    def _made_of(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):
            return self.value(int.__int__(value), depth)
        if isinstance(value, float):
            return self.value(float.__float__(value), depth)
        if isinstance(value, enum.Enum):
            return self.value(value.value, depth)
        if (scalar := self._scalar(value)) is not None:
            return self.value(scalar, depth)
        if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
            return described(value) if value.size > self._values_left else self.value(value.tolist(), depth)
        if (mapping := as_mapping(value)) is not None:
            return CUT if depth >= MAX_DEPTH else self._object(mapping, depth)
        if isinstance(value, Sequence | Set | ValuesView):
            return CUT if depth >= MAX_DEPTH else self._list(value, depth)
        if isinstance(value, BaseException):
            return self._text(f"{type(value).__name__}: {value}")
        has_text = any("__str__" in vars(base) for base in type(value).__mro__[:-1])
        return self._text(str(value)) if has_text else described(value)

    def _scalar(self, value: Any) -> str | float | int | None:
        """Return the text or number that a value of the standard library stands for; None: it is another one."""
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        if isinstance(value, decimal.Decimal | fractions.Fraction):
            return _number(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value)
        if isinstance(value, uuid.UUID | complex):
            return str(value)
        return os.fsdecode(value) if isinstance(value, os.PathLike) else None

    def _object(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in list(itertools.islice(mapping.items(), max(0, self._values_left))):
            if self._values_left <= 0:
                break
            made[self.key(key)] = self.value(value, depth + 1)
        return made

    def _list(self, values: Iterable[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        for value in list(itertools.islice(values, max(0, self._values_left))):
            if self._values_left <= 0:
                break
            made.append(self.value(value, depth + 1))
        return made

    def _text(self, text: str, most: int | None = None) -> str:
        most = min(most or self._max_text, max(1, self._characters_left))
        self._characters_left -= min(len(text), most)
        return clean(text, most)

    def _long_integer(self, value: int) -> str:
        try:
            return self._text(str(value))
        except ValueError:  # Python writes no more than some thousand digits
            return f"<integer of {value.bit_length():,} bits>"

    def _bytes(self, value: bytes | bytearray | memoryview) -> str:
        if memoryview(value).nbytes <= 4 * self._max_text:
            try:
                return bytes(value).decode()
            except UnicodeDecodeError:
                pass
        return f"<{memoryview(value).nbytes:,} bytes>"


def _number(value: decimal.Decimal | fractions.Fraction) -> int | float | str:
    if isinstance(value, decimal.Decimal) and not value.is_finite():
        return math.nan
    try:
        return int(value) if value == value.to_integral_value() else float(value)  # type: ignore[union-attr]
    except (AttributeError, ArithmeticError):
        return float(value)
