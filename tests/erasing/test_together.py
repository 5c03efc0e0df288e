"""Erasures of a project that wait are performed together: one build for all, and a receipt for each."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.erasing.home import Home
from tests.lake.holding import holding
from turret_api.accounts.suppression import suppressed_of
from turret_api.command.erase import _lines
from turret_api.erasing import work
from turret_api.erasing.book import Erasure
from turret_api.erasing.lake_steps import ErasureError, Named, Workplace, run_step
from turret_api.erasing.told import TOGETHER
from turret_api.erasing.work import perform_waiting
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.settings import Settings


@pytest.fixture(scope="module")
def home(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]
) -> Iterator[Home]:
    folder = str(tmp_path_factory.mktemp("home"))
    settings = Settings.from_environment({"TURRET_HOME": folder, "TURRET_DATABASE_URL": database_url})
    made = Home(settings, database_url, "together")
    made.lake.make()
    keep_model(made.lake)
    yield made
    made.accounts.close()


def lines(erasure: Erasure) -> dict[str, int]:
    """Return what a receipt tells, by place: the last line of each."""
    assert erasure.receipt is not None
    return {each.place: each.n for each in erasure.receipt.done}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cut_off_they_go_on_with_what_was_asked_for_meanwhile_and_need_one_build(
    home: Home, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    for number, user in enumerate(("canary-one", "canary-two", "canary-three", "someone")):
        home.send(user, 100 * number, number + 2)
    first = [home.book.ask(home.project_id, "user", user, "key:k1") for user in ("canary-one", "canary-two")]
    with interrupted_at("erasing.after_removal"):
        perform_waiting(home.place, home.project_id)
    held = suppressed_of(home.accounts, home.project_id)
    assert held is not None and held.holds("canary-one") and held.holds("canary-two")
    last = home.book.ask(home.project_id, "user", "canary-three", "key:k1")
    done = perform_waiting(home.place, home.project_id)

    assert [(each.erasure_id, each.state) for each in done] == [(each.erasure_id, "done") for each in (*first, last)]
    assert [line for line in home.said if line.startswith("bringing the other")] == [
        "bringing the other tables up to date"
    ]
    assert [lines(each)["raw events"] for each in done] == [2, 3, 4]
    assert [lines(each)[TOGETHER] for each in done] == [3, 3, 3]
    for each in done:
        assert each.receipt is not None and each.receipt.after is not None and each.receipt.after.events == 5
        places = [line.place for line in each.receipt.done]
        assert places.index("raw events") < places.index(TOGETHER) < places.index("logs of this home")
    assert suppressed_of(home.accounts, home.project_id) is None
    assert holding(home.settings.home, "canary-one", "canary-two", "canary-three") == []
    assert len((home.settings.home / "erasures.ndjson").read_text().splitlines()) == 3


@pytest.mark.slow
def test_one_that_fails_and_one_that_is_given_up_do_not_hold_up_the_others(home: Home) -> None:
    for number, user in enumerate(("canary-four", "canary-five")):
        home.send(user, 1000 + 100 * number, 3)
    bad, lost, good = (home.book.ask(home.project_id, "user", f"canary-{each}", "k") for each in ("six", "no", "four"))
    folder = Path(home.lake.erasing_folder(home.project_id))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{bad.erasure_id}.json").write_text("{}")  # a list that cannot be read
    home.book.keep_hash_only(lost)  # and one that is not there, as in a backup that was made meanwhile
    told = home.turret("erase", "--project", "together", "--user", "canary-five", "--yes", "--json")
    assert told.returncode == 0 and json.loads(told.stdout)["n_events"] == 3, told.stderr
    now = {each.erasure_id: each for each in home.book.erasures(home.project_id, 10)}
    assert [now[each.erasure_id].state for each in (bad, lost, good)] == ["failed", "failed", "done"]
    problems = [now[each.erasure_id].receipt for each in (bad, lost)]
    assert ["remove" in str(problems[0]), "not known any more" in str(problems[1])] == [True, True]
    assert [each.erasure_id for each in home.book.unfinished(home.project_id)] == [bad.erasure_id]
    held = suppressed_of(home.accounts, home.project_id)
    assert held is not None and held.holds("canary-six") and not held.holds("canary-four")
    assert store.read(home.lake, EVENTS, home.project_id)["user_id"].unique().to_list() == ["someone"]
    (folder / f"{bad.erasure_id}.json").unlink()
    assert [each.state for each in perform_waiting(home.place, home.project_id)] == ["done"]


@pytest.mark.slow
def test_where_some_lists_cannot_be_discarded_the_next_call_ends_it_and_gives_none_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [home.book.ask(home.project_id, "user", f"canary-{each}", "k") for each in ("seven", "eight")]

    def cut_off(place: Workplace, step: str, project_id: str, named: list[Named]) -> dict[str, Any]:
        if step != "discard":
            return run_step(place, step, project_id, named)
        run_step(place, step, project_id, named[:1])
        raise ErasureError("the lake is away")

    with monkeypatch.context() as patch:
        patch.setattr(work, "run_step", cut_off)
        begun = perform_waiting(home.place, home.project_id)
    assert [each.state for each in begun] == ["running", "running"]
    done = perform_waiting(home.place, home.project_id)
    assert [(each.erasure_id, each.state) for each in done] == [(each.erasure_id, "done") for each in asked]
    assert [each.receipt for each in done] == [each.receipt for each in begun]


def test_an_id_with_a_line_separator_of_unicode_in_it_is_one_line() -> None:
    assert _lines(io.StringIO("a\u2028b\r\n\n c \n \x85d")) == ["a\u2028b", " c ", " \x85d"]


@pytest.mark.slow
def test_many_users_are_named_in_one_call_and_each_has_a_receipt(home: Home, tmp_path: Path) -> None:
    for number, user in enumerate(("canary-a", "canary-b", "canary-c")):
        home.send(user, 2000 + 100 * number, number + 1)
    there = ["erase", "--project", "together", "--user", "canary-a", "--users-from", "-"]
    given = "canary-b\r\n\ncanary-c\ncanary-a\n"
    unsure = home.turret(*there, given=given)
    assert unsure.returncode == 1 and "this erases 6 events" in unsure.stderr
    would = json.loads(home.turret(*there, "--dry-run", "--json", given=given).stdout)
    assert [each["would_erase"]["event_ids"] for each in would] == [1, 2, 3]
    told = home.turret(*there, "--suppress", "--yes", "--json", given=given)
    assert told.returncode == 0, told.stderr
    assert [each["n_events"] for each in json.loads(told.stdout)] == [1, 2, 3]
    suppressed = suppressed_of(home.accounts, home.project_id)
    assert suppressed is not None and all(f"canary-{each}" in suppressed for each in "abc")
    file = tmp_path / "users"
    file.write_text("nobody-at-all\n")
    of_file = [*there[:3], "--users-from", str(file), "--yes", "--json"]
    assert [each["n_events"] for each in json.loads(home.turret(*of_file).stdout)] == [0]
    for content, said in ((b"", "name one of"), (b"\xff\xfe", "no text in UTF-8")):
        file.write_bytes(content)
        wrong = home.turret(*of_file)
        assert wrong.returncode != 0 and said in wrong.stderr
