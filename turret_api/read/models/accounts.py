"""What a project has used, is, and may be asked with."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from turret_api.read.models.shared import Model, Page


class UsageRow(Model):
    plan: str
    limit: int | None
    used: int
    resets_at: dt.datetime | None


class TableBuild(Model):
    table: str
    built_at: dt.datetime


class Project(Model):
    project_id: str
    name: str
    plan: str
    limit: int | None
    created_at: dt.datetime
    tables: list[TableBuild] = Field(description="those that were built at least once")


class KeyRow(Model):
    key_id: str
    scope: str
    hint: str = Field(description="the key's first characters")
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    is_current: bool = Field(description="whether it is the key of this very request")


class Keys(Page):
    data: list[KeyRow]


class KeyChoice(Model):
    scope: Literal["write", "read", "admin"] = Field(
        description="write: send events; read: read; admin: read and change settings"
    )
    days: int | None = Field(default=None, description="days until the key expires; null: never", ge=1, le=36_500)


class NewKey(Model):
    key_id: str
    scope: str
    key: str = Field(description="the key; nobody can be shown it again")
    expires_at: dt.datetime | None
