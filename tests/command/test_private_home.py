"""Nobody but its owner reads what is in a home: what is made now, and what an earlier version left open."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.command.test_build import track
from tests.command.test_serve import serving
from turret_api.accounts import Accounts
from turret_api.command import private_home
from turret_api.command.private_home import make_private
from turret_api.processes.postgres import embedded_url


def open_to_others(home: Path) -> list[str]:
    """Return what others have a right on, the home itself included."""
    every = [home, *home.rglob("*")]
    return [str(path) for path in every if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077]


@pytest.mark.slow
def test_all_that_a_server_makes_is_readable_by_its_owner_alone(home: Path) -> None:
    before = os.umask(0o022)
    try:
        with serving(home, TURRET_ROLL_SECONDS="1") as address:
            url = embedded_url(home)
            assert url is not None
            accounts = Accounts(url)
            shop = accounts.create_project("shop")
            accounts.close()
            track(address, shop.write_key, "hello")
            assert open_to_others(home) == []
    finally:
        os.umask(before)
    assert list((home / "lake").glob("events/*/*/*.parquet"))
    assert open_to_others(home) == []


def test_a_home_that_is_open_is_closed_and_what_is_not_in_it_is_left_alone(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home / "lake" / "events", home / "spool" / "0", home / "logs", elsewhere):
        folder.mkdir(parents=True)
    for file in (home / "lake" / "events" / "a.parquet", home / "spool" / "0" / "spool.db", elsewhere / "b"):
        file.touch()
        file.chmod(0o664)
    elsewhere.chmod(0o775)
    (home / "lake" / "out").symlink_to(elsewhere)
    home.chmod(0o755)
    assert make_private(home) is None
    assert open_to_others(home) == []
    assert stat.S_IMODE((home / "spool" / "0" / "spool.db").stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in (elsewhere, elsewhere / "b")] == [0o775, 0o664]


def test_a_home_in_a_folder_with_other_things_closes_its_own_only_and_says_so(tmp_path: Path) -> None:
    for folder in (tmp_path / "logs", tmp_path / "letters"):
        folder.mkdir()
    for folder in (tmp_path, *tmp_path.iterdir()):
        folder.chmod(0o755)  # whatever the umask
    said = make_private(tmp_path)
    assert said is not None and f"{tmp_path} itself (letters in it is not Turret's)" in said
    assert open_to_others(tmp_path) == [str(tmp_path), str(tmp_path / "letters")]


def test_what_cannot_be_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    for number in range(5):
        file = tmp_path / "logs" / f"{number}.log"
        file.parent.mkdir(exist_ok=True, mode=0o700)
        file.touch(mode=0o644)
        file.chmod(0o644)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(private_home.Path, "chmod", refuse)
    said = make_private(tmp_path)
    assert said is not None and said.count(".log (Operation not permitted)") == 3
    assert ", and 2 more: take their rights with `chmod -R go-rwx`" in said
