"""What waits in the spool of another host does not come back with its next roll once it was erased."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.collector.conftest import Server
from tests.erasing.test_spools import spans_that_wait
from tests.test_one_event import until
from turret_api.accounts import Accounts, NewProject
from turret_api.accounts.collectors import SeenCollector, still_out, wrong_clocks
from turret_api.accounts.directory import Directory
from turret_api.accounts.erased_ids import MARGIN, ErasedIds, erased_ids, note_erased
from turret_api.accounts.grants import Grants, _off_s
from turret_api.accounts.plans import Plan
from turret_api.accounts.suppression import Hasher, hold
from turret_api.collector.event import check
from turret_api.collector.ledger import Ledger
from turret_api.collector.metrics import Metrics
from turret_api.collector.roller import Roller
from turret_api.collector.spool import Spool
from turret_api.collector.submission import Submission
from turret_api.collector.writer import Writer
from turret_api.erasing.book import Book
from turret_api.erasing.elsewhere import HEARD_OF
from turret_api.erasing.told import Told
from turret_api.erasing.work import Workplace, _not_reached, _UnderWay, perform
from turret_api.errors import ApiError
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

GONE = "ada@example.com"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
US = round(NOW.timestamp() * 1e6)


def event(user_id: str, session_id: str, event_id: str) -> dict[str, Any]:
    return {
        "name": "said",
        "metadata": {"prompt": f"{user_id} asks"},
        "user_id": user_id,
        "session_id": session_id,
        "event_id": event_id,
    }


@pytest.mark.slow
def test_an_event_of_an_erased_user_is_left_out_where_it_waited_and_a_later_one_is_kept(
    make_server: Callable[..., Server],
    new_project: Callable[..., NewProject],
    accounts: Accounts,
    database_url: str,
    tmp_path: Path,
) -> None:
    project, lake = new_project(), tmp_path / "lake"
    there = {"TURRET_LAKE": str(lake), "TURRET_ROLL_SECONDS": "3600"}
    other = make_server(environment=there).start()
    sent = other.track(project.write_key, [event(GONE, "s1", "1"), event("bob", "s2", "2"), event(GONE, "s1", "3")])
    assert (sent.status, sent.json["accepted"]) == (200, 3)
    headers, turns = {"X-API-Key": project.write_key}, other.home / "spool" / "0" / "turns.ndjson"
    headers["Content-Type"] = "application/json"
    assert other.request("POST", "/v1/traces", spans_that_wait(GONE), headers).status == 200
    assert "Hello" in turns.read_text()
    here = {"TURRET_HOME": str(tmp_path / "here"), "TURRET_LAKE": str(lake), "TURRET_DATABASE_URL": database_url}
    place = Workplace(Settings.from_environment(here), accounts, database_url, lambda line: None)
    done = perform(place, Book(accounts).ask(project.project_id, "user", GONE, "key:k1"))
    assert done.receipt is not None and done.receipt.n_events == 0
    assert any("leave out events that wait" in each.what and each.n for each in done.receipt.done)
    assert not any("spools of other hosts" in each for each in done.receipt.not_reached)
    until(lambda: other.track(project.write_key, event(GONE, "s3", "4")).status == 200)
    until(lambda: "Hello" not in turns.read_text())  # a turn that waited there, too
    other.kill()
    assert other.start().stop() == 0  # which rolls all that waits
    assert sorted(other.events(project.project_id)["event_id"]) == ["2", "4"]
    assert "events that were erased since they were received are left out" in other.log()


@pytest.mark.slow
def test_hosts_bring_in_what_they_have_where_texts_are_erased_and_one_that_is_away_is_named(
    make_server: Callable[..., Server], make_database: Callable[[], str]
) -> None:
    url = make_database()
    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        project = accounts.create_project("texts")
        other = make_server(environment={"TURRET_ROLL_SECONDS": "3600"}, database_url=url).start()

        def left() -> list[SeenCollector]:
            number = hold(accounts, project.project_id, ["era_1"], "era_1", "texts")
            return still_out(accounts, number, HEARD_OF, 60)

        assert other.track(project.write_key, event("ann", "s1", "1")).status == 200
        assert left() == []
        assert list(other.events(project.project_id)["event_id"]) == ["1"]
        assert other.track(project.write_key, event("ann", "s1", "2")).status == 200
        other.kill()
        (away,) = left()
        assert away.host == socket.gethostname()
        settings = Settings.from_environment({"TURRET_DATABASE_URL": url})
        asked = Book(accounts).ask(project.project_id, "texts", "ann asks", "key:k1")
        said = _not_reached(settings, _UnderWay(asked, Told(), away=(away.words,)))
        assert [each for each in said if "erase again" in each and away.collector_id in each]
        assert not any("erase again" in each for each in _not_reached(settings, _UnderWay(asked, Told(), away=())))
        assert other.start().stop() == 0  # in order, and so nothing waits
        assert left() == []


def test_a_host_whose_clock_is_off_is_named(make_database: Callable[[], str]) -> None:
    with contextlib.closing(Accounts(make_database())) as accounts:
        accounts.migrate()
        for number, off_s in enumerate([-4.0, None, 12.4, -3600.0]):
            grants = Grants(accounts, f"c{number}")
            grants.clock_off_s = off_s
            grants.report({})  # which measures it anew, for the next report
            assert grants.clock_off_s == pytest.approx(0, abs=1)
        ahead, behind = wrong_clocks(accounts)
        assert "is 12 seconds ahead of that of Postgres" in ahead and "3,600 seconds behind" in behind


def test_what_is_asked_for_is_rolled_at_once_but_not_before_turns_that_wait(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.track("young")
    host.roller.waits = lambda version: version > 2
    host.asked = 40, 3
    host.roller._bring_in()
    assert host.roller.brought_in is None and list_parts(host.lake, "shop") == []
    host.asked = 41, 2
    host.roller._bring_in()
    assert host.roller.brought_in == 41 and host.end() == ["young"]


def test_a_clock_is_off_by_what_the_time_of_asking_cannot_explain() -> None:
    assert [_off_s(at, 100.0, 103.0) for at in (90.0, 99.5, 100.0, 101.0, 103.0, 104.0)] == [10, 0.5, 0, 0, 0, -1]


MINUTE = 60_000_000
MARGIN_US = round(MARGIN.total_seconds() * 1e6)


@pytest.mark.parametrize(
    ("after_us", "ids", "is_gone"),
    [
        (-MINUTE, ("ada", "s", "e"), True),
        (MARGIN_US - 1, ("ada", "s", "e"), True),  # the clock may be wrong
        (MARGIN_US, ("ada", "s", "e"), False),
        (-MINUTE, ("bob", "s", "e"), False),
        (-MINUTE, ("bob", "ended", "e"), True),
        (-MINUTE, ("bob", "ada", "ada"), False),  # an id of another kind
        (-MINUTE, ("ended", "s", "one"), True),
        (MARGIN_US + 500_000, ("bob", "s", "one"), True),  # it was erased again, later
        (MARGIN_US + 1_000_000, ("bob", "s", "one"), False),
    ],
)
def test_an_event_was_erased_if_it_is_of_the_id_and_was_received_before_or_without_knowing_soon_after(
    erased: Directory, after_us: int, ids: tuple[str, str, str], is_gone: bool
) -> None:
    known, received_us = erased.erased(), US + after_us
    assert known is not None
    project_id = next(iter(known.by_project))
    assert known.has(project_id, received_us, ids, never) is is_gone
    assert not known.has("another", received_us, ids, never)
    assert not known.has(project_id, received_us, ids, lambda hashed, before: True)
    assert known.has(project_id, received_us, ids, known.knew(project_id, -1)) is is_gone
    assert not known.has(project_id, received_us, ids, known.knew(project_id, erased.version))


def test_what_is_known_of_an_erasure_stays_known_and_a_later_one_of_the_same_id_is_news() -> None:
    first = erased_ids("ab", {"shop": {"a": 10}}, 3)
    assert erased_ids("ab", {"shop": {"a": 10}}, 4, first) is first
    second = erased_ids("ab", {"shop": {"a": 10, "b": 11}}, 5, first)
    third = erased_ids("ab", {"shop": {"a": 12, "b": 11}}, 6, second)
    assert second is not None and second.versions == {"shop": {"a": 3, "b": 5}}
    assert third is not None and third.versions == {"shop": {"a": 6, "b": 5}}
    assert erased_ids("ab", {}, 7, third) is None


def never(hashed: str, before: int) -> bool:
    return False


class Host:
    """The spool, writer and roller of another host, whose clock is off."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.lake.make()
        self.spool, self.known = Spool(folder / "spool.db"), None
        plan = Plan("enterprise", None, NOW)
        ledger = Ledger(SimpleNamespace(version=0, plan=lambda _: plan), self.spool.quota())
        self.writer = Writer(self.spool, ledger, Metrics(), print, print, print, erased=lambda: self.known)
        self.reader = self.spool.reader()
        self.roller = Roller(
            self.writer,
            self.reader,
            "c",
            self.lake,
            Metrics(),
            3600,
            erased=lambda: self.known,
            asked=lambda: self.asked,
        )
        self.writer.start()

    known: ErasedIds | None
    asked: tuple[int, int] | None = None

    def track(self, event_id: str, since: tuple[int, int] | None = None) -> Any:
        """Store an event of the user."""

        async def store() -> Any:
            event = check({"name": "n", "metadata": {"a": 1}, "event_id": event_id, "user_id": GONE}, 100)
            event.since = since
            submission = Submission("shop", [event], 100, asyncio.get_running_loop())
            self.writer.submit(submission)
            return (await submission.future)[0]

        return asyncio.run(store())

    def hear(self, minutes: float, version: int = 1) -> None:
        """Learn that the user was erased so many minutes after now, by this host's clock."""
        at_us = round(time.time() * 1e6) + round(minutes * MINUTE)
        hashed = Hasher("ab").hash("shop", "user", GONE)
        self.known = erased_ids("ab", {"shop": {hashed: at_us}}, version, self.known)

    def end(self) -> list[str]:
        """Roll all there is, and end; return the ids that came into the lake."""
        self.roller.roll_everything()
        self.kill()
        return sorted(read_parts(self.lake, list_parts(self.lake, "shop"))["event_id"])

    def kill(self) -> None:
        self.writer.stop()
        self.reader.close()
        self.spool.close()


