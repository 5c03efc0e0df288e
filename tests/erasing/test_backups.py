"""What was erased after a backup was written is not there once the backup is restored."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import secrets
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text

from tests.small_lake import DAYS, event, put
from tests.test_one_event import environment
from turret_api.accounts import Accounts
from turret_api.accounts.exports import archives
from turret_api.accounts.suppression import hasher_of, suppress, suppressed_of
from turret_api.command.archive import MANIFEST, SUMS
from turret_api.command.upgrade import UNFINISHED
from turret_api.erasing.erased import Erased
from turret_api.erasing.notes import BESIDE_ARCHIVES, found_again, note_of, write_notes
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import PART_SCHEMA, list_parts, read_parts, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, MESSAGES
from turret_pipeline.settings import Settings

pytestmark = pytest.mark.timeout(600)

CANARY, COUNTED = "canary-user-81", "user-2"
TEXT = "zq-canary-71 asks for a parcel"


class Home:
    """A home with a database of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.settings = Settings.from_environment({"TURRET_HOME": str(folder), "TURRET_DATABASE_URL": url})
        self.lake = self.settings.open_lake()

    def turret(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-m", "turret_api", *map(str, words)]
        env = environment(self.settings, str(self.settings.database_url))
        return subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    def done(self, *words: str | Path) -> str:
        """Run a command that must succeed; return what it said."""
        result = self.turret(*words)
        assert result.returncode == 0, result.stdout
        return result.stdout

    def users(self) -> set[str]:
        """Return the users of the project's raw events."""
        return set(read_parts(self.lake, list_parts(self.lake, "shop"))["user_id"])


@pytest.fixture(scope="module")
def new_home(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Callable[[], Home]]:
    """Return what makes a home that is not there yet."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> Home:
        made.append(f"backups_{secrets.token_hex(6)}")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made[-1]}"))
        return Home(tmp_path_factory.mktemp("homes") / "home", f"{database_url.rpartition('/')[0]}/{made[-1]}")

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="module")
def home(new_home: Callable[[], Home], keep_model: Callable[[Lake], None]) -> Home:
    """A home of which a backup was written, and notes of two users and an event that were erased after that.

    The events of one of the users count on.
    """
    made = new_home()
    made.done("project", "create", "shop")
    made.done("project", "create", "other")
    keep_model(made.lake)
    rows = [event(n, DAYS[0], f"user {n % 4} asks for parcel number {n}", user_id=f"user-{n % 4}") for n in range(20)]
    rows += [event(n, DAYS[0], f"{TEXT} {n}", user_id=CANARY) for n in range(20, 24)]
    put(made.lake, DAYS[0], "c0ffee-1-1", rows, "shop")
    archive_of(made).parent.mkdir()
    made.done("backup", archive_of(made))
    with contextlib.closing(Accounts(str(made.settings.database_url))) as accounts:
        assert archives(accounts) == [archive_of(made)]
        event_id = str(rows[7]["event_id"])
        for erased in (
            Erased(project_id="shop", kind="user", values=frozenset([CANARY])),
            Erased(project_id="shop", kind="user", values=frozenset([COUNTED]), keeps_totals=True),
            Erased(project_id="shop", kind="texts", values=frozenset(["parcel"]), event_ids=frozenset([event_id])),
        ):
            suppress(accounts, "shop", CANARY)
            suppressed = suppressed_of(accounts, "shop")
            note = note_of(hasher_of(accounts), erased, dt.datetime.now(dt.UTC), suppressed)
            assert write_notes([note], made.settings.home, archives(accounts))[0].n == 1
    return made


def archive_of(home: Home) -> Path:
    return home.settings.home.parent / "backups" / "a.tar"


@pytest.mark.slow
def test_a_restored_home_has_nothing_that_was_erased_since_and_keeps_the_rest(
    home: Home, new_home: Callable[[], Home]
) -> None:
    archive = archive_of(home)
    notes = (archive.parent / BESIDE_ARCHIVES).read_text()
    assert len(notes.splitlines()) == 3 and CANARY not in notes

    two = new_home()
    said = two.done("restore", archive)
    assert said.count("erasing 5 events of shop") == 2 and said.count("keeping their totals") == 1
    assert two.users() & {f"user-{n}" for n in range(4)} == {"user-0", "user-1", "user-3"}
    assert store.read(two.lake, EVENTS, "shop").height == store.read(two.lake, MESSAGES, "shop").height == 19
    assert [file for file in two.settings.home.rglob("*") if file.is_file() and _has(file)] == []
    assert not (two.settings.home / UNFINISHED).exists()
    with contextlib.closing(Accounts(str(two.settings.database_url))) as accounts:
        suppressed = suppressed_of(accounts, "shop")
        assert suppressed is not None and CANARY in suppressed
    later = archive.with_name("b.tar")
    two.done("backup", later)
    three = new_home()
    assert "erasing" not in three.done("restore", later)  # it was written after that
    assert three.users() == two.users()


def test_what_was_erased_comes_back_where_that_is_wanted(home: Home, new_home: Callable[[], Home]) -> None:
    two = new_home()
    two.done("restore", archive_of(home), "--keep-erased")
    assert CANARY in two.users()


@pytest.mark.slow
def test_an_archive_that_does_not_know_what_was_erased_is_refused(home: Home, new_home: Callable[[], Home]) -> None:
    archive, older = archive_of(home), archive_of(home).with_name("older.tar")
    with tarfile.open(archive) as tar, tarfile.open(older, "w") as out:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            raw = content.read()
            if member.name == MANIFEST:  # as earlier versions wrote it
                raw = json.dumps({name: json.loads(raw)[name] for name in ("turret", "layout")}).encode()
                member.size = len(raw)
            if member.name != SUMS:
                out.addfile(member, io.BytesIO(raw))
    two = new_home()
    refused = two.turret("restore", older)
    assert refused.returncode == 1 and not two.settings.home.exists()
    assert "3 erasures were done after" in refused.stdout and CANARY not in refused.stdout
    wrong = two.turret("restore", archive, "--erasures", archive)
    assert wrong.returncode == 1 and "is no note of an erasure" in wrong.stdout


@pytest.mark.long
def test_what_was_erased_does_not_come_back_with_a_file_that_is_mended_from_the_archive(home: Home) -> None:
    (part,) = list_parts(home.lake, "shop")
    file = Path(home.lake.events_folder("shop", part.received_date)) / part.name
    file.write_bytes(file.read_bytes()[:100])
    said = home.done("doctor", "--mend", "--from-backup", archive_of(home))
    assert "put back from the backup" in said and said.count("erasing 5 events of shop") == 2
    assert home.users() & {CANARY, *(f"user-{n}" for n in range(4))} == {"user-0", "user-1", "user-3"}
    assert len((home.settings.home / "erasures.ndjson").read_text().splitlines()) == 5
    assert "is sound" in home.done("doctor")


@pytest.mark.slow
def test_a_project_that_was_deleted_since_is_deleted_in_what_is_restored(
    home: Home, new_home: Callable[[], Home]
) -> None:
    home.done("project", "delete", "shop", "--yes")
    two = new_home()
    assert "deleting the project shop" in two.done("restore", archive_of(home))
    with contextlib.closing(Accounts(str(two.settings.database_url))) as accounts:
        assert [each.project_id for each in accounts.projects()] == ["other"]
    assert list_parts(two.lake) == []


def _has(file: Path) -> bool:
    content = file.read_bytes()
    return CANARY.encode() in content or b"zq-canary-71" in content


def test_what_an_import_keeps_for_later_is_found_again_too(accounts: Accounts, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = [event(1, DAYS[0], TEXT, user_id=CANARY), event(2, DAYS[0], TEXT)]
    write_part(lake, "shop", DAYS[0], "import-17-1.parquet.aside", pl.DataFrame(rows, schema=PART_SCHEMA))
    erased = Erased(project_id="shop", kind="user", values=frozenset([CANARY]))
    note = note_of(hasher_of(accounts), erased, dt.datetime.now(dt.UTC))
    assert found_again(lake, hasher_of(accounts), [note]) == {"shop": ["e1"]}
