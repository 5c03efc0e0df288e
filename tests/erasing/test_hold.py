"""What is being erased is held until that is finished, also over a kill, and for imports that were there before it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import get_args

import pytest

from turret_api.accounts import Accounts
from turret_api.accounts.erased_ids import clock_of, note_erased
from turret_api.accounts.not_taken import NotTaken
from turret_api.accounts.suppression import EVENT, SESSION, USER, hold, lift, suppressed_of
from turret_api.erasing.book import Book
from turret_api.erasing.erased import Kind
from turret_api.erasing.work import Workplace, perform, perform_waiting
from turret_api.home.import_lock import one_import_at_a_time
from turret_api.importing import history
from turret_api.importing.history import RefusedRow, import_documents
from turret_pipeline import failpoint
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings


@pytest.fixture
def place(database_url: str, accounts: Accounts, tmp_path: Path) -> Workplace:
    """A home with an empty lake."""
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path), "TURRET_DATABASE_URL": database_url})
    settings.open_lake().make()
    return Workplace(settings, accounts, database_url, lambda line: None)


@pytest.mark.slow
def test_the_hold_begins_with_the_erasure_outlives_a_kill_and_ends_with_it(
    place: Workplace, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    accounts, kinds = place.accounts, (USER, SESSION, EVENT)
    project_id = accounts.create_project("held").project_id
    for kind in get_args(Kind):
        if kind in kinds:
            Book(accounts).ask(project_id, kind, f"a {kind}", "key:k1")
    assert suppressed_of(accounts, project_id) is None
    with interrupted_at("erasing.after_removal"):
        perform_waiting(place, project_id)
    held = suppressed_of(accounts, project_id)
    assert held is not None and "a user" not in held
    assert [[held.holds(f"a {each}", kind) for each in kinds] for kind in kinds] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert [each.state for each in perform_waiting(place, project_id)] == ["done"] * 3
    assert suppressed_of(accounts, project_id) is None


def test_an_import_refuses_rows_of_what_is_erased_since_it_began(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, lake = place.accounts, place.settings.open_lake()
    project_id = accounts.create_project("imported").project_id
    monkeypatch.setattr(history, "ROWS_A_PART", 2)
    refused: list[RefusedRow] = []

    def rows() -> Iterator[tuple[int, dict[str, object]]]:
        for number, user in enumerate(["ada", "bob", "ada", "bob", "ada", "bob"], 1):
            if number == 3:
                hold(accounts, project_id, ["ada"], "era_1")
                hold(accounts, project_id, ["six"], "era_1", "event")
            about = {"event_id": "six"} if number == 6 else {"event_id": f"e{number}"}
            yield number, {"name": "said", "metadata": {"prompt": "Hello"}, "user_id": user, **about}

    not_taken = NotTaken(accounts, project_id)
    done = import_documents(lake, project_id, rows(), 1000, refused.append, not_taken=not_taken)
    assert (done.read, done.imported, done.refused) == (6, 3, 3)
    assert sorted(row.row for row in refused) == [3, 5, 6] and "being erased" in refused[0].error
    assert stored(lake, project_id) == ["e1", "e2", "e4"]
    again = import_documents(lake, project_id, rows(), 1000, refused.append, not_taken=not_taken)
    assert (again.imported, again.duplicates, again.refused) == (0, 2, 4)
    lift(accounts, "era_1")
    assert not_taken.now().suppressed is None


def test_an_erasure_that_begins_and_ends_while_a_part_is_written_leaves_nothing_behind(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, lake = place.accounts, place.settings.open_lake()
    project_id = accounts.create_project("slowly").project_id
    note_erased(accounts, project_id, USER, ["cid"], clock_of(accounts))  # before, and so no reason
    rows = [
        (number, {"name": "n", "metadata": {"a": 1}, "user_id": user, "event_id": user})
        for number, user in enumerate(["ada", "bob", "cid"])
    ]
    erasures = iter(["ada"])

    def erase(point: str) -> None:
        for user in erasures if point == "import.after_part" else ():
            assert stored(lake, project_id) == ["ada", "bob", "cid"]
            hold(accounts, project_id, [user], "era_1")
            note_erased(accounts, project_id, USER, [user], clock_of(accounts))
            lift(accounts, "era_1")

    monkeypatch.setattr(failpoint, "on_reached", erase)
    refused: list[RefusedRow] = []
    done = import_documents(lake, project_id, rows, 9, refused.append, not_taken=NotTaken(accounts, project_id))
    assert (done.imported, done.refused, [each.row for each in refused]) == (2, 1, [0])
    assert stored(lake, project_id) == ["bob", "cid"]


def stored(lake: Lake, project_id: str) -> list[str]:
    return sorted(read_parts(lake, list_parts(lake, project_id))["event_id"])


@pytest.mark.slow
def test_an_erasure_waits_for_an_import_that_runs_on_whichever_host_and_takes_its_rows_too(
    place: Workplace, tmp_path: Path
) -> None:
    elsewhere = dataclasses.replace(place.settings, home=tmp_path / "another host")
    said: list[str] = []
    waiting = Workplace(place.settings, place.accounts, place.url, said.append)
    project_id = place.accounts.create_project("both").project_id
    asked = Book(place.accounts).ask(project_id, "event", "e1", "key:k1")
    performing = threading.Thread(target=perform, args=(waiting, asked))
    with one_import_at_a_time(elsewhere, place.url, project_id):
        performing.start()
        deadline = time.monotonic() + 60
        while "an import is running; waiting until it ends" not in said:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    performing.join(120)
    now = Book(place.accounts).find(project_id, asked.erasure_id)
    assert now is not None and now.state == "done"
