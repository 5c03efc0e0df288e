"""Performing the erasures of a project that wait, all together, from the spools to the receipts.

    asked for ──events of what was named are held, turns and spools are brought in──▶ the lake has all that was sent
    before ──it goes from raw events, `events` and what people wrote──▶ what was named is in the lake's lists alone
        ──a build──▶ ──nothing is left, histories are forgotten──▶ ──everywhere else──▶ the receipts are noted
        ──the lists go, and the holds──▶ done

Killed anywhere, the same call goes on from there, with what was asked for meanwhile. What takes long is done once for
all of them: the spools, the build, the histories, the places elsewhere. One that cannot be done fails alone where the
others can; all fail where the lake cannot be read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw
import click
import msgspec
import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts.collectors import still_out
from turret_api.accounts.directory import REFRESH_S
from turret_api.accounts.erased_ids import clock_of, note_erased
from turret_api.accounts.suppression import hold, lift, suppress
from turret_api.collector.forgetting import Forget
from turret_api.erasing.book import NOT_YET, Book, Erasure, Receipt, Totals, Wanted
from turret_api.erasing.elsewhere import HEARD_OF, erase_elsewhere, other_collectors
from turret_api.erasing.erased import OF_IDS, Done, Erased
from turret_api.erasing.lake_steps import ErasureError, Named, UnforeseenError, Workplace, build, run_step
from turret_api.erasing.masked_ids import stored_as
from turret_api.erasing.spools import forget_waiting_turns
from turret_api.erasing.told import Told
from turret_api.home.import_lock import one_import_at_a_time
from turret_api.home.spools import bring_in_spools, collectors_run
from turret_api.masking.rule import RuleError
from turret_pipeline import failpoint
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.settings import Settings

__all__ = ["ErasureError", "Workplace", "find", "perform", "perform_waiting"]

_HEARD_S = 2 * REFRESH_S
"""Seconds until every collector knows that events of what is erased are not to be taken, or were erased."""
_ALL_IN_S = 90.0
"""Longest time to wait for hosts to bring in what they have: turns of agents wait for a minute."""
_FORGOTTEN = "what was named is not known any more, as after a restore: erase it again"


@dataclass
class _UnderWay:
    """An erasure that is being performed.

    Args:
        erasure: as the book had it when it was begun.
        told: what its receipt says by now.
        forms: what stands for the id that was named, where it is masked.
        gathered: what it takes away, as `orchestration.erase` tells it.
        away: hosts that have not brought in what they had taken, in words; None: that is not known.
    """

    erasure: Erasure
    told: Told
    forms: tuple[str, ...] = ()
    gathered: dict[str, Any] = field(default_factory=dict)
    away: tuple[str, ...] | None = None

    @property
    def wanted(self) -> Wanted:
        """What was asked for; an erasure under way has it."""
        assert self.erasure.wanted is not None
        return self.erasure.wanted

    @property
    def is_noted(self) -> bool:
        """Whether nothing is left of what it names, and its receipt says so."""
        return self.erasure.receipt is not None and self.erasure.receipt.problem is None

    @property
    def named(self) -> Named:
        """What the steps in the lake are told."""
        return Named(
            erasure_id=self.erasure.erasure_id,
            kind=self.erasure.kind,
            value=self.wanted.value or "",
            forms=self.forms,
            keep_totals=self.wanted.keep_totals,
        )

    def receipt(self, **more: Any) -> Receipt:
        """Return what is to be noted of it now."""
        return Receipt(
            by=self.wanted.by,
            suppressed=self.wanted.suppress,
            keeps_totals=self.wanted.keep_totals,
            done=self.told.lines,
            **more,
        )


def perform(place: Workplace, erasure: Erasure) -> Erasure:
    """Do what is left to do of the erasure, and of all others of its project that wait; return it as it is now: done.

    Raise `ErasureError` where it cannot be done now; the book has the reason then. Waits for another process that
    performs some of the same project.
    """
    book = Book(place.accounts)
    now = book.find(erasure.project_id, erasure.erasure_id)
    if now is None or now.wanted is None:
        return now or erasure
    perform_waiting(place, erasure.project_id)
    now = book.find(erasure.project_id, erasure.erasure_id) or now
    if now.state != "done":
        raise ErasureError(now.problem)
    return now


def perform_waiting(place: Workplace, project_id: str) -> list[Erasure]:
    """Do what is left to do of all erasures of the project that are not done; return them as they are now.

    They come oldest first. Those that could not be done have failed, for now or for good, and the book has the reasons.
    """
    book, lake = Book(place.accounts), place.settings.open_lake()
    name = f"erasures of {project_id}"
    with sole_writer(place.url, lake, name, lambda: place.say("another erasure is under way; waiting")):
        begun = [_UnderWay(each, Told.of(each.receipt)) for each in book.unfinished(project_id)]
        for each in begun:
            book.begin(each.erasure)
        left, ready = ([each for each in begun if each.is_noted is noted] for noted in (False, True))
        try:
            ready += _take_out(place, book, project_id, left) if left else []
        except (ErasureError, click.ClickException) as error:
            _fail(book, left, str(error))
        if ready:
            _finish(place, book, project_id, ready)
        found = [book.find(project_id, each.erasure.erasure_id) for each in begun]
    return [each for each in found if each is not None]


def _finish(place: Workplace, book: Book, project_id: str, ready: Sequence[_UnderWay]) -> None:
    """After this call those whose receipts are noted are done.

    Where the lists cannot be discarded they stay as they are noted, for the next call to end: some of the lists may be
    gone, so nothing may begin anew.
    """
    failpoint.reached("erasing.after_receipt")
    try:
        run_step(place, "discard", project_id, [each.named for each in ready])
    except ErasureError as error:
        place.say(str(error))
        return
    failpoint.reached("erasing.after_discard")
    for each in ready:
        lift(place.accounts, each.erasure.erasure_id)
        book.finish(each.erasure)


def _fail(book: Book, erasures: Iterable[_UnderWay], problem: str) -> None:
    """After this call those of them that are under way still have failed, for now."""
    for each in erasures:
        now = book.find(each.erasure.project_id, each.erasure.erasure_id)
        if now is not None and now.state == "running":
            book.fail(each.erasure, each.receipt(problem=problem))


def _take_out(place: Workplace, book: Book, project_id: str, left: Sequence[_UnderWay]) -> list[_UnderWay]:
    """Take out what the erasures name; return those of which nothing is left, with their receipts noted.

    The others have failed. Raise `ErasureError` or `click.ClickException` where none could be done.
    """
    if new := [each for each in left if each.wanted.value is not None]:
        _bring_in(place, project_id, new)
    if any(each.wanted.keep_totals for each in left):
        place.say("bringing all tables up to date")
        build(place, project_id)
    place.say("taking it out of raw events and the table events")
    waits = "an import is running; waiting until it ends"
    with one_import_at_a_time(place.settings, place.url, project_id, lambda: place.say(waits)):
        going = _remove(place, book, project_id, left)
    _note(book, going)
    for each in going:
        book.keep_hash_only(each.erasure)
    failpoint.reached("erasing.after_removal")
    if any(each.gathered["event_ids"] for each in going):
        place.say("bringing the other tables up to date")
        build(place, project_id)
    failpoint.reached("erasing.after_build")
    if not going:
        return []
    place.say("forgetting what the tables were before")
    forgotten = run_step(place, "forget", project_id, [each.named for each in going])
    _tell_all(going, forgotten["done"])
    _note(book, going)
    for each in going:
        if remains := forgotten["left"].get(each.erasure.erasure_id):
            _fail(book, [each], f"not everything could be taken out of the lake: {'; '.join(remains[:5])}")
    going = [each for each in going if each.erasure.erasure_id not in forgotten["left"]]
    failpoint.reached("erasing.after_lake")
    if not going:
        return []
    place.say("erasing it everywhere else")
    _tell_all(going, _elsewhere(place, [erased_of(each.gathered, each.wanted.keep_totals) for each in going]))
    failpoint.reached("erasing.after_elsewhere")
    # What is found later than the first removal finds less in the tables.
    before = max((msgspec.convert(each.gathered["totals"], Totals) for each in going), key=lambda each: each.events)
    after = msgspec.convert(forgotten["totals"], Totals)
    for each in going:
        n_events = len(each.gathered["event_ids"])
        not_reached = tuple(_not_reached(place.settings, each))
        whole = each.receipt(n_events=n_events, before=before, after=after, not_reached=not_reached)
        book.note(each.erasure, whole)
    return going


def _note(book: Book, going: Iterable[_UnderWay]) -> None:
    for each in going:
        book.note(each.erasure, each.receipt(problem=NOT_YET))


def _tell_all(going: Sequence[_UnderWay], done: Any) -> None:
    """Tell in each receipt what was done for all of them."""
    for each in going:
        each.told.add_shared(msgspec.convert(done, list[Done]), len(going))


def _remove(place: Workplace, book: Book, project_id: str, left: Sequence[_UnderWay]) -> list[_UnderWay]:
    """Take what is named out of what others are made from; return those of which that is so, with what they take away.

    Where it does not work with all of them at once, it is tried with each alone, so that one does not hold up the
    others. What is not known any more is given up.
    """
    try:
        removed = [(left, run_step(place, "remove", project_id, [each.named for each in left]))]
    except UnforeseenError:
        if len(left) == 1:
            raise
        removed = []
        for each in left:
            try:
                removed.append(([each], run_step(place, "remove", project_id, [each.named])))
            except UnforeseenError as error:
                _fail(book, [each], str(error))
    going = []
    for some, found in removed:
        gathered = {each["erasure_id"]: each for each in found["gathered"]}
        for each in some:
            erasure_id = each.erasure.erasure_id
            if erasure_id not in gathered:
                lift(place.accounts, erasure_id)
                book.give_up(each.erasure, each.receipt(problem=_FORGOTTEN))
                continue
            each.gathered = gathered[erasure_id]
            each.told.add(msgspec.convert(found["own"].get(erasure_id, []), list[Done]))
            each.told.add_shared(msgspec.convert(found["shared"], list[Done]), len(some))
            going.append(each)
    return going


def _elsewhere(place: Workplace, erased: Sequence[Erased]) -> list[Done]:
    try:
        return erase_elsewhere(place.settings, place.accounts, place.url, erased)
    except (OSError, SQLAlchemyError, psycopg2.Error, apsw.Error) as error:
        # The driver quotes the statement, with what is to be erased in it.
        raise ErasureError(f"a place outside the lake could not be reached ({type(error).__name__})") from error


def erased_of(gathered: dict[str, Any], keeps_totals: bool = False) -> Erased:
    """Return what an erasure takes away, of what `orchestration.erase` gathered."""
    sets = {name: frozenset(gathered[name]) for name in ("user_ids", "session_ids", "event_ids", "texts", "text_ids")}
    is_of_many = gathered["kind"] == "events"
    return Erased(
        project_id=gathered["project_id"],
        kind="event" if is_of_many else gathered["kind"],
        values=sets["event_ids"] if is_of_many else frozenset([gathered["value"], *gathered["forms"]]),
        keeps_totals=keeps_totals,
        **sets,
    )


def _forms(place: Workplace, project_id: str, kind: str, value: str) -> tuple[str, ...]:
    """Return what else the id is stored as, because the project masks ids or did."""
    try:
        return stored_as(place.accounts, project_id, kind, value)
    except RuleError as error:
        raise ErasureError(str(error)) from None


def _bring_in(place: Workplace, project_id: str, new: Sequence[_UnderWay]) -> None:
    """After this call all that was sent before is in the lake, and nothing comes or waits that is to be erased."""
    ids: dict[str, set[str]] = {}
    for each in new:
        value, kind = each.named.value, each.erasure.kind
        each.forms = _forms(place, project_id, kind, value)
        if each.forms:
            n_forms = len(each.forms)
            each.told.add([Done("masked ids", "what stands for the id where it was masked, erased too", n_forms)])
        if kind in OF_IDS:
            ids.setdefault(kind, set()).update((value, *each.forms))
            _hold(place, each)
    if ids:
        if collectors_run(place.settings) or place.settings.database_url is not None:
            time.sleep(_HEARD_S)
        users, sessions, events = (frozenset(ids.get(kind, ())) for kind in OF_IDS)
        wanted = Forget(project_id=project_id, user_ids=users, session_ids=sessions, event_ids=events)
        _tell_all(new, forget_waiting_turns(place.settings, wanted))
    if texts := [each for each in new if each.erasure.kind == "texts"]:
        _wait_for_hosts(place, project_id, texts)
    before = clock_of(place.accounts)
    bring_in_spools(place.settings, place.url)
    for of_ids, values in ids.items():
        note_erased(place.accounts, project_id, of_ids, values, before)
    if ids and other_collectors(place.settings, place.accounts):
        time.sleep(_HEARD_S)


def _wait_for_hosts(place: Workplace, project_id: str, texts: Sequence[_UnderWay]) -> None:
    """After this call what all hosts had taken is in the lake, but for those that are away; receipts say which.

    No hash tells a collector which of its events have a text in them. So all are asked to bring in what they have.
    """
    first, *_ = texts
    number = hold(place.accounts, project_id, [first.erasure.erasure_id], first.erasure.erasure_id, "texts")
    place.say("waiting until all hosts have brought in what they have taken")
    others = other_collectors(place.settings, place.accounts)
    out = [each for each in still_out(place.accounts, number, HEARD_OF, _ALL_IN_S) if each.collector_id in others]
    for each in texts:
        each.away = tuple(f"{one.words}, last heard of {one.silent_s / 3600:.1f} hours ago" for one in out)
    what = "collectors that have brought in what they had taken"
    _tell_all(texts, [Done("spools of other hosts", what, len(others) - len(out))] if others else [])


def _hold(place: Workplace, each: _UnderWay) -> None:
    """After this call events of what was named are not taken."""
    erasure, values = each.erasure, (each.named.value, *each.forms)
    if each.wanted.suppress:
        is_new = [suppress(place.accounts, erasure.project_id, value) for value in values]
        each.told.add([Done("collectors", "users whose later events are refused", int(any(is_new)))])
    else:
        hold(place.accounts, erasure.project_id, values, erasure.erasure_id, erasure.kind)


def find(place: Workplace, project_id: str, kind: str, values: Sequence[str]) -> list[dict[str, Any]]:
    """Return what erasures would take away, one of each value, as `orchestration.erase` gathers it.

    Nothing is changed.
    """
    bring_in_spools(place.settings, place.url)
    named = [
        Named(erasure_id=str(number), kind=kind, value=value, forms=_forms(place, project_id, kind, value))
        for number, value in enumerate(values)
    ]
    found: list[dict[str, Any]] = run_step(place, "find", project_id, named)["gathered"]
    return found


def _not_reached(settings: Settings, done: _UnderWay) -> list[str]:
    """Return what this installation cannot reach, and what to do there, after this erasure."""
    found = [
        "what was downloaded from pages and /v1, and messages of alerts that were sent: delete them where they are",
        "exported files and backups that were moved or copied: keep turret-erasures.ndjson with the archives, and a "
        "restore erases it again",
    ]
    later = "events that waited there come into the lake later; erase again then"
    if done.away is not None:
        found += [f"the spool of {each}: {later}" for each in done.away]
    elif settings.database_url is not None and done.erasure.kind not in OF_IDS:
        found.append(f"spools of other hosts: {later}")
    if "://" in settings.lake:
        found.append(
            "earlier versions of objects, if the bucket keeps versions: they stay until a rule of the bucket removes "
            'them (docs/erasure.md, "A bucket that keeps versions")'
        )
    return found
