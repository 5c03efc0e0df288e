"""`/v1/project`, `/v1/keys`, `/v1/usage`: the project itself, from the accounts rather than from the lake."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

import polars as pl
from fastapi import APIRouter, Request
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import AccountError, Accounts, Key
from turret_api.auth import Admin, Principal, Reader
from turret_api.errors import NotFoundError, UnavailableError
from turret_api.read.answers import library
from turret_api.read.models.accounts import KeyChoice, KeyRow, Keys, NewKey, Project, TableBuild, UsageRow
from turret_pipeline.lake.tables import BUILDS, TABLES

router = APIRouter(tags=["project"])


@router.get("/project", response_model=Project)
def get_project(request: Request, principal: Reader) -> Project:
    """The project's name and plan, and when each of its tables was last built."""
    with _accounts(request) as accounts:
        project = accounts.find_project(principal.project_id)
    builds = library(request).snapshot(principal.project_id).scan(BUILDS).select("stage", "built_at").collect()
    latest = dict(builds.group_by("stage").agg(pl.col("built_at").max()).iter_rows())
    tables = [TableBuild(table=name, built_at=latest[name]) for name in TABLES if name in latest]
    return Project(
        project_id=project.project_id,
        name=project.name,
        plan=project.plan,
        limit=project.limit,
        created_at=project.created_at,
        tables=tables,
    )


@router.get("/keys", response_model=Keys)
def get_keys(request: Request, principal: Admin) -> Keys:
    """The project's keys, oldest first, revoked ones included: all but the keys themselves, which nobody keeps."""
    with _accounts(request) as accounts:
        found = accounts.keys(principal.project_id)
    return Keys(data=[_row(key, principal) for key in found], next=None)


@router.post("/keys", response_model=NewKey)
def post_key(request: Request, principal: Admin, choice: KeyChoice) -> NewKey:
    """Make a key. This answer is the only one that ever shows it."""
    expires_at = None if choice.days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=choice.days)
    with _accounts(request) as accounts:
        made = accounts.create_key(principal.project_id, choice.scope, expires_at)
    return NewKey(key_id=made.key_id, scope=made.scope, key=made.key, expires_at=made.expires_at)


@router.delete("/keys/{key_id}", response_model=KeyRow)
def delete_key(request: Request, principal: Admin, key_id: str) -> KeyRow:
    """Revoke a key: it is refused everywhere within seconds, and whoever is signed in with it no longer is."""
    with _accounts(request) as accounts:
        try:
            accounts.revoke_key(key_id, principal.project_id)
        except AccountError:
            raise NotFoundError(f"There is no key {key_id!r}; GET /v1/keys lists them.", field="key_id") from None
        found = next(key for key in accounts.keys(principal.project_id) if key.key_id == key_id)
    return _row(found, principal)


@router.get("/usage", response_model=UsageRow)
def get_usage(request: Request, principal: Reader) -> UsageRow:
    """The project's plan, what it allows, what of it is used, and when the count begins anew."""
    with _accounts(request) as accounts:
        usage = accounts.usage(principal.project_id)
    return UsageRow(plan=usage.plan, limit=usage.limit, used=usage.used, resets_at=usage.resets_at)


def _row(key: Key, principal: Principal) -> KeyRow:
    return KeyRow(
        key_id=key.key_id,
        scope=key.scope,
        hint=key.hint,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        is_current=key.key_id == principal.key_id,
    )


@contextlib.contextmanager
def _accounts(request: Request) -> Iterator[Accounts]:
    """Give the accounts; while their database is away, answer 503."""
    accounts: Accounts = request.app.state.accounts
    try:
        yield accounts
    except SQLAlchemyError:
        raise UnavailableError("The database of projects and keys cannot be reached; try again.") from None
