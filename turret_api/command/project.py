"""`turret project`: make, list and delete projects."""

from __future__ import annotations

import dataclasses
import json

import click

from turret_api.command.accounts import open_accounts
from turret_pipeline.settings import Settings


@click.group("project")
def command() -> None:
    """Create, list and delete projects."""


@command.command("create")
@click.argument("name")
@click.option(
    "--plan",
    type=click.Choice(["trial", "pro", "business", "enterprise"]),
    default="trial",
    show_default=True,
    help="What the project may send.",
)
@click.option("--limit", type=click.IntRange(min=0), help="Events a month, for enterprise only; default: no limit.")
@click.option(
    "--mask", is_flag=True, help="Mask e-mail addresses, cards, secrets and the like before events are stored."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create(name: str, plan: str, limit: int | None, mask: bool, as_json: bool) -> None:
    """Make a project and print its keys, which cannot be shown again."""
    from turret_api.accounts import audit
    from turret_api.accounts.privacy import MASKING, set_rule
    from turret_api.masking.kinds import ALWAYS
    from turret_api.masking.rule import Rule, stored

    with open_accounts() as accounts:
        made = accounts.create_project(name, plan, limit)
        if mask:
            set_rule(accounts, made.project_id, MASKING, stored(Rule(frozenset(ALWAYS)), Rule()))
        audit.record(accounts, made.project_id, audit.command_actor(), "project_made", {"name": name, "plan": plan})
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(made)))
        return
    for field, value in dataclasses.asdict(made).items():
        click.echo(f"{field:<11} {value}")
    click.echo("The keys are shown this once; only their hashes are kept.", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a project.")
def list_(as_json: bool) -> None:
    """Show all projects with their use."""
    with open_accounts() as accounts:
        projects = accounts.projects()
        usage = {project.project_id: accounts.usage(project.project_id) for project in projects}
    for project in projects:
        use = usage[project.project_id]
        if as_json:
            row = {**dataclasses.asdict(project), "created_at": project.created_at.isoformat(), "used": use.used}
            click.echo(json.dumps(row))
        else:
            limit = "no limit" if use.limit is None else f"{use.limit:,}"
            click.echo(f"{project.project_id:<30} {project.plan:<11} {use.used:>12,} of {limit:<12} {project.name}")


@command.command("plan")
@click.argument("project")
@click.argument("plan", type=click.Choice(["trial", "pro", "business", "enterprise"]))
@click.option("--limit", type=click.IntRange(min=0), help="Events a month, for enterprise only; default: no limit.")
def plan_(project: str, plan: str, limit: int | None) -> None:
    """Give PROJECT (id or name) another plan, in force within seconds."""
    from turret_api.accounts import audit

    with open_accounts() as accounts:
        found = accounts.find_project(project)
        accounts.change_plan(found.project_id, plan, limit)
        about = {"plan": plan, "limit": limit}
        audit.record(accounts, found.project_id, audit.command_actor(), "plan_changed", about)
    click.echo(f"{found.project_id} is now on the plan {plan}")


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it; without this the command only says what would go.")
def delete_(name: str, yes: bool) -> None:
    """Delete the project NAME (or id) with all its events, tables, topics, edits and keys; it cannot be had back.

    Its id is not given again. Backups that were made before still have it.
    """
    # Here, not at the top: it loads the collector and the lake, which the other commands do without.
    from turret_api.command import project_deletion

    project_deletion.delete(Settings.from_environment(), name, yes)
