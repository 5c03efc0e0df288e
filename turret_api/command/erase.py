"""`turret erase`: take what users, sessions or events brought out of everything that Turret keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, get_args

import click
import msgspec

from turret_api.command.accounts import open_accounts
from turret_api.erasing.book import Erasure
from turret_api.erasing.erased import Kind
from turret_pipeline.settings import Settings


@dataclass(frozen=True)
class Wish:
    """What the command line names.

    Args:
        project: id or name of the project.
        kind: what `values` are: ids of users, sessions or events, or texts.
        values: each once.
        suppress: whether later events of the users are refused.
        keep_totals: whether the events count on.
    """

    project: str
    kind: Any
    values: tuple[str, ...]
    suppress: bool
    keep_totals: bool


@click.command()
@click.option("--project", required=True, metavar="P", help="Id or name of the project.")
@click.option("--user", multiple=True, metavar="ID", help="Erase all events of this user. May be given repeatedly.")
@click.option(
    "--users-from",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="Erase all events of the users in FILE, one id a line; -: of stdin.",
)
@click.option("--session", multiple=True, metavar="ID", help="Erase all events of this session; repeatedly too.")
@click.option("--event", multiple=True, metavar="ID", help="Erase this event; repeatedly too.")
@click.option(
    "--matching",
    multiple=True,
    metavar="TEXT",
    help="Erase all events that have TEXT in a text, in any case of letters; repeatedly too.",
)
@click.option("--yes", is_flag=True, help="Do it; without this the command only says what would go.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--suppress/--no-suppress", default=False, help="Refuse later events of the user too.  [default: no]")
@click.option("--keep-totals", is_flag=True, help="Let the events count on, without texts and ids.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the receipt as one JSON object; of several, or with --users-from, an array of them.",
)
def command(
    project: str,
    user: tuple[str, ...],
    users_from: IO[str] | None,
    session: tuple[str, ...],
    event: tuple[str, ...],
    matching: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    suppress: bool,
    keep_totals: bool,
    as_json: bool,
) -> None:
    """Erase the events of users or sessions, single events, or all events with a text; they cannot be had back.

    They go from spools, raw events, tables with their earlier versions, topics, caches, logs, and what people wrote
    about them. Prints a receipt of each. What is named together goes together, with all else of the project that waits
    to be erased, and takes little longer than one. Killed anywhere, the next call does the rest.
    """
    users = (*user, *(_lines(users_from) if users_from is not None else ()))
    given = {"user": users, "session": session, "event": event, "texts": matching}
    named = [(kind, tuple(dict.fromkeys(values))) for kind, values in given.items() if values]
    if len(named) != 1 or not all(named[0][1]):
        options = "--user, --users-from, --session, --event and --matching"
        raise click.UsageError(f"name one of {options}, with something in it")
    (kind, values), settings = named[0], Settings.from_environment()
    if suppress and kind != "user":
        raise click.UsageError("--suppress goes with --user: only the events of a user can be refused")
    if keep_totals and kind == "texts":
        raise click.UsageError("--keep-totals does not go with --matching: what is counted may have the text in it")
    if settings.model_problem and yes and not dry_run:
        raise click.ClickException(settings.model_problem)
    assert kind in get_args(Kind)
    wish = Wish(project, kind, values, suppress, keep_totals)
    done, problems = _erase(settings, wish, is_sure=yes and not dry_run, is_asked=dry_run)
    is_array = len(values) > 1 or users_from is not None
    if as_json and (is_array or done):
        click.echo(json.dumps(done if is_array else done[0], ensure_ascii=False))
    elif done:
        click.echo("\n".join(_words(each) for each in done))
    if problems:
        raise click.ClickException("\n".join(f"{each}; call this again" for each in problems))


def _lines(file: IO[str]) -> list[str]:
    """Return the lines of a file that are not empty; a separator of Unicode's, which an id may have, ends none."""
    try:
        return [line for each in file.read().split("\n") if (line := each.removesuffix("\r")).strip()]
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is no text in UTF-8: {error}") from None


def _erase(
    settings: Settings, wish: Wish, *, is_sure: bool, is_asked: bool
) -> tuple[list[dict[str, Any]], Sequence[str]]:
    """Erase, or say what would go; return what is told of each, and what went wrong."""
    # Here, not at the top: it loads the collector and the lake, which `--help` does without.
    from turret_api.accounts.audit import command_actor
    from turret_api.erasing.book import Book
    from turret_api.erasing.work import ErasureError, Workplace, find, perform_waiting
    from turret_api.processes.postgres import database

    with database(settings) as url, open_accounts(settings) as accounts:
        project_id = accounts.find_project(wish.project).project_id
        place = Workplace(settings, accounts, url, lambda line: click.echo(line, err=True))
        if not is_sure:
            try:
                found = find(place, project_id, wish.kind, wish.values)
            except ErasureError as error:
                return [], [str(error)]
            if is_asked:
                return [_would_erase(project_id, wish.kind, each) for each in found], ()
            n_events = len({event_id for each in found for event_id in each["event_ids"]})
            raise click.ClickException(
                f"this erases {_events(n_events)} of {project_id} and all that came from them, and cannot "
                "be taken back; call it with --yes to do it"
            )
        book = Book(accounts)
        for each in book.unfinished(project_id):
            place.say(f"finishing {each.erasure_id}, which was asked for at {each.created_at:%Y-%m-%d %H:%M:%S} UTC")
        how = command_actor(), wish.suppress, wish.keep_totals
        asked = [book.ask(project_id, wish.kind, value, *how) for value in wish.values]
        perform_waiting(place, project_id)
        now = [book.find(project_id, each.erasure_id) or each for each in asked]
        problems = dict.fromkeys(each.problem for each in now if each.state != "done")
        return [receipt(each) for each in now if each.state == "done"], tuple(problems)


def _would_erase(project_id: str, kind: str, found: dict[str, Any]) -> dict[str, Any]:
    told = {name: len(found[name]) for name in ("event_ids", "session_ids", "user_ids")}
    return {"project_id": project_id, "kind": kind, "would_erase": told}


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
