"""Names of keys, and when they were last used: known to whoever asks, written down in the background."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from turret_api.accounts import AccountError, Accounts
from turret_api.accounts.directory import Directory
from turret_api.accounts.last_use import EVERY_S, LastUse
from turret_api.accounts.tables import REVISION


@pytest.fixture
def accounts(make_database: Callable[[], str]) -> Iterator[Accounts]:
    """Accounts in a database of their own, with the project `shop`."""
    with contextlib.closing(Accounts(make_database())) as opened:
        opened.migrate()
        opened.create_project("shop")
        yield opened


def last_used(accounts: Accounts) -> dict[str, dt.datetime | None]:
    return {key.key_id: key.last_used_at for key in accounts.keys("shop")}


def revision(accounts: Accounts) -> int | None:
    with accounts.engine.connect() as connection:
        return connection.scalar(select(REVISION.c.number))


def test_a_key_keeps_its_name_and_whoever_uses_it_bears_it(accounts: Accounts, tmp_path: Path) -> None:
    named = accounts.create_key("shop", "admin", name="  Ada's\n notebook ")
    plain = accounts.create_key("shop", "read")
    directory = Directory(accounts, tmp_path / "keys.json")
    assert named.name == "Ada's notebook"
    found = [directory.find(key) for key in (named.key, plain.key)]
    assert [each and each.name for each in found] == ["Ada's notebook", None]
    # A process that starts while Postgres is away knows the names too.
    again = Directory(Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing"), tmp_path / "keys.json").known(
        named.key
    )
    assert again is not None
    assert again.name == "Ada's notebook"


def test_a_copy_of_the_keys_that_an_earlier_version_kept_is_still_read(accounts: Accounts, tmp_path: Path) -> None:
    made, file = accounts.create_key("shop", "write"), tmp_path / "keys.json"
    Directory(accounts, file).refresh()
    kept = msgspec.json.decode(file.read_bytes())
    del kept["names"]
    file.write_bytes(msgspec.json.encode(kept))
    found = Directory(Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing"), file).known(made.key)
    assert found is not None
    assert (found.key_id, found.name) == (made.key_id, None)


@pytest.mark.parametrize("name", ["", "\u200b", "a\x00b", "x" * 101])
def test_a_name_that_shows_nothing_or_too_much_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="1 to 100 printable characters"):
        accounts.create_key("shop", "read", name=name)


def test_the_last_use_is_written_at_most_once_a_minute_and_at_the_end(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = accounts.create_key("shop", "write")
    used, start, before = LastUse(accounts), time.monotonic(), revision(accounts)
    used.note(made.key_id)
    used.write()
    assert set(last_used(accounts).values()) == {None}
    monkeypatch.setattr(time, "monotonic", lambda: start + EVERY_S + 1)
    used.write()
    first = last_used(accounts)[made.key_id]
    assert first is not None
    assert abs(first.timestamp() - time.time()) < 5
    assert sum(each is not None for each in last_used(accounts).values()) == 1
    used.note(made.key_id)
    used.write()
    assert last_used(accounts)[made.key_id] == first
    used.write(at_once=True)
    second = last_used(accounts)[made.key_id]
    assert second is not None
    assert second > first
    assert revision(accounts) == before, "a copy of the keys would be renewed for nothing"


def test_a_directory_that_runs_writes_down_what_it_noted_when_it_stops(accounts: Accounts) -> None:
    made = accounts.create_key("shop", "write")
    directory = Directory(accounts)
    directory.start()
    assert directory.known(made.key) is not None
    assert directory.known("tw_" + "0" * 40) is None
    directory.stop()
    assert [key_id for key_id, at in last_used(accounts).items() if at is not None] == [made.key_id]


def test_an_earlier_note_of_another_process_does_not_take_a_later_one_back(accounts: Accounts) -> None:
    made = accounts.create_key("shop", "write")
    early, late = LastUse(accounts), LastUse(accounts)
    early.note(made.key_id)
    late.note(made.key_id)
    late.write(at_once=True)
    later = last_used(accounts)[made.key_id]
    early.write(at_once=True)
    assert last_used(accounts)[made.key_id] == later


def test_what_could_not_be_written_is_written_the_next_time(accounts: Accounts) -> None:
    made = accounts.create_key("shop", "write")
    used = LastUse(accounts)
    used.note(made.key_id)
    with accounts.engine.begin() as connection:
        connection.exec_driver_sql("SELECT * FROM turret.api_keys FOR UPDATE")
        with pytest.raises(Exception, match="lock timeout"):
            used.write(at_once=True)
    used.write(at_once=True)
    assert last_used(accounts)[made.key_id] is not None
