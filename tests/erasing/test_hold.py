"""A user whose erasure is under way is held until it is finished, also over a kill."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from turret_api.accounts import Accounts
from turret_api.accounts.suppression import suppressed_of
from turret_api.erasing.book import Book
from turret_api.erasing.work import Workplace, perform
from turret_pipeline.settings import Settings


@pytest.mark.slow
def test_the_hold_begins_with_the_erasure_outlives_a_kill_and_ends_with_it(
    database_url: str, accounts: Accounts, tmp_path: Path, interrupted_at: Callable[[str], AbstractContextManager[None]]
) -> None:
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path), "TURRET_DATABASE_URL": database_url})
    settings.open_lake().make()
    project_id = accounts.create_project("held").project_id
    place = Workplace(settings, accounts, database_url, lambda line: None)
    asked = Book(accounts).ask(project_id, "user", "ada", "key:k1")
    assert suppressed_of(accounts, project_id) is None
    with interrupted_at("erasing.after_removal"):
        perform(place, asked)
    held = suppressed_of(accounts, project_id)
    assert held is not None and held.holds("ada") and "ada" not in held and not held.holds("bob")
    assert perform(place, asked).state == "done"
    assert suppressed_of(accounts, project_id) is None
