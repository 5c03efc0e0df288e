"""`turret export`: a table of one project as a Parquet, CSV or NDJSON file, with the contract's columns.

A field's topics as a BERTopic model are written by `python -m turret_pipeline.orchestration.export_model`, a process of
its own, for nothing here may import BERTopic.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import orjson
import polars as pl

from turret_api.accounts import Accounts, audit, privacy
from turret_api.accounts.exports import PATH
from turret_api.accounts.few import few_of
from turret_api.command.accounts import open_accounts
from turret_api.command.build import run
from turret_api.erasing.masked_ids import stored_as
from turret_api.errors import ApiError
from turret_api.masking.rule import RuleError
from turret_api.read.engine.encoding import CSV_TIME, flat
from turret_api.read.engine.library import Library, Snapshot
from turret_api.read.questions.fields import list_fields
from turret_api.read.views.filters import ALL_KINDS, NO_FILTERS
from turret_api.read.views.journeys import EDGE, graph_edges
from turret_api.read.views.messages import choose_field, messages_of, with_texts
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.settings import Settings

VIEWS = ("messages", "journeys", "fields")
MODEL, AUDIT = "model", "audit"
COUNTS = ("journey_edges", "journey_moves", "topic_days")
"""Tables that hold no text and no id, but counts of however few users."""
MESSAGE = ("event_id", "session_id", "user_id", "timestamp", "text", "kind", "topic_id", "topic_label", "similarity")
FORMATS = (".parquet", ".csv", ".ndjson")
FIELDS = pl.Schema(
    {
        "field": pl.String(),
        "type": pl.String(),
        "detected_type": pl.String(),
        "overridden": pl.Boolean(),
        "pending": pl.Boolean(),
        "confidence": pl.Float64(),
        "reason": pl.String(),
        "failure": pl.String(),
        "personal": pl.Boolean(),
        "outcome": pl.Struct({"better": pl.String(), "good": pl.List(pl.String()), "problem": pl.String()}),
        "n_events": pl.Int64(),
        "n_null": pl.Int64(),
        "n_distinct": pl.Int64(),
        "examples": pl.List(pl.String()),
        "values": pl.List(pl.Struct({"value": pl.String(), "count": pl.Int64()})),
        "n_rest": pl.Int64(),
        "min": pl.Float64(),
        "max": pl.Float64(),
        "mean": pl.Float64(),
        "quantiles": pl.Struct({share: pl.Float64() for share in ("0.05", "0.25", "0.5", "0.75", "0.95")}),
        "bins": pl.List(pl.Struct({"from": pl.Float64(), "to": pl.Float64(), "count": pl.Int64()})),
    }
)
"""Columns of `/v1/fields` (`turret_api.read.questions.fields.FieldRow`)."""
AUDIT_COLUMNS = pl.Schema(
    {
        "audit_id": pl.Int64(),
        "at": pl.Datetime("us", "UTC"),
        "actor": pl.String(),
        "action": pl.String(),
        "about": pl.String(),
    }
)


@click.command("export")
@click.argument("table", type=click.Choice([*VIEWS, MODEL, AUDIT, *(name for name in TABLES if name not in VIEWS)]))
@click.option("--project", "project", required=True, help="Id or name of the project.")
@click.option("--field", help="Only this metadata field. messages, journeys, model: default is the largest text field.")
@click.option("--user", help="Only rows of this user, also under the ids that stand for it where ids are masked.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="FILE.(parquet|csv|ndjson); model: a folder."
)
def command(table: str, project: str, field: str | None, user: str | None, out: Path) -> None:
    """Write TABLE of a project to a file, replacing it.

    messages has each message with its kind and topic, journeys the edges of the graph, fields what /v1/fields shows;
    every other name is a table of the lake, without the bytes that search goes by. In CSV a text that a spreadsheet
    would run as a formula gets a ' before it, and lists and objects are JSON.

    With --user, what one person has in messages, events or journey_steps. audit is the project's audit log. model is a
    folder with the topics of one field that BERTopic.load opens: its topics, labels, keywords and centroids.
    """
    if table != MODEL and out.is_dir():
        raise click.ClickException(f"{str(out)!r} is a folder; name a file")
    if table != MODEL and out.suffix not in FORMATS:
        raise click.ClickException(f"{out.name!r} does not end in {', '.join(FORMATS)}")
    if not out.parent.is_dir():
        raise click.ClickException(f"there is no folder {str(out.parent)!r} to write into")
    if user is not None and table != "messages" and (table not in TABLES or "user_id" not in TABLES[table].schema):
        raise click.ClickException(f"{table} has no rows of single users; leave --user out")
    settings = Settings.from_environment()
    with open_accounts() as accounts:
        project_id = accounts.find_project(project).project_id
        least = few_of(privacy.rules_of(accounts, project_id).get(privacy.FEW)).exports
        users = None if user is None else ids_of(accounts, project_id, user)
        if words := refused(table, least):
            raise click.ClickException(words)
        # Before anything is written: an export that the audit log cannot tell of does not happen.
        about = {"table": table, "field": field, "file": out.name, PATH: str(out.absolute())}
        if user is not None:
            about["of"] = "one user"
        audit.record(accounts, project_id, audit.command_actor(), "export", about)
        logged = audit_rows(accounts, project_id) if table == AUDIT else None
    snapshot = Library(settings.open_lake()).snapshot(project_id)
    try:
        if table == MODEL:
            sys.exit(export_model(project_id, choose_field(snapshot, field), out))
        rows = rows_of(snapshot, table, field, least, users) if logged is None else logged
    except ApiError as error:
        raise click.ClickException(error.message) from error
    write(rows, out)
    click.echo(f"{rows.height:,} rows of {table} of {project_id} are in {out}")


def ids_of(accounts: Accounts, project_id: str, user: str) -> list[str]:
    """Return the ids under which `user` may be stored."""
    try:
        return [user, *stored_as(accounts, project_id, "user", user)]
    except RuleError as error:
        raise click.ClickException(str(error)) from None


def audit_rows(accounts: Accounts, project_id: str) -> pl.DataFrame:
    """Return the project's audit log, oldest first; `about` is JSON."""
    rows = [
        (entry.audit_id, entry.at, entry.actor, entry.action, orjson.dumps(entry.about).decode())
        for entry in reversed(audit.entries(accounts, project_id, most=None))
    ]
    return pl.DataFrame(rows, schema=AUDIT_COLUMNS, orient="row")


