"""`turret spool`: what is acknowledged and not yet in the lake."""

from __future__ import annotations

import json
import time

import click

from turret_pipeline.settings import Settings

_SILENT_S = 300.0


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


@command.command("forget")
@click.argument("collector_id")
def forget(collector_id: str) -> None:
    """Release what plans have set aside for COLLECTOR_ID, whose spool was lost with its disk.

    Only of a collector that has not been heard of for five minutes. Events that were in a lost spool are lost.
    """
    from turret_api.accounts.grants import holders, release
    from turret_api.command.accounts import open_accounts

    with open_accounts() as accounts:
        known = {holder.collector_id: holder for holder in holders(accounts)}
        holder = known.get(collector_id)
        if holder is None:
            listed = ", ".join(
                f"{each.collector_id} ({each.unused:,} events, silent for {each.silent_s:,.0f} s)"
                for each in known.values()
            )
            raise click.ClickException(
                f"there is nothing set aside for a collector {collector_id!r}; there is for: {listed or 'none'}"
            )
        if holder.silent_s < _SILENT_S:
            raise click.ClickException(
                f"collector {collector_id} was heard of {holder.silent_s:,.0f} s ago; it gives back by itself"
            )
        release(accounts, collector_id)
    click.echo(f"{holder.unused:,} events that were set aside for {collector_id} are free again")
