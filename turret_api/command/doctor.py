"""`turret doctor`: what of a home is damaged, and mending it; see `turret_api.doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from turret_pipeline.settings import Settings

ROUNDS = 3
"""Looks at the lake after a mend: behind a damaged log there may be a damaged file."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--mend", "mends", is_flag=True, help="Mend what is damaged, and build what has to be made anew.")
@click.option(
    "--from-backup",
    "archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Archive of `turret backup` to take files from that are damaged here (with --mend).",
)
@click.option(
    "--set-aside", is_flag=True, help="Go on without rows of people that no copy has; the file is kept (with --mend)."
)
def command(as_json: bool, mends: bool, archive: Path | None, set_aside: bool) -> None:
    """Check databases, spools, tables, raw parts and model; say for each fault which command mends it.

    Warns of hosts whose clocks are wrong. Exits with 0 if everything is sound, and with 1 if not. Works while Turret
    runs, and while it does not.
    """
    from turret_api.doctor.checks import faults_of
    from turret_api.doctor.databases import warnings_of_database
    from turret_api.doctor.fault import DATABASE
    from turret_api.doctor.mends import Backup, build, mend_all

    if (archive is not None or set_aside) and not mends:
        raise click.ClickException("--from-backup and --set-aside go with --mend")
    settings = Settings.from_environment()
    faults = faults_of(settings, lambda thing: _say(f"looking at {thing}"))
    failed: list[str] = []
    if mends and faults:
        backup, was = Backup(archive), list[str]()
        for _ in range(ROUNDS):
            failed = mend_all(settings, faults, backup, set_aside, _say)
            needs_build = any(fault.damage is not None for fault in faults)
            faults, was = faults_of(settings, lambda _: None), [fault.where for fault in faults]
            if not faults or [fault.where for fault in faults] == was:
                break
        if archive is not None and not any(fault.what == DATABASE for fault in faults):
            # Here, not at the top: it loads the collector.
            from turret_api.command.erased_since import erase_after_mending
            from turret_api.command.restore import manifest_of

            erase_after_mending(settings, archive, manifest_of(archive), _say)
        if needs_build and not build(settings, _say):
            failed.append("not everything could be built: the lines above say why")
    found = {"home": str(settings.home), "sound": not faults and not failed} | {
        "warnings": warnings_of_database(settings),
        "faults": [_shown(fault.__dict__) for fault in faults],
        "failed": failed,
    }
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_lines(found)))
    sys.exit(0 if found["sound"] else 1)


def _shown(fault: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fault.items() if name != "damage"}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for each in found["faults"]:
        whose = f" of project {each['project_id']}" if each["project_id"] else ""
        table = f" {each['table']}" if each["table"] else ""
        lines += [click.style(f"DAMAGED  {each['what']}{table}{whose}: {each['where']} {each['reason']}", fg="red")]
        lines += [f"         mend: {each['command']}"]
    lines += [click.style(f"FAILED   {words}", fg="red") for words in found["failed"]]
    lines = lines or [f"{found['home']} is sound"]
    return lines + [click.style(f"WARNING  {words}", fg="yellow") for words in found["warnings"]]


def _say(line: str) -> None:
    click.echo(line, err=True)
