"""`turret status`: what runs, and what there is. Looks, and changes nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import polars as pl
import psutil

from turret_api.accounts import Accounts
from turret_api.alerts.outbox import DEAD, WAITING, Outbox
from turret_api.command.health import accepts, answers, daemon_elsewhere, daemon_works
from turret_api.command.system import running
from turret_api.command.upgrade import standing
from turret_api.freshness import Freshness
from turret_api.home.spools import spooled
from turret_api.processes.postgres import database, embedded_server
from turret_pipeline.lake import store
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.inspection import blamed
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS, EVENTS, FIELD_FAILURES, LEFT_OUT_FIELDS, TOPICS
from turret_pipeline.semantics.failures import failed_fields
from turret_pipeline.settings import Settings

MOST_LISTED = 20
"""Projects past which the text names only some."""
MOST_LATE = 10
"""Projects that are late which the text names."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option(
    "--all", "shows_all", is_flag=True, help=f"List all projects, however many; default: at most {MOST_LISTED}."
)
def command(as_json: bool, shows_all: bool) -> None:
    """Show what runs and what there is: processes, database, lake, spool, projects, and events that wait too long."""
    settings = Settings.from_environment()
    found = status(settings)
    click.echo(json.dumps(found, indent=2) if as_json else _text(found, shows_all))


def status(settings: Settings) -> dict[str, Any]:
    """Return what runs for these settings and what there is, ready for JSON; times are ISO 8601 in UTC."""
    up = running(settings)
    server = embedded_server(settings.home) if settings.database_url is None else None
    with database(settings) as url:
        accounts = Accounts(url)
        try:
            # Each table is opened once for all projects, of which there may be thousands.
            lake, home = Batch(settings.open_lake()).lake, standing(settings, url)
            projects = [
                {"project_id": each.project_id, "name": each.name, "plan": each.plan, "limit": each.limit}
                | {"used": accounts.usage(each.project_id).used, **_tables(lake, each.project_id)}
                for each in (accounts.projects() if home.is_current else ())
            ]
            messages = Outbox(accounts).counts() if home.is_current else {}
        finally:
            accounts.close()
        processes = _processes(up, url)
    return {
        "home": str(settings.home),
        "upgrade": {"lacks": home.lacks, "obstacles": home.obstacles},
        "up": up is not None,
        "role": up.get("role") if up else None,
        "url": up.get("url") if up else None,
        "dagster_url": up.get("dagster_url") if up else None,
        "processes": processes,
        "database": {
            "kind": "embedded" if settings.database_url is None else "external",
            "runs": settings.database_url is not None or server is not None,
            "pid": server.pid if server else None,
        },
        "lake": {"root": settings.lake, "free_bytes": _free(settings.home)},
        "spool": {"events": sum(waiting for waiting, _ in spooled(settings))},
        "model": {"name": settings.model or "turret-multilingual", "problem": settings.model_problem},
        "pipeline": _pipeline(settings),
        "alerts": {"waiting": messages.get(WAITING, 0), "dead": messages.get(DEAD, 0)},
        "projects": projects,
    }


def _pipeline(settings: Settings) -> dict[str, Any]:
    freshness = Freshness(settings.open_lake(), settings.home / "spool", settings.late_s)
    late = freshness.late()
    damaged = freshness.damage()
    return {
        "late": bool(late or damaged),
        "damaged": damaged,
        "late_after_s": settings.late_s,
        "waiting": [
            {
                "project_id": wait.project_id,
                "since": wait.since_utc.isoformat(),
                "late": wait in late,
                "reason": wait.words,
            }
            for wait in freshness.waits()
        ],
    }


def _processes(up: dict[str, Any] | None, url: str) -> list[dict[str, Any]]:
    found = []
    up = up or {}
    for name, pid in up.get("pids", {}).items():
        lives = psutil.pid_exists(pid)
        healthy = (
            lives
            and {
                "api": lambda: answers(f"{up['url']}/readyz"),
                "code": lambda: accepts(up["ports"]["code"]),
                "dagster-ui": lambda: answers(f"{up['dagster_url']}/server_info"),
                "daemon": lambda: daemon_works(url),
            }.get(name, lambda: True)()
        )
        elsewhere = daemon_elsewhere(url, pid) if name == "daemon" else None
        port = up["ports"].get(name)
        found.append({"name": name, "pid": pid, "port": port, "healthy": healthy, "standing_by_for": elsewhere})
    return found


def _tables(lake: Lake, project_id: str) -> dict[str, Any]:
    """Return what there is of a project; where a table is damaged, that alone."""
    try:
        return _what_there_is(lake, project_id) | {"damage": None}
    except Exception as error:
        tables = (BUILDS, EVENTS, FIELD_FAILURES, LEFT_OUT_FIELDS, TOPICS)
        damage = blamed(replace(lake, batch=None), error, project_id, tables)
        if damage is None:
            raise
        unknown: dict[str, Any] = {
            "events": None,
            "topics": None,
            "built_at": None,
            "failed_fields": [],
            "left_out_fields": 0,
        }
        return {**unknown, "damage": damage.words}


