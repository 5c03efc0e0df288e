"""Metadata fields: their types, and what shows these."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from turret_api.read.models.shared import Bin, Built, Model, Page

FieldType = Literal["text", "enum", "number"]


class ValueCount(Model):
    value: str
    count: int


class FieldRow(Model):
    field: str
    type: Literal["text", "enum", "number", "other"] = Field(description="in force: chosen by a person, else detected")
    detected_type: Literal["text", "enum", "number", "other"]
    overridden: bool
    pending: bool = Field(description="whether a person's decision waits for the next build to take effect everywhere")
    confidence: float = Field(ge=0, le=1)
    reason: str
    personal: bool = Field(description="whether the values are names, postal or e-mail addresses of people")
    n_events: int
    n_null: int
    n_distinct: int
    examples: list[str] | None = Field(description="of text and other")
    values: list[ValueCount] | None = Field(description="of an enum: its values, most common first")
    n_rest: int | None = Field(description="of an enum: events with a value that is not listed")
    min: float | None
    max: float | None
    mean: float | None
    quantiles: dict[str, float] | None = Field(description="of a number: by share, from 0.05 to 0.95")
    bins: list[Bin] | None = Field(description="of a number: about a tenth of them each; together all")


class Fields(Built, Page):
    data: list[FieldRow]


class TypeChoice(Model):
    type: FieldType | None = Field(description="the type from now on; null takes the choice back")


class FieldChange(Model):
    at: dt.datetime = Field(description="when it was decided; of detection: the last day that it was judged by")
    by: Literal["detection", "person"]
    type: Literal["text", "enum", "number", "other"] | None = Field(description="null: a person's choice taken back")
    confidence: float | None = Field(description="of detection, 0 to 1")
    reason: str


class FieldHistory(Built, Page):
    field: str
    data: list[FieldChange]
