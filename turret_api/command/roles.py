"""What one host does of the whole: `turret up --role`.

    role        takes events   reads, dashboard   code server, Dagster's UI, daemon
    all         yes            yes                yes
    api         yes            yes                no
    collector   yes            no                 no
    pipeline    no             no                 yes

Hosts meet in the database and in the lake, nowhere else: none has to know the address of another. The embedded database
serves one host, so with it there is one role.
"""

from __future__ import annotations

import enum
import socket

import click

from turret_pipeline.settings import Settings

HOST = "127.0.0.1"
"""Where processes of one host find each other, and where what has no login listens."""
_ANY = ("0.0.0.0", "::")


class Role(enum.StrEnum):
    """A host's part in the whole."""

    ALL = "all"
    API = "api"
    COLLECTOR = "collector"
    PIPELINE = "pipeline"

    @property
    def has_api(self) -> bool:
        """Whether an API process runs here, which takes events at least."""
        return self is not Role.PIPELINE

    @property
    def has_pipeline(self) -> bool:
        """Whether Dagster runs here."""
        return self in (Role.ALL, Role.PIPELINE)


def check_role(role: Role, settings: Settings) -> None:
    """Raise `click.ClickException` where a part of the whole is to run on a database that serves one host."""
    if role is not Role.ALL and settings.database_url is None:
        raise click.ClickException(
            f"`--role {role}` needs TURRET_DATABASE_URL: the embedded database serves one host, which does everything"
        )


def address(scheme: str, host: str, port: int) -> str:
    """Return the address at which a process of this host finds the API that listens on `host`."""
    return _address(scheme, {"0.0.0.0": HOST, "::": "::1"}.get(host, host), port)


def public_address(scheme: str, host: str, port: int) -> str:
    """Return the address that a person may use: with this machine's name where it listens on all its addresses."""
    return _address(scheme, socket.gethostname() if host in _ANY else host, port)


def _address(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
