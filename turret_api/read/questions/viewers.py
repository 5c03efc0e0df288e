"""A viewer's question: the same question, counted of enough users, and an answer without texts.

What is left out of an answer is said by its types (`OF_TEXTS`), so no question has to remember it. A part that is left
out is null, or an empty list.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from typing_extensions import is_typeddict

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import OF_TEXTS, Question
from turret_api.read.views.filters import Filters
from turret_api.read.views.overrides import overrides_of
from turret_pipeline.lake.tables import FIELD_OVERRIDES, FIELD_TYPES

Stripping = Callable[[Any], Any]


@dataclass(frozen=True)
class OfViewer(Question):
    """What a viewer asks: `asked`, as its `for_viewer` returned it."""

    asked: Question

    @property
    def tables(self) -> Any:  # type: ignore[override]
        """Tables that the answer follows from; which fields are enums decides which segments may be asked for."""
        return tuple(dict.fromkeys((*self.asked.tables, FIELD_TYPES, FIELD_OVERRIDES)))

    @property
    def answers(self) -> type:  # type: ignore[override]
        """Type of the answer."""
        return self.asked.answers

    @property
    def rows_in(self) -> str:  # type: ignore[override]
        """Name of the answer's list."""
        return self.asked.rows_in

    def row(self) -> type | None:  # type: ignore[override]
        """Return the type of the rows of the answer's list."""
        return self.asked.row()

    def answer(self, snapshot: Snapshot) -> Any:
        """Return the answer without texts; raise an `ApiError` for a segment that is no group of users."""
        filters = getattr(self.asked, "filters", None)
        if isinstance(filters, Filters):
            _check_segments(snapshot, filters)
        return without_texts(self.asked.answer(snapshot), self.asked.answers)

    def queries(self, snapshot: Snapshot) -> Queries:
        """Raise an `ApiError`: the statements count all, however few users that are of."""
        raise invalid("A viewer cannot have the SQL, which counts everything.", field="format")


def of_viewer(question: Question, least: int) -> Question:
    """Return the question as a viewer asks it, counted of `least` users or more; raise an `ApiError` if none may."""
    return OfViewer(question.for_viewer(least))


def without_texts(value: Any, hint: Any) -> Any:
    """Return `value`, which is of the type `hint`, without the parts that are marked `OF_TEXTS`."""
    strip = _stripping(hint)
    return value if strip is None else strip(value)


@cache
def _stripping(hint: Any) -> Stripping | None:
    """Return what takes the marked parts out of a value of this type; None: it has none."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, *told = typing.get_args(hint)
        return _nothing(inner) if OF_TEXTS in told else _stripping(inner)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [strip for each in inside if (strip := _stripping(each)) is not None]
        if len(found) > 1:
            raise TypeError(f"{hint} has several parts with texts; which of them a value is cannot be told")
        return None if not found else lambda value: None if value is None else found[0](value)
    if origin is list:
        each = _stripping(inside[0])
        return None if each is None else lambda value: [each(one) for one in value]
    if origin is dict:
        of_value = _stripping(inside[1])
        return None if of_value is None else lambda value: {key: of_value(one) for key, one in value.items()}
    if dataclasses.is_dataclass(hint) or is_typeddict(hint):
        return _of_parts(hint)
    return None


def _of_parts(kind: Any) -> Stripping | None:
    hints = typing.get_type_hints(kind, include_extras=True)
    parts = {name: strip for name, hint in hints.items() if (strip := _stripping(hint)) is not None}
    if not parts:
        return None
    if is_typeddict(kind):
        return lambda value: value | {name: strip(value[name]) for name, strip in parts.items()}
    return lambda value: dataclasses.replace(
        value, **{name: strip(getattr(value, name)) for name, strip in parts.items()}
    )


def _nothing(hint: Any) -> Stripping:
    if typing.get_origin(hint) is list:
        return lambda _: []
    if type(None) in typing.get_args(hint):
        return lambda _: None
    raise TypeError(f"a part that is marked {OF_TEXTS} is a list or may be null; this is {hint}")


def _check_segments(snapshot: Snapshot, filters: Filters) -> None:
    """Raise an `ApiError` unless each segment is of an enum field: values of others say who somebody is."""
    if not filters.segments:
        return
    types_of = dict(snapshot.scan(FIELD_TYPES).select("field", "type").collect().iter_rows())
    types_of |= {name: chosen for name, chosen in overrides_of(snapshot).items() if chosen is not None}
    for name, _ in filters.segments:
        if types_of.get(name) != "enum":
            raise invalid(f"A viewer asks for segments of enum fields alone; {name!r} is none.", field="segment")
