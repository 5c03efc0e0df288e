"""`turret spool`: what is acknowledged and not yet in the lake."""

from __future__ import annotations

import json
import time

import click

from turret_pipeline.lake.settings import Settings


@click.group("spool")
def command() -> None:
    """Look after events that are not yet in the lake."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a spool.")
def status(as_json: bool) -> None:
    """Show each collector's spool on this host: events, bytes, age of the oldest."""
    from turret_api.collector.slots import SPOOL_FILE, slot_folders, try_slot
    from turret_api.collector.spool import SpoolError, SpoolReader

    folders = slot_folders(Settings.from_environment().home / "spool")
    if not folders and not as_json:
        click.echo("no collector has run here yet")
    for folder in folders:
        try:
            reader = SpoolReader(folder / SPOOL_FILE)
            try:
                state, collector_id = reader.state(), reader.collector_id()
            finally:
                reader.close()
        except SpoolError as error:
            raise click.ClickException(f"{folder}: {error}") from error
        slot = try_slot(folder)
        if slot is not None:
            slot.release()
        age_s = None if state.oldest_us is None else round(max(0.0, time.time() - state.oldest_us / 1e6), 1)
        row = {
            "spool": folder.name,
            "collector_id": collector_id,
            "in_use": slot is None,
            "rows": state.rows,
            "bytes": state.payload_bytes,
            "file_bytes": sum(file.stat().st_size for file in folder.glob(f"{SPOOL_FILE}*")),
            "oldest_s": age_s,
        }
        if as_json:
            click.echo(json.dumps(row))
        else:
            oldest = "-" if age_s is None else f"{age_s:,.1f} s"
            click.echo(
                f"spool {folder.name:<3} {'in use' if slot is None else 'left':<7} {state.rows:>10,} events "
                f"{state.payload_bytes:>14,} bytes  oldest {oldest}"
            )
