"""The demo's project, and its keys, which are kept in `$TURRET_HOME/demo-keys.json`, mode 0600."""

from __future__ import annotations

import os

import orjson

from turret_api.accounts import AccountError, Accounts, NewProject
from turret_pipeline.settings import Settings

PROJECT = "demo"


def demo_project(settings: Settings, accounts: Accounts) -> NewProject:
    """Return the demo's project with keys that work: those of before where they still do, else new ones."""
    if kept := kept_keys(settings, accounts):
        return kept
    try:
        found = accounts.find_project(PROJECT)
    except AccountError:
        made = accounts.create_project(PROJECT)
    else:
        scopes = ("write", "read", "admin")
        keys = (accounts.create_key(found.project_id, scope, name="turret demo").key for scope in scopes)
        made = NewProject(found.project_id, found.name, *keys)
    path = settings.home / "demo-keys.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(orjson.dumps(made))
    return made


def kept_keys(settings: Settings, accounts: Accounts) -> NewProject | None:
    """Return the demo's project with the keys that are kept, or None where it is gone or one of them is revoked."""
    try:
        kept = NewProject(**orjson.loads((settings.home / "demo-keys.json").read_bytes()))
        found = accounts.find_project(PROJECT)
    except (FileNotFoundError, ValueError, TypeError, AccountError):
        return None
    live = {key.hint for key in accounts.keys(found.project_id) if key.revoked_at is None}
    hints = {key[:7] for key in (kept.write_key, kept.read_key, kept.admin_key)}
    return kept if kept.project_id == found.project_id and hints <= live else None
