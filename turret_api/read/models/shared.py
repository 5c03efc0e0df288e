"""What the answers of several routes have in common."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Built(Model):
    built_at: dt.datetime | None = Field(description="when the tables behind the answer were last built; null: never")


class ByModel(Built):
    model_version: int | None = Field(description="number of the fit that the topics come from; null: none yet")
    field: str | None = Field(description="the text field that the answer is about; null: the project has none yet")


class Page(Model):
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class Bin(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    least: float | None = Field(alias="from", description="included; null: no bound. `from..to` is also a segment")
    most: float | None = Field(alias="to", description="not included; null: no bound")
    count: int


class DayCount(Model):
    date: dt.date
    count: int


class Numbers(Model):
    count: int = Field(description="that have a number in the field")
    n_none: int = Field(description="that have none")
    min: float | None
    max: float | None
    mean: float | None
    quantiles: dict[str, float] | None = Field(description="by share, from 0.05 to 0.95")
    bins: list[Bin] = Field(description="those of the field in /v1/fields; together all that have a number")