@pytest.mark.parametrize("minutes", [-4, 0, 4], ids=["clock ahead", "clock right", "clock behind"])
def test_what_came_before_a_host_knew_is_left_out_and_what_came_later_stays_whatever_its_clock_says(
    tmp_path: Path, minutes: float
) -> None:
    host = Host(tmp_path)
    host.track("before")
    host.hear(minutes)
    host.track("after")
    host.kill()
    again = Host(tmp_path)
    again.known = host.known
    again.track("later")
    assert again.end() == ["after", "later"]


def test_what_a_host_took_long_after_an_erasure_that_it_could_not_know_of_stays(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.track("long after")
    host.hear(-6)
    assert host.end() == ["long after"]


def test_a_turn_that_began_before_it_was_erased_is_not_stored_afterwards(tmp_path: Path) -> None:
    host = Host(tmp_path)
    now_us = round(time.time() * 1e6)
    host.hear(0, version=7)
    overtaken = host.track("began before", since=(now_us, 6))
    assert isinstance(overtaken, ApiError) and "erased while it was on its way" in overtaken.message
    host.track("of a process before", since=(now_us, -1))
    host.track("began after", since=(now_us, 7))
    assert host.end() == ["began after"]


@pytest.fixture(scope="module")
def erased(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Directory:
    """What a collector knows that was started while Postgres is away, from the copy that it kept."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE erased_ids"))
    url, file = f"{database_url.rpartition('/')[0]}/erased_ids", tmp_path_factory.mktemp("kept") / "keys.json"
    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
        project_id = accounts.create_project("shop").project_id
        later = NOW + dt.timedelta(seconds=1)
        noted = [("user", "ada", NOW), ("session", "ended", NOW), ("event", "one", later), ("event", "one", NOW)]
        for kind, value, before in noted:
            note_erased(accounts, project_id, kind, [value], before)
        kept = Directory(accounts, file)
        assert kept.erased() is None and kept.refresh() and kept.erased() is not None
    assert '"ada"' not in file.read_text()  # hashes have such letters too
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE erased_ids WITH (FORCE)"))
    engine.dispose()
    with contextlib.closing(Accounts(url)) as gone:
        found = Directory(gone, file)
        assert not found.refresh()
        return found
