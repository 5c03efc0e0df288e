"""`/v1/project`, `/v1/freshness`, `/v1/keys`, `/v1/usage`: the project itself, rather than what is in its tables."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import polars as pl
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from turret_api.accounts import AccountError, Accounts, Key, audit
from turret_api.accounts.store import MOST_OF_A_NAME
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import NotFoundError, UnavailableError, invalid
from turret_api.freshness import Freshness, Wait
from turret_api.read.engine.library import Library
from turret_api.read.http.reached import reached
from turret_api.read.views.building import progress_of
from turret_api.roles import ROLES_OF_SCOPE, SCOPE_OF_ROLE
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.tables import BUILDS, EVENTS, TABLES

Role = Literal["viewer", "analyst", "editor", "owner"]


class Model(BaseModel):
    """An answer, or what is asked for; it has no further keys."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class UsageRow(Model):
    """A project's plan, and what of it is used."""

    plan: str
    limit: int | None
    used: int
    resets_at: dt.datetime | None


class TableBuild(Model):
    """When a table was last built."""

    table: str
    built_at: dt.datetime


class Project(Model):
    """A project, its plan, and its tables."""

    project_id: str
    name: str
    plan: str
    limit: int | None
    created_at: dt.datetime
    tables: list[TableBuild] = Field(description="those that were built at least once")


class Building(Model):
    """How far the project's events have come on their way into the tables."""

    n_received: int = Field(description="events in the lake, sent or imported")
    n_events: int = Field(description="of them, in the table of events")
    n_texts: int = Field(description="distinct texts of these events' text fields")
    n_embedded: int = Field(description="of these texts, with a vector; topics follow once all have one")


class ProjectFreshness(Model):
    """How long the project's events have waited until they are in all tables."""

    late: bool = Field(description="whether events have waited for longer than `late_after_s`, or a file is damaged")
    damaged: bool = Field(description="whether a file is damaged that the project's tables or events are in")
    late_after_s: float = Field(description="seconds that events may wait (`TURRET_LATE_SECONDS`)")
    waiting_since: dt.datetime | None = Field(description="since when the first of them waits; null: all are there")
    reason: str | None = Field(description="what is damaged, or where events wait, in words; null: none does")
    building: Building | None = Field(description="how far events that wait have come; null: none waits, or all have")


class KeyRow(Model):
    """What is known of a key."""

    key_id: str
    scope: str
    role: str | None = Field(description="what it may read and change; null: it sends events")
    hint: str = Field(description="the key's first characters")
    created_at: dt.datetime
    name: str | None = Field(description="what it is for, or whose it is; null: it has no name")
    last_used_at: dt.datetime | None = Field(description="to about a minute; null: never, or before version 0.2")
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    is_current: bool = Field(description="whether it is the key of this very request")


class Keys(Model):
    """A project's keys."""

    next: str | None = Field(description="cursor of the next page; null: this is the last")
    data: list[KeyRow]


class KeyChoice(Model):
    """What key is to be made."""

    scope: Literal["write", "read", "admin"] | None = Field(
        default=None, description="write: send events; read: read; admin: read and change settings; needed without role"
    )
    role: Role | None = Field(
        default=None,
        description="viewer: counts; analyst: texts too (default of scope read); editor: changes too, but of keys, "
        "people and privacy; owner: these too (default of scope admin)",
    )
    days: int | None = Field(default=None, description="days until the key expires; null: never", ge=1, le=36_500)
    name: str | None = Field(
        default=None, description="what it is for, or whose it is", min_length=1, max_length=MOST_OF_A_NAME
    )


class NewKey(Model):
    """A key that was made."""

    key_id: str
    scope: str
    role: str | None = Field(description="what it may read and change; null: it sends events")
    name: str | None
    key: str = Field(description="the key; it cannot be shown again")
    expires_at: dt.datetime | None


