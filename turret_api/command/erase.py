"""`turret erase`: take what a user, a session or an event brought out of everything that Turret keeps."""

from __future__ import annotations

import json
from typing import Any, get_args

import click
import msgspec

from turret_api.command.accounts import open_accounts
from turret_api.erasing.book import Erasure
from turret_api.erasing.erased import Kind
from turret_pipeline.settings import Settings


@click.command()
@click.option("--project", required=True, metavar="P", help="Id or name of the project.")
@click.option("--user", metavar="ID", help="Erase all events of this user.")
@click.option("--session", metavar="ID", help="Erase all events of this session.")
@click.option("--event", metavar="ID", help="Erase this event.")
@click.option("--matching", metavar="TEXT", help="Erase all events that have TEXT in a text, in any case of letters.")
@click.option("--yes", is_flag=True, help="Do it; without this the command only says what would go.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--suppress/--no-suppress", default=False, help="Refuse later events of the user too.  [default: no]")
@click.option("--keep-totals", is_flag=True, help="Let the events count on, without texts and ids.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as one JSON object.")
def command(
    project: str,
    user: str | None,
    session: str | None,
    event: str | None,
    matching: str | None,
    yes: bool,
    dry_run: bool,
    suppress: bool,
    keep_totals: bool,
    as_json: bool,
) -> None:
    """Erase the events of a user or a session, one event, or all events with a text; it cannot be had back.

    They go from spools, raw events, tables with their earlier versions, topics, caches, logs, and what people wrote
    about them. Prints a receipt. Killed anywhere, the next call does the rest.
    """
    given = {"user": user, "session": session, "event": event, "texts": matching}
    named = [(kind, value) for kind, value in given.items() if value]
    if len(named) != 1 or sum(value is not None for value in given.values()) != 1:
        raise click.UsageError("name one of --user, --session, --event and --matching, with something in it")
    (kind, value), settings = named[0], Settings.from_environment()
    if suppress and kind != "user":
        raise click.UsageError("--suppress goes with --user: only the events of a user can be refused")
    if keep_totals and kind == "texts":
        raise click.UsageError("--keep-totals does not go with --matching: what is counted may have the text in it")
    if settings.model_problem and yes and not dry_run:
        raise click.ClickException(settings.model_problem)
    assert kind in get_args(Kind)
    is_sure, how = yes and not dry_run, (suppress, keep_totals)
    done = _erase(settings, project, kind, value, is_sure=is_sure, is_asked=dry_run, how=how)
    click.echo(json.dumps(done, ensure_ascii=False) if as_json else _words(done))


def _erase(
    settings: Settings, project: str, kind: Any, value: str, *, is_sure: bool, is_asked: bool, how: tuple[bool, bool]
) -> dict[str, Any]:
    """Erase, or say what would go. how: whether the user is suppressed, and whether the events count on."""
    # Here, not at the top: it loads the collector and the lake, which `--help` does without.
    from turret_api.accounts.audit import command_actor
    from turret_api.erasing.book import Book
    from turret_api.erasing.work import ErasureError, Workplace, find, perform
    from turret_api.processes.postgres import database

    with database(settings) as url, open_accounts(settings) as accounts:
        project_id = accounts.find_project(project).project_id
        place = Workplace(settings, accounts, url, lambda line: click.echo(line, err=True))
        try:
            if not is_sure:
                found = find(place, project_id, kind, value)
                told = {name: len(found[name]) for name in ("event_ids", "session_ids", "user_ids")}
                if is_asked:
                    return {"project_id": project_id, "kind": kind, "would_erase": told}
                raise click.ClickException(
                    f"this erases {_events(told['event_ids'])} of {project_id} and all that came from them, and cannot "
                    "be taken back; call it with --yes to do it"
                )
            book = Book(accounts)
            for each in book.unfinished(project_id):
                place.say(f"finishing {each.erasure_id}, which was begun at {each.created_at:%Y-%m-%d %H:%M:%S} UTC")
                perform(place, each)
            return receipt(perform(place, book.ask(project_id, kind, value, command_actor(), *how)))
        except ErasureError as error:
            raise click.ClickException(f"{error}; call this again") from error


def receipt(erasure: Erasure) -> dict[str, Any]:
    """Return what is told of an erasure that is done, as JSON has it."""
    told = msgspec.to_builtins(erasure)
    del told["wanted"]
    found: dict[str, Any] = {**told, **(told.pop("receipt") or {})}
    found.pop("receipt", None)
    return found


def _events(n: int) -> str:
    return f"{n:,} event" if n == 1 else f"{n:,} events"


def _words(done: dict[str, Any]) -> str:
    if "would_erase" in done:
        told = done["would_erase"]
        return (
            f"{_events(told['event_ids'])} of {done['project_id']} would go, with all there is of "
            f"{told['session_ids']:,} sessions and {told['user_ids']:,} users"
        )
    lines = [f"{done['erasure_id']}: {_events(done['n_events'])} of {done['project_id']} erased"]
    lines += [f"  {each['place']:<28} {each['n']:>10,}  {each['what']}" for each in done["done"] if each["n"]]
    before, after = done["before"], done["after"]
    lines += [f"  {name:<28} {before[name]:>10,}  before, {after[name]:,} after" for name in before]
    lines += ["Not reached from here:", *(f"  {each}" for each in done["not_reached"])]
    return "\n".join(lines)
