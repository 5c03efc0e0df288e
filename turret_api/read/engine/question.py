"""What a question is to the engine: a frozen value that names its tables and makes a typed answer of a snapshot.

An answer is a frozen dataclass whose defaults make the answer of a project without tables; its rows are typed dicts,
which is how polars gives them. These types are all that is said about an answer's shape: the OpenAPI document is made
of them (pydantic reads them, but is not imported here), and orjson encodes them as they are. The rows are not objects
of a library's classes for a reason: as models by pydantic, 5,000 edges take twice as long to make and encode; msgspec's
structs are faster still, but write times and exponents in another way than the API always has, and FastAPI cannot
document them.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_args, get_type_hints

import polars as pl

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_pipeline.lake.tables import JOURNEY_STEPS, TOPICS, Table

DOCUMENTED = {
    "extra": "forbid",
    "json_schema_serialization_defaults_required": True,
}
"""pydantic's configuration of answers and rows."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Meaning:
    """What the OpenAPI document says of a value."""

    text: str

    def __get_pydantic_json_schema__(self, schema: Any, make: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the value's JSON schema, with the text."""
        return {**make(schema), "description": self.text}


@dataclass(frozen=True)
class OfTexts:
    """Marks a part of an answer that holds texts of events, or tells of a single user: a viewer does not get it."""

    def __get_pydantic_json_schema__(self, schema: Any, make: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the value's JSON schema, with what a viewer gets instead."""
        made = make(schema)
        words = "; ".join(filter(None, (made.get("description"), "a viewer gets none")))
        return {**made, "description": words}


OF_TEXTS = OfTexts()

Next = Annotated[str | None, Meaning("cursor of the next page; null: this is the last")]
BuiltAt = Annotated[dt.datetime | None, Meaning("when the tables behind the answer were last built; null: never")]
ModelVersion = Annotated[int | None, Meaning("number of the fit that the topics come from; null: none yet")]
AboutField = Annotated[str | None, Meaning("the text field that the answer is about; null: the project has none yet")]


@dataclass(frozen=True)
class Answer:
    """What a question is answered with; the defaults of its parts are the answer of a project without tables."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DOCUMENTED


class Spoken(ABC):
    """An answer that can be said in words too."""

    @abstractmethod
    def words(self, form: str) -> str:
        """Return what it says, as `text` or `markdown`."""


@dataclass(frozen=True, kw_only=True)
class FieldAnswer(Answer):
    """An answer about one text field: when it was built, and from which fit of the topics."""

    built_at: BuiltAt = None
    model_version: ModelVersion = None
    field: AboutField = None


def documented(kind: type[Row]) -> type[Row]:
    """Return `kind`, a typed dict that is answered by itself, made ready for the OpenAPI document.

    Typed dicts within an answer take on its configuration.
    """
    kind.__pydantic_config__ = DOCUMENTED  # type: ignore[attr-defined]
    return kind


def typed_rows(frame: pl.DataFrame, kind: type[Row]) -> list[Row]:
    """Return the rows of `frame`, each with the columns that `kind`, a typed dict, declares."""
    return cast(list[Row], frame.select(*kind.__annotations__).to_dicts())


class Question(ABC):
    """A question about one project. Subclasses are frozen dataclasses: equal questions have equal answers."""

    tables: ClassVar[tuple[Table, ...]]
    """Tables that the answer follows from, `BUILDS` aside."""

    answers: ClassVar[type]
    """Type of the answer."""

    is_open: ClassVar[bool] = False
    """Whether a viewer may ask it: all that it tells of texts and single users is marked `OF_TEXTS`."""

    rows_in: ClassVar[str] = "data"
    """Name of the answer's list, which can be had as a CSV or Parquet file too; most answers have one."""

    @classmethod
    def row(cls) -> type | None:
        """Return the type of the rows of the answer's list; None: it has no list."""
        rows = get_args(get_type_hints(cls.answers).get(cls.rows_in))
        return rows[0] if rows else None

    @abstractmethod
    def answer(self, snapshot: Snapshot) -> Any:
        """Return the answer, of the type `answers`, from the project's tables; raise an `ApiError` if there is none."""

    def for_viewer(self, least: int) -> Question:
        """Return the question as a viewer may ask it, whose counts are of `least` users or more.

        Raise an `ApiError` where it asks for what a viewer may not have.
        """
        return self

    def state(self, snapshot: Snapshot) -> str | None:
        """Return a text that is equal in answers of one state of messages and topics; None: it is not about these."""
        of = (JOURNEY_STEPS, TOPICS)
        return snapshot.state(*of) if {*of} <= {*self.tables} else None

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL that counts what the answer says; raise an `ApiError` where there is no answer either."""
        raise invalid("This answer has no SQL yet.", field="format")