def export_model(project_id: str, field: str | None, out: Path) -> int:
    """After this call `out` holds the field's topics as a BERTopic model; return the exit status."""
    if field is None:
        raise click.ClickException(f"{project_id} has no text field yet; `turret build` finds them")
    words = [f"--project={project_id}", f"--field={field}", f"--out={out}"]
    return run([sys.executable, "-m", "turret_pipeline.orchestration.export_model", *words], dict(os.environ))


def refused(table: str, least: int) -> str | None:
    """Return why a table is not exported where counts are to be of `least` users; None: it is."""
    if table not in COUNTS or least <= 1:
        return None
    words = f"{table} counts any number of users, and a file without texts is to be of {least} or more here"
    return f"{words} (Settings, Few users): export journeys."


def rows_of(
    snapshot: Snapshot, table: str, field: str | None, least: int = 0, users: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return what `turret export` writes of a table or view; raise an `ApiError` for a field that it cannot have.

    least: users that each number must be of in what holds no texts, which is `journeys`; 0: any number.
    users: ids that rows are to have in a table that has `user_id`; None: all rows.
    """
    of_users = pl.lit(True) if users is None else pl.col("user_id").is_in(users)
    if table == "fields":
        rows = list_fields(snapshot)
        kept = [row for row in rows if field in (None, row["field"])]
        return pl.DataFrame(kept, schema=FIELDS)
    if table == "journeys":
        chosen = choose_field(snapshot, field)
        return graph_edges(snapshot, chosen or "", replace(NO_FILTERS, few=least), 0).select(EDGE)
    if table == "messages":
        chosen = choose_field(snapshot, field) or ""
        found = with_texts(snapshot, chosen, messages_of(snapshot, chosen, ALL_KINDS).filter(of_users).collect())
        return found.sort("timestamp", "received_at", "seq", "event_id").select(MESSAGE)
    declared = TABLES[table]
    rows_of_table = snapshot.scan(declared).drop("project_id").select(pl.all().exclude(pl.Binary)).filter(of_users)
    if field is not None:
        if "field" not in declared.schema:
            raise ApiError(400, "INVALID_REQUEST", f"The table {table} is not by field; leave --field out.")
        rows_of_table = rows_of_table.filter(pl.col("field") == field)
    return rows_of_table.sort([name for name in declared.key if name != "project_id"]).collect()


def write(rows: pl.DataFrame, out: Path) -> None:
    """After this call `out` holds `rows`, in the format that its name ends in; until then, what it held before."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if out.suffix == ".parquet":
            rows.write_parquet(temporary)
        elif out.suffix == ".ndjson":
            with temporary.open("wb") as stream:
                for batch in rows.iter_slices(50_000):
                    stream.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_dicts())
        else:
            flat(rows).write_csv(temporary, datetime_format=CSV_TIME)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
