"""What Dagster's processes need around them: a home with their configuration, a place in the database, an environment.

Dagster keeps its tables in a schema of its own, `dagster`, of the one database that Turret uses, because a given
Postgres user may often make a schema, but rarely a database. `TURRET_DAGSTER_DATABASE_URL` is the URL that leads there.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection
from sqlalchemy.engine import make_url

from turret_api.processes.postgres import DatabaseError
from turret_pipeline.lake.first_day import VARIABLE, first_day_received
from turret_pipeline.settings import Settings

FILES = Path(__file__).parent / "dagster"
"""Dagster's configuration, as a wheel has it; in a checkout: links to `dagster_home` and `workspace.yaml`."""
WORKSPACE = FILES / "workspace.yaml"
SCHEMA = "dagster"
_AGREED = """
    SELECT pg_advisory_xact_lock(hashtext('turret.run_leases'));
    CREATE SCHEMA IF NOT EXISTS turret_pipeline;
    CREATE TABLE IF NOT EXISTS turret_pipeline.first_day (one integer PRIMARY KEY, day date NOT NULL)
"""


def turret_environment(settings: Settings, database_url: str) -> dict[str, str]:
    """Return our environment with every setting spelled out, so that any process of ours finds the same ones."""
    return {
        **os.environ,
        "TURRET_HOME": str(settings.home),
        "TURRET_LAKE": settings.lake,
        "TURRET_DATABASE_URL": database_url,
        "TURRET_PORT": str(settings.port),
        "TURRET_DAGSTER_PORT": str(settings.dagster_port),
        **({"TURRET_TLS_CERT": str(settings.tls_cert)} if settings.tls_cert else {}),
        **({"TURRET_TLS_KEY": str(settings.tls_key)} if settings.tls_key else {}),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def dagster_environment(settings: Settings, database_url: str, code_port: int = 0) -> dict[str, str]:
    """Return the environment of a Dagster process, with all in place that it names.

    Args:
        settings: which home, lake and ports.
        database_url: of the database that gets Dagster's schema.
        code_port: the code server's port, or 0 where none is talked to.
    """
    home = settings.home / "dagster"
    storage = home / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    _write(home / "dagster.yaml", _instance(settings))
    _make_schema(database_url)
    first_day = first_day_received(settings.open_lake(), dt.datetime.now(dt.UTC).date())
    if settings.database_url is not None:
        first_day = _agreed_first_day(database_url, first_day)
    return {
        **turret_environment(settings, database_url),
        "DAGSTER_HOME": str(home),
        "TURRET_DAGSTER_STORAGE": str(storage),
        "TURRET_DAGSTER_DATABASE_URL": dagster_url(database_url),
        "TURRET_CODE_PORT": str(code_port),
        VARIABLE: first_day.isoformat(),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }


def dagster_url(database_url: str) -> str:
    """Return the URL of the same database that sees and makes Dagster's tables; `options` that it has stay."""
    url = make_url(database_url)
    given = url.query.get("options", ())
    options = " ".join([*([given] if isinstance(given, str) else given), f"-csearch_path={SCHEMA}"])
    return url.update_query_dict({"options": options}).render_as_string(hide_password=False)


def _instance(settings: Settings) -> bytes:
    """Return what Dagster's instance is configured with."""
    launcher = "processes.yaml" if settings.ray_address is None else "ray.yaml"
    return b"\n".join((FILES / name).read_bytes() for name in ("dagster.yaml", launcher))


def _write(target: Path, content: bytes) -> None:
    if not target.exists() or target.read_bytes() != content:
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(target)


def has_tables(database_url: str) -> bool:
    """Whether some process of Dagster's has made its tables."""
    with _connected(database_url) as opened, opened.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.alembic_version",))
        row = cursor.fetchone()
    return row is not None and row[0] is not None


def _make_schema(database_url: str) -> None:
    with _connected(database_url) as opened, opened, opened.cursor() as cursor:
        # Two first starts at once would both find nothing and both create it.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('turret.dagster'))")
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")


def _agreed_first_day(database_url: str, found: dt.date) -> dt.date:
    """Return the first day of receipt that all hosts show: the one that the first of them found.

    A host that started on an empty lake, and one that started when there were events, would find different ones, and a
    run of one that is tried again on the other would be over partitions that this one does not know.
    """
    with _connected(database_url) as opened, opened, opened.cursor() as cursor:
        cursor.execute(_AGREED)
        cursor.execute("INSERT INTO turret_pipeline.first_day VALUES (1, %s) ON CONFLICT DO NOTHING", (found,))
        cursor.execute("SELECT day FROM turret_pipeline.first_day")
        (day,) = cursor.fetchone() or (found,)
    return dt.date.fromisoformat(str(day))


@contextlib.contextmanager
def _connected(database_url: str) -> Iterator[connection]:
    try:
        opened = psycopg2.connect(database_url.replace("postgresql+psycopg2://", "postgresql://"))
    except psycopg2.OperationalError as error:
        raise DatabaseError(f"cannot use the database: {str(error).strip().splitlines()[-1]}") from error
    with contextlib.closing(opened):
        yield opened
