"""`turret import --dry-run`: what an import would do, without a database or a lake."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from turret_api.importing.formats.format import Format
    from turret_api.importing.preview import Preview
    from turret_api.masking.mask import Mask

_TEXT = 80
"""Characters of a text that are shown."""


def show_preview(
    file: Path,
    mapping: dict[str, str],
    name: str | None,
    timezone: str,
    max_text: int,
    as_json: bool,
    export: Format | None = None,
    mask: Mask | None = None,
) -> None:
    """Print what the first rows of `file` would become; exit with 1 if some would be refused."""
    from turret_api.importing.documents import Documents
    from turret_api.importing.preview import preview
    from turret_api.importing.rows import SourceError
    from turret_api.importing.times import time_zone

    try:
        zone = time_zone(timezone)
        found = preview(Documents(file, mapping, name, zone, export=export), zone, max_text, mask)
    except SourceError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"dry_run": True, **dataclasses.asdict(found)}, ensure_ascii=False))
    else:
        _print(file, found)
    if found.refused:
        raise click.ClickException(f"{found.refused:,} of the first {found.read:,} rows would be refused")


def _print(file: Path, found: Preview) -> None:
    parts = [
        found.form,
        f"cells separated by {found.separator!r}" if found.separator else "",
        f"packed with {found.packing}" if found.packing else "",
        "" if found.form == "Parquet" else "UTF-8",
        f"times without a zone are in {found.timezone}",
    ]
    click.echo(f"{file}: {', '.join(filter(None, parts))}\n")
    width = max(map(len, found.columns), default=0)
    for column, key in found.columns.items():
        click.echo(f"  {column:<{width}}  -> {key or '(left out)'}")
    click.echo()
    for row in found.rows:
        said = json.dumps(_short(row["event"]), ensure_ascii=False) if "event" in row else f"refused: {row['error']}"
        click.echo(f"row {row['row']}: {said}")
    click.echo(
        f"\nOf the first {found.read:,} rows {found.read - found.refused:,} would be imported and {found.refused:,} "
        "refused. This was a dry run: nothing was written."
    )


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _TEXT else f"{value[:_TEXT]}…"
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    return [_short(inner) for inner in value] if isinstance(value, list) else value
