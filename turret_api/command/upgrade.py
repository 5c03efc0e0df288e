"""Bringing a home of an earlier version to this one, as a whole or not at all, when a command starts.

What is looked at: the lake (`lake.layout`), the accounts (`accounts.migrations`), the layout of each spool, and whether
a `turret restore` was cut off. If one of them cannot be brought along, nothing is changed, and the command ends with
one list. Dagster brings its own tables along (`orchestration.recover`), and its cursor is read in any shape.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

import click

from turret_api.accounts import AccountError, Accounts
from turret_api.collector.slots import SPOOL_FILE, slot_folders
from turret_api.collector.spool import SpoolError, SpoolReader
from turret_api.collector.spool_file import LAYOUT
from turret_api.command import lake_seen
from turret_pipeline.lake import bucket, layout
from turret_pipeline.lake.layout import LayoutError
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.settings import Settings

UNFINISHED = "restore.unfinished"
"""File in a home that is there while `turret restore` is at work."""
_LOCK = "upgrade of the lake"
"""Stands for a project in the lock that one upgrade at a time has; no project's id has a blank."""


@dataclass(frozen=True)
class Standing:
    """How a home stands to this version of Turret.

    Args:
        is_current: whether an upgrade has nothing to do.
        lacks: what it would do to what there is, in words.
        obstacles: why the home cannot be used by this version, a sentence each.
    """

    is_current: bool
    lacks: tuple[str, ...]
    obstacles: tuple[str, ...]


def standing(settings: Settings, url: str) -> Standing:
    """Return how the home stands to this version; changes nothing. Raise what Postgres or the lake raises when away."""
    try:
        plan = layout.plan(settings.open_lake())
    except LayoutError as error:
        plan = layout.Plan(obstacles=(str(error),))
    lacks = [f"the table {table.name} gets {', '.join(columns)}" for table, columns in plan.added]
    lacks += [f"the next build makes {', '.join(plan.removed)} anew"] if plan.removed else []
    obstacles = list(plan.obstacles)
    is_migrated = False
    with contextlib.closing(Accounts(url)) as accounts:
        try:
            is_migrated = accounts.is_migrated()
            if not is_migrated and not accounts.is_new():
                lacks.append("the accounts get this version's tables")
        except AccountError as error:
            obstacles.append(str(error))
    obstacles += _spools_of_later_versions(settings)
    if (settings.home / UNFINISHED).exists():
        obstacles.append(
            f"a `turret restore` into {settings.home} did not finish: remove that folder and restore once more"
        )
    return Standing(plan.is_current and is_migrated and not obstacles, tuple(lacks), tuple(obstacles))


def upgrade(settings: Settings, url: str, say: Callable[[str], None], up: Mapping[str, object] | None = None) -> None:
    """After this call the home is of this version; `say` is told each step.

    Raise `click.ClickException` with the list of what is in the way, with nothing changed, where that cannot be, and
    what `bucket.check` raises where the lake's store cannot be used. One process upgrades while others wait.

    up: what the `turret up` of this home says of itself, if one runs.
    """
    bucket.check(settings.open_lake())
    found = standing(settings, url)
    if found.is_current:
        lake_seen.note(settings)
        return
    if up is not None and found.lacks:
        earlier = f"`turret up` of an earlier version runs (pid {up.get('pid', 'unknown')}): end it first"
        found = replace(found, obstacles=(*found.obstacles, earlier))
    _refuse(settings, found)
    lake = settings.open_lake()
    lake.make()
    with sole_writer(url, lake, _LOCK, lambda: say("another process upgrades the lake; waiting for it")):
        # Looked at anew: the process that had the lock may have done it all.
        _refuse(settings, standing(settings, url))
        with contextlib.closing(Accounts(url)) as accounts:
            accounts.migrate()
        layout.upgrade(lake, layout.plan(lake), say)
    lake_seen.note(settings)


def _refuse(settings: Settings, found: Standing) -> None:
    if found.obstacles:
        listed = "\n".join(f"  - {each}" for each in found.obstacles)
        raise click.ClickException(
            f"{settings.home} cannot be used by Turret {version('turret')}; nothing was changed:\n{listed}"
        )


def _spools_of_later_versions(settings: Settings) -> Iterator[str]:
    for folder in slot_folders(settings.home / "spool"):
        # A spool that cannot be read is no matter of versions: the command that opens it says what is wrong.
        with contextlib.suppress(SpoolError):
            with contextlib.closing(SpoolReader(folder / SPOOL_FILE)) as reader:
                found = reader.layout()
            if found.isdigit() and int(found) > int(LAYOUT):
                yield (
                    f"the spool {folder / SPOOL_FILE} is of a later version of Turret (layout {found}; this one knows "
                    f"layouts up to {LAYOUT}): install that version or a later one"
                )
