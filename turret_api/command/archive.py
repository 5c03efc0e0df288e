"""The archive that `turret backup` writes and `turret restore` reads: one tar file, compressed if its name says so.

turret.json      the version that wrote it, and the layout of the lake; comes first
lake/…           tables as of one commit each, with the log up to it; raw events; their checksums; notes of what is gone
spool/N/…        each spool of this host, as of one commit
home/…           the secret that signs the dashboard's cookies, and the demo's keys
database.dump    the schemas of the accounts and of Dagster, as `pg_dump -Fc` writes them

Embedding models and logs are not in it.
"""

from __future__ import annotations

import os
import subprocess

import click
import msgspec
from sqlalchemy.engine import URL, make_url

from turret_api.processes.postgres_keeper import binaries

MANIFEST, DUMP = "turret.json", "database.dump"
HOME_FILES = ("dashboard.secret", "demo-keys.json")
SCHEMAS = ("turret", "dagster")


class Manifest(msgspec.Struct):
    """What an archive says of itself: the version of Turret that wrote it, and the layout of the lake in it."""

    turret: str
    layout: int


def run_postgres(program: str, url: str, *words: str) -> None:
    """Run one of Postgres's programs on the database at `url`; raise `click.ClickException` with its reason."""
    found = make_url(url)
    # Without the password: everybody on the machine sees a process's words.
    address = URL.create("postgresql", found.username, None, found.host, found.port, found.database, found.query)
    done = subprocess.run(
        [str(binaries() / program), *words, f"--dbname={address.render_as_string()}"],
        env=os.environ | {"PGPASSWORD": str(found.password or "")},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise click.ClickException(f"{program} failed: {reason[0] if reason else f'status {done.returncode}'}")
