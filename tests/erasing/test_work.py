"""An erasure from what was asked for to the receipt; cut off at any point, the next call does the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.erasing.home import Home
from tests.lake.holding import holding
from tests.small_lake import DAYS, bring, event, put
from turret_api.accounts.audit import entries
from turret_api.accounts.privacy import MASKING, rules_of, set_rule
from turret_api.accounts.suppression import suppressed_of
from turret_api.erasing.work import ErasureError, perform
from turret_api.masking.masks import mask_of
from turret_api.masking.rule import Rule, stored
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, TABLES
from turret_pipeline.settings import Settings

CANARY = "canary-user-81"
POINTS = ["after_removal", "after_build", "after_lake", "after_elsewhere", "after_receipt", "after_discard"]


@pytest.fixture(scope="module")
def home(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]
) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    made = Home(
        Settings.from_environment({"TURRET_HOME": str(folder), "TURRET_DATABASE_URL": database_url}), database_url
    )
    made.lake.make()
    keep_model(made.lake)
    made.send("someone", 0, 30)
    made.send(CANARY, 100, 20)
    bring(made.lake, made.project_id, until="")
    yield made
    made.accounts.close()


@pytest.mark.slow
def test_cut_off_at_every_point_it_is_finished_by_the_next_call_and_tells_all_that_was_done(
    home: Home, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    asked = home.book.ask(home.project_id, "user", CANARY, "key:k1")
    for point in POINTS:
        with interrupted_at(f"erasing.{point}"):
            perform(home.place, asked)
        now = home.book.find(home.project_id, asked.erasure_id)
        assert now is not None and now.state == "running" and now.wanted is not None
        assert now.wanted.value is None
        held = suppressed_of(home.accounts, home.project_id)
        assert held is not None and held.holds(CANARY) and CANARY not in held
    done = perform(home.place, asked)
    assert suppressed_of(home.accounts, home.project_id) is None
    receipt = done.receipt
    assert done.state == "done" and done.wanted is None and receipt is not None and receipt.problem is None
    counts = {(each.place, each.what): each.n for each in receipt.done}
    assert counts["raw events", "events in the files of collectors and imports"] == 20
    assert counts["table events", "events"] == 20
    assert receipt.before is not None and receipt.after is not None
    assert (receipt.before.events, receipt.after.events) == (50, 30)
    assert holding(home.settings.home, CANARY) == []
    assert perform(home.place, asked) == done


@pytest.mark.slow
def test_what_is_kept_of_it_names_nobody(home: Home) -> None:
    asked = home.book.ask(home.project_id, "session", "nobody's session", "key:k1")
    done = perform(home.place, asked)
    assert done.receipt is not None and done.receipt.n_events == 0
    told = [each.about for each in entries(home.accounts, home.project_id) if each.action == "erasure"]
    assert [each["state"] for each in told[:2]] == ["done", "asked for"]
    assert told[0] == {"erasure_id": asked.erasure_id, "kind": "session", "hash": asked.hash, "state": "done"}
    assert len(asked.hash) == 64 and "nobody" not in str(done)


def test_one_that_was_begun_and_whose_list_is_gone_is_given_up_and_says_so(home: Home) -> None:
    asked = home.book.ask(home.project_id, "user", "someone else", "key:k1")
    home.book.keep_hash_only(asked)  # as in a backup that was made meanwhile
    with pytest.raises(ErasureError, match="erase it again"):
        perform(home.place, asked)
    now = home.book.find(home.project_id, asked.erasure_id)
    assert now is not None and now.state == "failed" and now.receipt is not None
    assert "not known any more" in str(now.receipt.problem)
    assert home.book.unfinished(home.project_id) == [] and perform(home.place, asked) == now


def test_the_command_says_what_would_go_and_erases_only_when_it_is_sure(home: Home) -> None:
    home.send("a-leaver", 300, 5)
    there = ["erase", "--project", "shop", "--matching", "A-LEAVER ASKS"]
    unsure = home.turret(*there)
    assert unsure.returncode == 1 and "this erases 5 events" in unsure.stderr and "--yes" in unsure.stderr
    dry = home.turret(*there, "--dry-run", "--yes", "--json")
    would = {"event_ids": 5, "session_ids": 1, "user_ids": 1}
    assert json.loads(dry.stdout) == {"project_id": home.project_id, "kind": "texts", "would_erase": would}
    assert read_parts(home.lake, list_parts(home.lake, home.project_id)).height >= 35
    told = home.turret(*there, "--yes", "--json")
    receipt: dict[str, Any] = json.loads(told.stdout)
    assert told.returncode == 0 and receipt["state"] == "done" and receipt["n_events"] == 5, told.stderr
    assert holding(Path(home.lake.root), "a-leaver") == []
    assert "a-leaver" not in told.stdout + told.stderr
    users = store.read(home.lake, EVENTS, home.project_id)["user_id"]
    assert (users == "someone").sum() == 30 and "a-leaver" not in users


@pytest.mark.slow
def test_a_user_named_by_an_address_goes_with_the_events_under_the_masked_id_and_both_are_suppressed(
    home: Home,
) -> None:
    address = "ann@example.com"
    before = rules_of(home.accounts, home.project_id)
    set_rule(home.accounts, home.project_id, MASKING, stored(Rule(frozenset(["email"])), Rule()))
    mask = mask_of(rules_of(home.accounts, home.project_id)[MASKING], home.project_id, None)
    assert before == {} and mask is not None
    masked = mask.identifier(address)
    home.send(address, 400, 4)  # of before masking
    home.send(masked, 410, 3)
    there = ["erase", "--project", "shop", "--user", address, "--suppress"]
    assert json.loads(home.turret(*there, "--dry-run", "--json").stdout)["would_erase"]["event_ids"] == 7
    told = home.turret(*there, "--yes", "--json")
    receipt: dict[str, Any] = json.loads(told.stdout)
    assert told.returncode == 0 and receipt["n_events"] == 7, told.stderr
    assert [each["n"] for each in receipt["done"] if each["place"] == "masked ids"] == [1]
    for each in (address, masked):
        assert holding(home.settings.home, each) == []
    suppressed = suppressed_of(home.accounts, home.project_id)
    assert suppressed is not None and address in suppressed and masked in suppressed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name one of --user"),
        (["--user", "a", "--event", "b"], "name one of --user"),
        (["--user", ""], "name one of --user"),
        (["--session", "a", "--suppress"], "--suppress goes with --user"),
        (["--matching", "a", "--keep-totals"], "--keep-totals does not go with --matching"),
        (["--user", "a", "--project", "none"], "none"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_words(home: Home, words: list[str], said: str) -> None:
    done = home.turret("erase", "--project", "shop", *words)
    assert done.returncode != 0 and said in done.stderr


@pytest.mark.slow
def test_another_project_has_lost_nothing(home: Home) -> None:
    other = home.accounts.create_project("other").project_id
    put(home.lake, DAYS[0], "c0ffee-9-1", [event(1, DAYS[0], user_id=CANARY)], other)
    perform(home.place, home.book.ask(home.project_id, "user", CANARY, "key:k1"))
    assert read_parts(home.lake, list_parts(home.lake, other))["user_id"].to_list() == [CANARY]
    assert all(store.read(home.lake, table, other).is_empty() for table in TABLES.values())