def project_router(library: Library, gate: Gate, accounts: Accounts, freshness: Freshness) -> APIRouter:
    """Return the routes about a project itself, for clients that `gate` lets in."""
    router = APIRouter(tags=["project"], route_class=KeyFirst)
    viewer, admin = Depends(gate.viewer), Depends(gate.admin)

    @router.get("/project", response_model=Project)
    def get_project(principal: Principal = viewer) -> Project:
        """The project's name and plan, and when each of its tables was last built."""
        with reached():
            project = accounts.find_project(principal.project_id)
        builds = library.snapshot(principal.project_id).scan(BUILDS).select("stage", "built_at").collect()
        latest = dict(builds.group_by("stage").agg(pl.col("built_at").max()).iter_rows())
        return Project(
            project_id=project.project_id,
            name=project.name,
            plan=project.plan,
            limit=project.limit,
            created_at=project.created_at,
            tables=[TableBuild(table=name, built_at=latest[name]) for name in TABLES if name in latest],
        )

    @router.get("/freshness", response_model=ProjectFreshness)
    def get_freshness(principal: Principal = viewer) -> ProjectFreshness:
        """Whether the tables are behind: since when events wait, and whether that is longer than they should."""
        waits, damaged = freshness.waits(principal.project_id), freshness.damage(principal.project_id)
        words = damaged + [wait.words for wait in waits[:1]]
        return ProjectFreshness(
            late=bool(damaged or freshness.late(principal.project_id)),
            damaged=bool(damaged),
            late_after_s=freshness.late_s,
            waiting_since=waits[0].since_utc if waits else None,
            reason=words[0] if words else None,
            building=_building(library, principal.project_id, waits),
        )

    @router.get("/keys", response_model=Keys)
    def get_keys(principal: Principal = admin) -> Keys:
        """The project's keys, oldest first, revoked ones included: all but the keys themselves, which are not kept."""
        with reached():
            found = accounts.keys(principal.project_id)
        return Keys(data=[_row(key, principal) for key in found], next=None)

    @router.post("/keys", response_model=NewKey)
    def post_key(choice: KeyChoice, principal: Principal = admin) -> NewKey:
        """Make a key. This answer is the only one that ever shows it."""
        expires_at = None if choice.days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=choice.days)
        scope = choice.scope or SCOPE_OF_ROLE.get(choice.role or "")
        if scope is None:
            raise invalid("Send `scope` or `role`: what the key may do.", field="scope")
        if choice.role is not None and choice.role not in ROLES_OF_SCOPE[scope]:
            raise invalid(f"A key of scope {scope} cannot be {choice.role}; leave `scope` out.", field="role")
        with reached():
            try:
                made = accounts.create_key(principal.project_id, scope, expires_at, choice.name, choice.role)
            except AccountError as error:
                raise invalid(f"{str(error).capitalize()}.", field="name") from None
            about = {"key_id": made.key_id, "scope": scope, "role": made.role, "name": made.name}
            audit.record(accounts, principal.project_id, principal.actor, "key_made", about)
        return NewKey.model_validate(made)

    @router.delete("/keys/{key_id}", response_model=KeyRow)
    def delete_key(key_id: str, principal: Principal = admin) -> KeyRow:
        """Revoke a key: it is refused everywhere within seconds, and browsers that signed in with it no longer are."""
        with reached():
            try:
                accounts.revoke_key(key_id, principal.project_id)
            except AccountError:
                raise NotFoundError(f"There is no key {key_id!r}; GET /v1/keys lists them.", field="key_id") from None
            audit.record(accounts, principal.project_id, principal.actor, "key_revoked", {"key_id": key_id})
            found = next(key for key in accounts.keys(principal.project_id) if key.key_id == key_id)
        return _row(found, principal)

    @router.get("/usage", response_model=UsageRow)
    def get_usage(principal: Principal = viewer) -> UsageRow:
        """The project's plan, what it allows, what of it is used, and when the count begins anew."""
        with reached():
            return UsageRow.model_validate(accounts.usage(principal.project_id))

    return router


def _building(library: Library, project_id: str, waits: list[Wait]) -> Building | None:
    """Return how far the project's events have come; None: none waits, all have come there, or that cannot be told."""
    if not waits:
        return None
    do_parts_wait = any(wait.table == EVENTS.name for wait in waits)
    try:
        with library.working():
            found = progress_of(library.snapshot(project_id), do_parts_wait=do_parts_wait)
    except (OSError, DamageError, UnavailableError):
        return None
    return None if found.is_done else Building.model_validate(found)


def _row(key: Key, principal: Principal) -> KeyRow:
    return KeyRow(
        key_id=key.key_id,
        scope=key.scope,
        role=key.role,
        hint=key.hint,
        created_at=key.created_at,
        name=key.name,
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        is_current=key.key_id == principal.key_id,
    )
