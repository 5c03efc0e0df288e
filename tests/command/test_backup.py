"""`turret backup` and `turret restore`: what comes back is what was there, also when events come in meanwhile."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from tests.homes.make import Release, event
from tests.small_lake import bring, tables, write_down
from turret_api.accounts import Accounts
from turret_api.collector.slots import SPOOL_FILE
from turret_api.command.archive import MANIFEST, Manifest
from turret_api.command.main import main
from turret_api.command.upgrade import UNFINISHED, standing, upgrade
from turret_api.home.spools import bring_in_spools, spooled
from turret_pipeline.lake import store
from turret_pipeline.lake.layout import LAYOUT
from turret_pipeline.lake.parts import list_parts
from turret_pipeline.lake.tables import ANNOTATIONS, EVENTS
from turret_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
HOME_OF_0_1_0 = ROOT / "tests" / "homes" / "0.1.0.tar.xz"


@pytest.fixture
def new_settings(tmp_path: Path, make_database: Callable[[], str]) -> Callable[[str], Settings]:
    """Return what makes the settings of a home that is not there yet, with a database of its own."""

    def make(name: str) -> Settings:
        return Settings.from_environment({"TURRET_HOME": str(tmp_path / name), "TURRET_DATABASE_URL": make_database()})

    return make


def turret(settings: Settings, *words: str | Path) -> Result:
    environment = {"TURRET_HOME": str(settings.home), "TURRET_DATABASE_URL": str(settings.database_url)}
    return CliRunner().invoke(main, [str(word) for word in words], env=environment)


def projects(settings: Settings) -> list[object]:
    accounts = Accounts(str(settings.database_url))
    try:
        return [(each, accounts.usage(each.project_id), accounts.keys(each.project_id)) for each in accounts.projects()]
    finally:
        accounts.close()


@pytest.mark.parametrize(
    "name",
    ["a.tar", pytest.param("a.tar.gz", marks=pytest.mark.long), pytest.param("a.tar.xz", marks=pytest.mark.slow)],
)
def test_what_is_restored_is_what_was_there(new_settings: Callable[[str], Settings], tmp_path: Path, name: str) -> None:
    one, two = new_settings("one"), new_settings("a second home")
    assert turret(one, "restore", HOME_OF_0_1_0).exit_code == 0
    upgrade(one, str(one.database_url), lambda _: None)
    write_down(one.open_lake(), "shop")
    made = turret(one, "key", "create", "--project", "shop", "--scope", "read", "--name", "notebook")
    assert made.exit_code == 0, made.output
    turns = Path("spool", "0", "turns.ndjson")  # spans that wait; not of 0.1.0
    (one.home / turns).write_text("{}\n")
    assert turret(one, "backup", tmp_path / name).exit_code == 0
    done = turret(two, "restore", tmp_path / name)
    assert done.exit_code == 0, done.output
    for project in ("shop", "other"):
        of_one, of_two = tables(one.open_lake(), project), tables(two.open_lake(), project)
        assert all(of_two[table].equals(rows) for table, rows in of_one.items())
    assert list_parts(two.open_lake()) == list_parts(one.open_lake())
    assert projects(two) == projects(one)
    assert store.read(two.open_lake(), ANNOTATIONS, "shop")["text"].to_list() == ["Version 2"]
    assert [rows for rows, _ in spooled(two)] == [rows for rows, _ in spooled(one)] == [5]
    assert (two.home / "dashboard.secret").read_bytes() == (one.home / "dashboard.secret").read_bytes()
    assert (two.home / turns).read_text() == "{}\n"
    assert standing(two, str(two.database_url)).is_current
    kept = [path for part in ("spool", "dashboard.secret") for path in (two.home / part, *(two.home / part).rglob("*"))]
    assert [path for path in kept if path.is_file() and path.stat().st_mode & 0o077] == []
    assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.slow
def test_a_backup_while_the_journal_of_turns_is_written_can_be_read(
    new_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    one, two = new_settings("one"), new_settings("two")
    assert turret(one, "restore", HOME_OF_0_1_0).exit_code == 0
    upgrade(one, str(one.database_url), lambda _: None)
    turns = one.home / "spool" / "0" / "turns.ndjson"
    turns.write_text("{}\n")
    ending = threading.Event()

    def write() -> None:
        while not ending.is_set():
            with turns.open("a") as journal:
                journal.writelines("{}\n" for _ in range(20_000))
            turns.with_suffix(".new").write_text("{}\n")
            turns.with_suffix(".new").replace(turns)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = turret(one, "backup", tmp_path / "archive.tar")
    finally:
        ending.set()
        writer.join()
    assert done.exit_code == 0, done.output
    with tarfile.open(tmp_path / "archive.tar") as archive:
        names = archive.getnames()
    assert names.index("spool/0/turns.ndjson") < names.index(f"spool/0/{SPOOL_FILE}")  # or one might be in neither
    done = turret(two, "restore", tmp_path / "archive.tar")
    assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_a_backup_while_events_come_in_holds_all_that_was_acknowledged_before_it(
    new_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    one, two = new_settings("one"), new_settings("two")
    made = json.loads(turret(one, "project", "create", "shop", "--plan", "pro", "--json").stdout)
    release = Release(ROOT, one.home)
    release.environment |= {"TURRET_DATABASE_URL": str(one.database_url), "TURRET_ROLL_SECONDS": "1"}
    acknowledged: list[str] = []
    ending = threading.Event()

    def send() -> None:
        while not ending.is_set():
            body = [event(len(acknowledged) + n) for n in range(20)]
            release.must("POST", "/track", made["write_key"], body)
            acknowledged.extend(each["event_id"] for each in body)

    with release.running("serve"):
        sender = threading.Thread(target=send)
        sender.start()
        for n in range(4):
            while len(acknowledged) < 200 * (n + 1):
                ending.wait(0.02)
            before = set(acknowledged)
            assert turret(one, "backup", tmp_path / "archive.tar").exit_code == 0
        ending.set()
        sender.join()
    assert turret(two, "restore", tmp_path / "archive.tar").exit_code == 0
    bring_in_spools(two, str(two.database_url))
    bring(two.open_lake(), "shop", until="events")
    found = store.read(two.open_lake(), EVENTS, "shop")["event_id"]
    assert found.n_unique() == len(found)
    assert before <= set(found) <= set(acknowledged)


def test_a_restore_does_not_go_over_what_is_there(
    new_settings: Callable[[str], Settings],
) -> None:
    one, two = new_settings("one"), new_settings("two")
    assert turret(one, "restore", HOME_OF_0_1_0).exit_code == 0
    assert "has a spool: restore into an empty" in turret(one, "restore", HOME_OF_0_1_0).output
    two.open_lake().make()
    (Path(two.lake) / "events").mkdir()
    assert "is not empty: restore into an empty" in turret(two, "restore", HOME_OF_0_1_0).output
    (Path(two.lake) / "events").rmdir()
    assert turret(two, "project", "create", "mine").exit_code == 0
    assert "the database has accounts: restore into an empty" in turret(two, "restore", HOME_OF_0_1_0).output


def test_a_restore_that_was_cut_off_leaves_a_home_that_nothing_starts_on(
    new_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = new_settings("one")
    whole = HOME_OF_0_1_0.read_bytes()
    (tmp_path / "half.tar.xz").write_bytes(whole[: len(whole) // 2])
    done = turret(settings, "restore", tmp_path / "half.tar.xz")
    assert done.exit_code == 1
    assert "half.tar.xz cannot be read" in done.output
    assert (settings.home / UNFINISHED).exists()
    for words in (["build"], ["restore", str(HOME_OF_0_1_0)]):
        assert "did not finish" in turret(settings, *words).output


def test_what_is_no_archive_or_one_of_a_later_version_is_refused_before_anything_is_made(
    new_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = new_settings("one")
    (tmp_path / "text").write_text("no archive")
    later = msgspec.json.encode(Manifest("9.0.0", LAYOUT + 1))
    for name, first in (("later.tar", MANIFEST), ("other.tar", "other.json")):
        with tarfile.open(tmp_path / name, "w") as tar:
            about = tarfile.TarInfo(first)
            about.size = len(later)
            tar.addfile(about, io.BytesIO(later))
    for name, reason in (
        ("text", "cannot be read"),
        ("later.tar", "is of Turret 9.0.0, whose lakes have layout"),
        ("other.tar", "is no archive of `turret backup`"),
    ):
        done = turret(settings, "restore", tmp_path / name)
        assert (done.exit_code, reason in done.output) == (1, True), done.output
    assert not settings.home.exists()


@pytest.mark.parametrize("name", ["a.tar", pytest.param("a.tar.gz", marks=pytest.mark.slow)])
def test_a_byte_that_flipped_in_an_archive_is_noticed(
    new_settings: Callable[[str], Settings], tmp_path: Path, name: str
) -> None:
    one, archive = new_settings("one"), tmp_path / name
    assert turret(one, "restore", HOME_OF_0_1_0).exit_code == 0
    upgrade(one, str(one.database_url), lambda _: None)
    assert turret(one, "backup", archive).exit_code == 0
    content = bytearray(archive.read_bytes())
    place = content.rfind(b"PGDMP") + 3000 if name == "a.tar" else len(content) // 2
    content[place] ^= 1
    archive.write_bytes(content)
    done = turret(new_settings("two"), "restore", archive)
    assert done.exit_code == 1
    assert ("holds other bytes" in done.output) if name == "a.tar" else ("cannot be read" in done.output)
    (said,) = [line for line in done.output.splitlines() if line.startswith("Error")]
    assert str(archive) in said


def test_no_name_in_an_archive_leads_out_of_the_home(new_settings: Callable[[str], Settings], tmp_path: Path) -> None:
    for name in ("home/../../outside", "lake/../../outside", "/outside", "lake/../inside"):
        settings = new_settings(f"home-{len(name)}")
        with tarfile.open(tmp_path / "evil.tar", "w") as tar:
            for each, content in ((MANIFEST, msgspec.json.encode(Manifest("0.1.0", 0))), (name, b"x")):
                about = tarfile.TarInfo(each)
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
        assert turret(settings, "restore", tmp_path / "evil.tar").exit_code == 1
        assert not (tmp_path / "outside").exists()
        assert not (settings.home / "inside").exists()
        assert not Path("/outside").exists()


def test_the_password_of_the_database_is_in_no_process_list(
    new_settings: Callable[[str], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, seen = new_settings("one"), list[str]()
    assert turret(settings, "project", "create", "shop").exit_code == 0
    run = subprocess.run

    def watched(command: list[str], **how: object) -> object:
        seen.extend(command)
        return run(command, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", watched)
    assert turret(settings, "backup", tmp_path / "archive.tar").exit_code == 0
    password = str(settings.database_url).split(":")[2].split("@")[0]
    assert seen and password and password not in " ".join(seen)
    assert os.environ.get("PGPASSWORD") is None
