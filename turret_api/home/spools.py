"""The spools of this host, from outside: what waits in them is brought into the lake, also where no server runs."""

from __future__ import annotations

import time

import click

from turret_api.accounts import Accounts
from turret_pipeline.settings import Settings

SPOOL_S = 30.0
"""Seconds to wait for running collectors to roll what they have taken; they do so every few seconds."""


def bring_in_spools(settings: Settings, url: str) -> None:
    """After this call what was acknowledged before it is in the lake, where a build looks for events.

    Spools that no process has are rolled here; for those of running collectors it waits, at most `SPOOL_S` seconds.
    """
    # Here, not at the top: they load the collector, which `--help` does without.
    from turret_api.collector.collector import Collector
    from turret_api.collector.slots import left_slots
    from turret_api.collector.spool import SpoolDamagedError

    now_us = time.time_ns() // 1000
    spools = settings.home / "spool"
    accounts = Accounts(url)
    try:
        for slot in left_slots(spools):
            try:
                left = Collector(settings, accounts, slot=slot)
            except SpoolDamagedError as error:
                click.echo(f"{error}; its events are not in this build", err=True)
                continue
            left.start()
            left.stop()
    finally:
        accounts.close()
    deadline = time.monotonic() + SPOOL_S
    while any(since is not None and since <= now_us for _, since in spooled(settings)):
        if time.monotonic() > deadline:
            click.echo("some events are still on their way into the lake; the next build takes them", err=True)
            return
        time.sleep(0.2)


def spooled(settings: Settings) -> list[tuple[int, int | None]]:
    """Return for each spool of this host how many events wait in it, at most, and since when (Unix microseconds)."""
    from turret_api.freshness import backlogs

    return [(backlog.rows, backlog.oldest_us) for backlog in backlogs(settings.home / "spool")]


def collectors_run(settings: Settings) -> bool:
    """Tell whether a server on this host has a spool."""
    from turret_api.collector.slots import slot_folders, try_slot

    for folder in slot_folders(settings.home / "spool"):
        slot = try_slot(folder)
        if slot is None:
            return True
        slot.release()
    return False
