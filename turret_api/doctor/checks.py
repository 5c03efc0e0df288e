"""All checks of a home, one after the other: databases, spools, the lake's layout, tables, raw parts and model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from turret_api.doctor.databases import faults_of_database
from turret_api.doctor.fault import LAKE, Fault, of_lake
from turret_api.doctor.spools import faults_of_spools
from turret_pipeline.lake import bucket, inspection, layout
from turret_pipeline.lake.bucket import UnsuitableError
from turret_pipeline.lake.damage import Damage, note
from turret_pipeline.lake.layout import LayoutError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.settings import Settings

TELL_S = 5.0
"""Seconds between two words about how far a long check has come."""

Say = Callable[[str], None]


def faults_of(settings: Settings, say: Say) -> list[Fault]:
    """Return all faults of the home; `say` is told what is being looked at. Nothing is mended.

    What is found damaged in the lake is noted there, so that the dashboard shows it too.
    """
    if not settings.home.is_dir():
        return []
    say("the database")
    found = list(faults_of_database(settings))
    say("the spools")
    found += faults_of_spools(settings.home)
    lake = settings.open_lake()
    try:
        for damage in _damage_of_lake(lake, say):
            note(lake, damage)
            found.append(of_lake(lake.root, damage))
    except UnsuitableError as error:
        found.append(Fault(LAKE, lake.root, str(error)))
    except LayoutError as error:
        found.append(Fault(LAKE, lake.layout_file, str(error)))
    except OSError as error:
        found.append(Fault(LAKE, lake.root, f"cannot be read ({error})", "turret doctor"))
    return found


def _damage_of_lake(lake: Lake, say: Say) -> Iterator[Damage]:
    bucket.check(lake)
    layout.layout_of(lake)
    progress = _Progress(say)
    for table in TABLES.values():
        say(f"the table {table.name}")
        yield from inspection.damage_of_table(lake, table, tell=progress)
    say("the raw parts")
    yield from inspection.damage_of_parts(lake, tell=progress)
    say("the embedding model")
    yield from inspection.damage_of_models(lake)


class _Progress:
    """Counts files, and says every few seconds how many."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._n_files = 0
        self._said_at = time.monotonic()

    def __call__(self) -> None:
        """Count one more."""
        self._n_files += 1
        if time.monotonic() - self._said_at > TELL_S:
            self._said_at = time.monotonic()
            self._say(f"{self._n_files:,} files looked at")