def _what_there_is(lake: Lake, project_id: str) -> dict[str, Any]:
    levels = store.read(lake, TOPICS, project_id, "level")["level"]
    built_at = store.read(lake, BUILDS, project_id, "built_at")["built_at"].max()
    left_out = store.read(lake, LEFT_OUT_FIELDS, project_id)
    return {
        "events": int(store.scan(lake, EVENTS, project_id).select(pl.len()).collect().item()),
        "topics": int((levels == 0).sum()),
        "built_at": None if built_at is None else str(built_at.isoformat()),  # type: ignore[union-attr]
        "failed_fields": [
            {
                "field": each.field,
                "table": each.table,
                "received_date": None if each.day is None else each.day.isoformat(),
                "reason": each.reason,
            }
            for each in failed_fields(store.read(lake, FIELD_FAILURES, project_id))
        ],
        "left_out_fields": left_out.row(0, named=True)["n_fields"] if left_out.height else 0,
    }


def _late(wait: dict[str, Any]) -> str:
    whose = f"{wait['project_id']}: " if wait["project_id"] else ""
    return f"Pipeline   LATE: {whose}{wait['reason']}"


def _red(line: str) -> str:
    return click.style(line, fg="red")


def _free(folder: Path) -> int | None:
    return shutil.disk_usage(folder).free if folder.exists() else None


def _listed(projects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the projects that are listed where there are too many: where something is wrong, then the largest."""
    order = sorted(projects, key=lambda each: (not _is_wrong(each), -(each["events"] or 0)))
    return order[:MOST_LISTED]


def _is_wrong(project: dict[str, Any]) -> bool:
    return project["damage"] is not None or bool(project["failed_fields"])


def _rest(projects: list[dict[str, Any]], n_listed: int) -> str:
    """Return what is said of the projects that are not listed."""
    wrong = sum(map(_is_wrong, projects))
    events = sum(each["events"] or 0 for each in projects)
    of_these = f"; something is wrong in {wrong:,}" if wrong else ""
    return (
        f"  and {len(projects) - n_listed:,} more: {len(projects):,} projects with {events:,} events{of_these}; "
        "`turret status --all` lists them"
    )


def _text(found: dict[str, Any], shows_all: bool) -> str:
    lines = [f"Home       {found['home']}"]
    if found["up"]:
        lines += [f"Role       {found['role']}"] if found["role"] not in (None, "all") else []
        lines += [f"Dashboard  {found['url']}"] if found["url"] and found["role"] != "collector" else []
        lines += [f"Dagster    {found['dagster_url']}"] if found["dagster_url"] else []
    else:
        lines += ["`turret up` does not run for it."]
    for obstacle in found["upgrade"]["obstacles"]:
        lines += [f"REFUSED    {obstacle}"]
    if found["upgrade"]["lacks"]:
        lines += ["UPGRADE    this home is of an earlier version; `turret up` or `turret build` upgrades it:"]
        lines += [f"           {each}" for each in found["upgrade"]["lacks"]]
    lines += [f"Lake       {found['lake']['root']}"]
    database = found["database"]
    state = f"runs, pid {database['pid']}" if database["pid"] else ("in use" if database["runs"] else "stopped")
    lines += [f"Database   {database['kind']}, {state}"]
    lines += [f"Spool      {found['spool']['events']:,} events on their way into the lake"]
    late = [wait for wait in found["pipeline"]["waiting"] if wait["late"]]
    damaged = found["pipeline"]["damaged"]
    if found["model"]["problem"]:
        lines += [_red(f"MODEL      {found['model']['problem']}")]
    lines += [_red(f"DAMAGED    {words}") for words in damaged[:MOST_LATE]]
    in_time = ["Pipeline   in time"] if not damaged else []
    lines += [*in_time, ""] if not late else [*(_red(_late(wait)) for wait in late[:MOST_LATE]), ""]
    if len(late) > MOST_LATE:
        lines[-1:] = [_red(f"           and {len(late) - MOST_LATE} more projects are late"), ""]
    if n_dead := found["alerts"]["dead"]:
        words = "1 message was" if n_dead == 1 else f"{n_dead:,} messages were"
        lines[-1:] = [_red(f"ALERTS     {words} given up (GET /v1/alerts/deliveries?state=dead; docs/alerts.md)"), ""]
    for each in found["processes"]:
        port = f"port {each['port']}" if each["port"] else ""
        state = "healthy" if each["healthy"] else "NOT HEALTHY"
        state += f", standing by: {each['standing_by_for']} has it" if each["standing_by_for"] else ""
        lines += [f"  {each['name']:<12} pid {each['pid']:<8} {port:<11} {state}"]
    lines += [""] if found["processes"] else []
    lines += [f"  {'project':<24} {'plan':<11} {'events':>12} {'topics':>8}  built at"]
    projects = found["projects"]
    listed = projects if shows_all or len(projects) <= MOST_LISTED else _listed(projects)
    for each in listed:
        if each["damage"] is not None:
            lines += [f"  {each['project_id']:<24} {each['plan']:<11} {_red(each['damage'])}"]
            continue
        row = f"  {each['project_id']:<24} {each['plan']:<11} {each['events']:>12,} {each['topics']:>8}"
        lines += [f"{row}  {each['built_at'] or 'never'}"]
        for failed in each["failed_fields"]:
            of_day = f" of {failed['received_date']}" if failed["received_date"] else ""
            lines += [f"    FAILED: field {failed['field']} in {failed['table']}{of_day}: {failed['reason']}"]
        if each["left_out_fields"]:
            lines += [
                f"    LIMIT: {each['left_out_fields']:,} metadata fields or more have no type: there are too many "
                "(docs/operate.md, Limits)"
            ]
    if len(listed) < len(projects):
        lines += [_rest(projects, len(listed))]
    if found["upgrade"]["lacks"] or found["upgrade"]["obstacles"]:
        return "\n".join(lines[:-1])
    return "\n".join(lines if found["projects"] else [*lines[:-1], "There are no projects yet."])
