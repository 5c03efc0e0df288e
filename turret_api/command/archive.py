"""The archive that `turret backup` writes and `turret restore` reads: one tar file, compressed if its name says so.

turret.json      the version that wrote it, and the layout of the lake; comes first
lake/…           tables as of one commit each, with the log up to it; raw events; their checksums; notes of what is gone
spool/N/…        each spool of this host, as of one commit
home/…           the secret that signs the dashboard's cookies, and the demo's keys
database.dump    the schemas of the accounts and of Dagster, as `pg_dump -Fc` writes them
sums.json        the SHA-256 of each file before it, by name; archives of earlier versions have none

Embedding models and logs are not in it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from typing import IO, Any, cast

import click
import msgspec
from sqlalchemy.engine import URL, make_url

from turret_api.processes.postgres_keeper import binaries

MANIFEST, DUMP, SUMS = "turret.json", "database.dump", "sums.json"
HOME_FILES = ("dashboard.secret", "demo-keys.json")
SCHEMAS = ("turret", "dagster")
_TLS = ("require", "verify-ca", "verify-full")


class Manifest(msgspec.Struct):
    """What an archive says of itself.

    Args:
        turret: the version of Turret that wrote it.
        layout: of the lake in it.
        begun_at: when it was begun: what was erased after that may be in it; None: it is of an earlier version.
        erasures: name of the secret by which what was erased is known (`turret_api.erasing.notes`).
    """

    turret: str
    layout: int
    begun_at: dt.datetime | None = None
    erasures: str | None = None


class Summing:
    """A stream whose bytes are summed up (SHA-256) as they are read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        content = self._stream.read(size)
        self._sum.update(content)
        return content

    def digest(self) -> str:
        """Return the sum of the whole stream, in hexadecimal; what was not read yet is read."""
        while self.read(1 << 20):
            pass
        return self._sum.hexdigest()


class SummedArchive(tarfile.TarFile):
    """An archive that is written, with the sums of its files."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self.sums: dict[str, str] = {}
        super().__init__(*words, **named)

    def addfile(self, tarinfo: tarfile.TarInfo, fileobj: Any = None) -> None:
        """Add a file, and its sum to `sums`."""
        if fileobj is None:
            super().addfile(tarinfo)
            return
        summing = Summing(fileobj)
        super().addfile(tarinfo, cast("IO[bytes]", summing))
        self.sums[tarinfo.name] = summing.digest()

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a file with this content, which its owner alone may read."""
        about = tarfile.TarInfo(name)
        about.size, about.mode = len(content), 0o600
        self.addfile(about, io.BytesIO(content))


class ProgramError(click.ClickException):
    """A program of Postgres's is not there."""


def run_postgres(program: str, url: str, *words: str) -> None:
    """Run one of Postgres's programs on the database at `url`; raise `click.ClickException` with its reason."""
    found = make_url(url)
    path: str | None = str(binaries() / program)
    if found.query.get("sslmode") in _TLS:
        # Those that come with Turret were built without TLS.
        path = shutil.which(program)
    if path is None:
        raise ProgramError(
            f"TURRET_DATABASE_URL asks for TLS, and for that {program} is needed: install Postgres's client programs "
            "(Debian: `apt-get install postgresql-client`), of the server's version or a later one"
        )
    # Without the password: everybody on the machine sees a process's words.
    address = URL.create("postgresql", found.username, None, found.host, found.port, found.database, found.query)
    done = subprocess.run(
        [path, *words, f"--dbname={address.render_as_string()}"],
        env=os.environ | {"PGPASSWORD": str(found.password or "")},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise click.ClickException(f"{program} failed: {reason[0] if reason else f'status {done.returncode}'}")
