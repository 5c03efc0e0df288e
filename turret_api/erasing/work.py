"""Performing an erasure, from the spools to the receipt.

    asked for ──events of the user are held, turns and spools are brought in──▶ the lake has all that was sent before
        ──it goes from raw events, `events` and what people wrote──▶ what was named is in the lake's list alone
        ──a build──▶ ──nothing is left, histories are forgotten──▶ ──everywhere else──▶ the receipt is noted
        ──the list goes, and the hold──▶ done

Killed anywhere, the same call goes on from there. The steps in the lake are processes of `turret_pipeline`
(`orchestration.erase`, `orchestration.build`), which this package does not know; what is erased goes to them on stdin.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import apsw
import click
import msgspec
import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.directory import REFRESH_S
from turret_api.accounts.erased_ids import note_erased
from turret_api.accounts.privacy import MASKING, rules_of
from turret_api.accounts.suppression import hold, lift, suppress
from turret_api.collector.forgetting import Forget
from turret_api.erasing.book import Book, Erasure, Receipt, Totals, Wanted
from turret_api.erasing.elsewhere import erase_elsewhere, other_collectors
from turret_api.erasing.erased import Done, Erased
from turret_api.erasing.spools import forget_waiting_turns
from turret_api.home.dagster_home import dagster_environment
from turret_api.home.import_lock import one_import_at_a_time
from turret_api.home.spools import bring_in_spools, collectors_run
from turret_api.masking.forms import forms_of
from turret_api.masking.rule import RuleError
from turret_pipeline import failpoint
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.settings import Settings

_HEARD_S = 2 * REFRESH_S
"""Seconds until every collector knows that events of a user are not to be taken, or were erased."""

_OF_IDS = ("user", "session", "event")
"""Kinds of erasures that name an id, by which collectors know what waits in their spools."""

_FORGOTTEN = 3
"""Exit status of a step whose list is gone (`turret_pipeline.orchestration.erase`)."""

Say = Callable[[str], None]


class ErasureError(Exception):
    """An erasure could not be done; the message says why, without what was to be erased. The same call may do it."""


class ForgottenError(ErasureError):
    """What was to be erased is not known any more; the same call never does it."""


@dataclass(frozen=True)
class Workplace:
    """What an erasure is performed with. url: of the database. say: told how it goes, in lines without any value."""

    settings: Settings
    accounts: Accounts
    url: str
    say: Say


def perform(place: Workplace, erasure: Erasure) -> Erasure:
    """Do what is left to do of the erasure; return it as it is now: done.

    Raise `ErasureError` where it cannot be done now; the book has the reason then. Waits for another process that
    performs one of the same project.
    """
    book = Book(place.accounts)
    lake = place.settings.open_lake()
    name = f"erasures of {erasure.project_id}"
    with sole_writer(place.url, lake, name, lambda: place.say("another erasure is under way; waiting")):
        now = book.find(erasure.project_id, erasure.erasure_id)
        if now is None or now.wanted is None:
            return now or erasure
        book.begin(now)
        try:
            if now.receipt is None or now.receipt.problem is not None:
                book.note(now, _perform(place, book, now))
            failpoint.reached("erasing.after_receipt")
            _step(place, "discard", now)
            failpoint.reached("erasing.after_discard")
            lift(place.accounts, now.erasure_id)
            return book.finish(now)
        except ForgottenError as error:
            lift(place.accounts, now.erasure_id)
            book.give_up(now, _unfinished(now.wanted, (), str(error)))
            raise
        except (ErasureError, click.ClickException) as error:
            so_far = book.find(now.project_id, now.erasure_id)
            done = so_far.receipt.done if so_far is not None and so_far.receipt is not None else ()
            book.fail(now, _unfinished(now.wanted, done, str(error)))
            raise ErasureError(str(error)) from error


def _unfinished(wanted: Wanted, done: Iterable[Done], problem: str = "it is not done yet") -> Receipt:
    return Receipt(
        by=wanted.by,
        suppressed=wanted.suppress,
        keeps_totals=wanted.keep_totals,
        done=tuple(done),
        problem=problem,
    )


def _perform(place: Workplace, book: Book, erasure: Erasure) -> Receipt:
    wanted = erasure.wanted
    assert wanted is not None
    done = list(erasure.receipt.done) if erasure.receipt is not None else []
    forms: list[str] = []
    if wanted.value is not None:
        forms = _forms(place, erasure.project_id, erasure.kind, wanted.value)
        if forms:
            done = added_up(
                done, [Done("masked ids", "what stands for the id where it was masked, erased too", len(forms))]
            )
        done = added_up(done, _bring_in(place, erasure, [wanted.value, *forms], wanted.suppress))
        if wanted.keep_totals:
            place.say("bringing all tables up to date")
            _build(place, erasure.project_id)
    place.say("taking it out of raw events and the table events")
    with one_import_at_a_time(place.settings, erasure.project_id):
        removed = _step(place, "remove", erasure, forms)
    gathered = removed["gathered"]
    done = added_up(done, msgspec.convert(removed["done"], list[Done]))
    book.note(erasure, _unfinished(wanted, done))
    book.keep_hash_only(erasure)
    failpoint.reached("erasing.after_removal")
    if gathered["event_ids"]:
        place.say("bringing the other tables up to date")
        _build(place, erasure.project_id)
    failpoint.reached("erasing.after_build")
    place.say("forgetting what the tables were before")
    forgotten = _step(place, "forget", erasure)
    if forgotten["left"]:
        raise ErasureError(f"not everything could be taken out of the lake: {'; '.join(forgotten['left'][:5])}")
    done = added_up(done, msgspec.convert(forgotten["done"], list[Done]))
    book.note(erasure, _unfinished(wanted, done))
    failpoint.reached("erasing.after_lake")
    place.say("erasing it everywhere else")
    done = added_up(done, _elsewhere(place, erased_of(gathered)))
    failpoint.reached("erasing.after_elsewhere")
    return Receipt(
        by=wanted.by,
        suppressed=wanted.suppress,
        keeps_totals=wanted.keep_totals,
        n_events=len(gathered["event_ids"]),
        done=tuple(done),
        before=msgspec.convert(gathered["totals"], Totals),
        after=msgspec.convert(forgotten["totals"], Totals),
        not_reached=tuple(_not_reached(place.settings, erasure.kind)),
    )


def _elsewhere(place: Workplace, erased: Erased) -> list[Done]:
    try:
        return erase_elsewhere(place.settings, place.accounts, place.url, erased)
    except (OSError, SQLAlchemyError, psycopg2.Error, apsw.Error) as error:
        # The driver quotes the statement, with what is to be erased in it.
        raise ErasureError(f"a place outside the lake could not be reached ({type(error).__name__})") from error


def added_up(known: Iterable[Done], added: Iterable[Done]) -> list[Done]:
    """Return the lines of both, each thing once: what an erasure did before it was cut off counts too."""
    counts: dict[tuple[str, str], int] = {}
    for each in (*known, *added):
        counts[each.place, each.what] = counts.get((each.place, each.what), 0) + each.n
    return [Done(place, what, n) for (place, what), n in counts.items()]


def erased_of(gathered: dict[str, Any]) -> Erased:
    """Return what an erasure takes away, of what `orchestration.erase` gathered."""
    sets = {name: frozenset(gathered[name]) for name in ("user_ids", "session_ids", "event_ids", "texts", "text_ids")}
    is_of_many = gathered["kind"] == "events"
    return Erased(
        project_id=gathered["project_id"],
        kind="event" if is_of_many else gathered["kind"],
        values=sets["event_ids"] if is_of_many else frozenset([gathered["value"], *gathered["forms"]]),
        **sets,
    )


def _forms(place: Workplace, project_id: str, kind: str, value: str) -> list[str]:
    """Return what else the id is stored as, because the project masks ids or did."""
    if kind not in _OF_IDS:
        return []
    try:
        return forms_of(rules_of(place.accounts, project_id).get(MASKING), project_id, value)
    except RuleError as error:
        raise ErasureError(f"what the project masks cannot be read by this version of Turret: {error}") from None


def _bring_in(place: Workplace, erasure: Erasure, values: list[str], is_suppressed: bool) -> list[Done]:
    """After this call all that was sent before is in the lake, and no turn waits that is to be erased.

    values: what was named, in all its forms.
    """
    done = []
    if erasure.kind == "user":
        if is_suppressed:
            is_new = [suppress(place.accounts, erasure.project_id, each) for each in values]
            done.append(Done("collectors", "users whose later events are refused", int(any(is_new))))
        else:
            hold(place.accounts, erasure.project_id, values, erasure.erasure_id)
        if collectors_run(place.settings) or place.settings.database_url is not None:
            time.sleep(_HEARD_S)
    if erasure.kind in _OF_IDS:
        wanted = {"project_id": erasure.project_id, f"{erasure.kind}_ids": values}
        done += forget_waiting_turns(place.settings, msgspec.convert(wanted, Forget))
    before = dt.datetime.now(dt.UTC)
    bring_in_spools(place.settings, place.url)
    if erasure.kind in _OF_IDS:
        note_erased(place.accounts, erasure.project_id, erasure.kind, values, before)
        if other_collectors(place.settings, place.accounts):
            time.sleep(_HEARD_S)
    return done


def find(place: Workplace, project_id: str, kind: str, value: str) -> dict[str, Any]:
    """Return what an erasure would take away, as `orchestration.erase` gathers it; nothing is changed."""
    bring_in_spools(place.settings, place.url)
    forms = _forms(place, project_id, kind, value)
    asked = {"erasure_id": "none", "project_id": project_id, "kind": kind, "value": value, "forms": forms}
    found: dict[str, Any] = _asked(place, "find", asked)["gathered"]
    return found


def _step(place: Workplace, step: str, erasure: Erasure, forms: Iterable[str] = ()) -> dict[str, Any]:
    """Run a step of `turret_pipeline.orchestration.erase`; return what it says. forms: of what was named."""
    wanted = erasure.wanted
    asked = {
        "erasure_id": erasure.erasure_id,
        "project_id": erasure.project_id,
        "kind": erasure.kind,
        "value": "" if wanted is None else wanted.value or "",
        "forms": list(forms),
        "keep_totals": wanted is not None and wanted.keep_totals,
    }
    return _asked(place, step, asked)


def _asked(place: Workplace, step: str, asked: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "turret_pipeline.orchestration.erase", step]
    environment = dagster_environment(place.settings, place.url)
    done = subprocess.run(
        command, input=msgspec.json.encode(asked), env=environment, stdout=subprocess.PIPE, stderr=None, check=False
    )
    if done.returncode == _FORGOTTEN:
        raise ForgottenError("what was named is not known any more, as after a restore: erase it again")
    if done.returncode:
        raise ErasureError(f"the step {step!r} in the lake ended with status {done.returncode}")
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


def _build(place: Workplace, project_id: str) -> None:
    """Bring the project's tables up to date, as far as can be; whether that was far enough is looked at afterwards."""
    command = [sys.executable, "-m", "turret_pipeline.orchestration.build", f"--project={project_id}"]
    environment = dagster_environment(place.settings, place.url)
    # Its lines are for people, and stdout is for the receipt.
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        place.say(f"the build ended with status {done.returncode}")


def _not_reached(settings: Settings, kind: str) -> list[str]:
    """Return what this installation cannot reach, and what to do there, after an erasure of this kind."""
    found = [
        "what was downloaded from pages and /v1, and messages of alerts that were sent: delete them where they are",
        "exported files and backups that were moved or copied: keep turret-erasures.ndjson with the archives, and a "
        "restore erases it again",
    ]
    if settings.database_url is not None and kind not in _OF_IDS:
        found.append("spools of other hosts: events that waited there come into the lake later; erase again then")
    if "://" in settings.lake:
        found.append("earlier versions of objects, if the bucket keeps them: let its lifecycle rules remove them")
    return found
