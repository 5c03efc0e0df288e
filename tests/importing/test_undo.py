"""`turret import --undo`: the lake is as if the import had never been, whatever else was sent and imported."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.orchestration.test_leases import fetch
from tests.processes.conftest import until
from turret_api.errors import ApiError
from turret_api.importing.history import import_documents
from turret_api.importing.imports import IN_LAKE, TAKEN_BACK, find_imports
from turret_api.importing.undo import undo_import
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.lake.parts import list_files_of, list_parts, read_parts, write_part
from turret_pipeline.lake.paths import Lake

PROJECT = "shop"


def document(number: int, text: str = "") -> dict[str, object]:
    return {"name": "n", "event_id": f"e{number}", "metadata": {"prompt": text or f"text {number}"}}


def bring(lake: Lake, numbers: list[int], file: str = "a.ndjson", text: str = "") -> str | None:
    documents = [(row, document(number, text)) for row, number in enumerate(numbers, 1)]

    def refuse(row: object) -> None:
        raise AssertionError(row)

    return import_documents(lake, PROJECT, documents, 100_000, refuse, file).import_id


def send(lake: Lake, numbers: list[int], name: str) -> None:
    """Write events as a collector does."""
    other = Lake(f"{lake.root}-collector")
    bring(other, numbers, text="sent")
    rows = read_parts(other, list_parts(other, PROJECT)).drop("part")
    day = list_parts(other, PROJECT)[0].received_date
    write_part(lake, PROJECT, day, f"c0ffee-{name}.parquet", rows)
    for part in list_parts(other, PROJECT):
        (Path(other.events_folder(PROJECT, day)) / part.name).unlink()


def undo(lake: Lake, import_id: str) -> dict[str, int]:
    found = next(each for each in find_imports(lake) if each.import_id == import_id)
    return undo_import(lake, found).kept


def first_of_each(lake: Lake) -> list[tuple[str, str]]:
    """Return id and metadata of the events as a build would keep them."""
    rows = read_parts(lake, list_parts(lake, PROJECT)).sort("received_at", "part", "seq")
    return sorted(rows.unique("event_id", keep="first", maintain_order=True).select("event_id", "metadata").rows())


def test_what_an_import_brought_goes_and_what_others_brought_or_sent_stays(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    send(lake, [1, 2], "1-2")
    first = bring(lake, [2, 3, 4], "first.ndjson")
    second = bring(lake, [4, 5], "second.ndjson")
    assert first is not None and second is not None
    assert [(each.file, each.events, each.aside) for each in find_imports(lake)] == [
        ("first.ndjson", 2, 0),
        ("second.ndjson", 1, 1),
    ]
    assert undo(lake, first) == {second: 1}
    assert [name for name, _ in first_of_each(lake)] == ["e1", "e2", "e4", "e5"]
    assert [(each.file, each.events, each.state) for each in find_imports(lake)] == [
        ("first.ndjson", 2, TAKEN_BACK),
        ("second.ndjson", 2, IN_LAKE),
    ]
    assert list_files_of(lake, PROJECT, first) == []


def test_the_same_file_can_be_imported_again_after_it_was_taken_back(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    first = bring(lake, [1, 2, 3])
    assert first is not None
    undo(lake, first)
    assert list_parts(lake, PROJECT) == []
    again = bring(lake, [1, 2, 3])
    assert again != first
    assert len(first_of_each(lake)) == 3


def test_an_import_that_brought_nothing_new_holds_its_events_once_the_other_is_taken_back(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    first, second = bring(lake, [1, 2]), bring(lake, [2, 1])
    assert first is not None and second is not None
    assert undo(lake, first) == {second: 2}
    assert undo(lake, second) == {}
    assert first_of_each(lake) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "import", "undo"]), st.lists(st.integers(0, 5), min_size=1, max_size=4)),
    min_size=1,
    max_size=7,
)


@pytest.mark.slow
@given(steps=STEPS, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_lake_is_as_if_imports_that_were_taken_back_had_never_been(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[int]]], seed: int
) -> None:
    """Ids are the same in both lakes, and so are the words, which say which step brought them."""
    folder, draw = tmp_path_factory.mktemp("undo"), random.Random(seed)
    lake, without = Lake(str(folder / "with")), Lake(str(folder / "without"))
    made: dict[int, str | None] = {}
    gone: set[int] = set()
    for number, (step, numbers) in enumerate(steps):
        if step == "send":
            send(lake, numbers, f"{number}-{number}")
        elif step == "import":
            made[number] = bring(lake, numbers, text=f"step {number}")
        elif there := sorted(set(made) - gone):
            chosen = draw.choice(there)
            gone.add(chosen)
            if (name := made[chosen]) is not None:
                undo(lake, name)
    for number, (step, numbers) in enumerate(steps):
        if step == "send":
            send(without, numbers, f"{number}-{number}")
        elif step == "import" and number not in gone:
            bring(without, numbers, text=f"step {number}")
    assert first_of_each(lake) == first_of_each(without)


@pytest.mark.parametrize(
    "point", ["part.after_rename", "undo.after_hand_over", "undo.after_note", "parts.after_removal"]
)
def test_an_undo_that_is_killed_leaves_all_or_nothing_and_goes_on_at_the_next_call(
    tmp_path: Path, interrupted_at: Callable[[str], AbstractContextManager[None]], point: str
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    first, second = bring(lake, [1, 2, 3]), bring(lake, [3, 4])
    assert first is not None and second is not None

    with interrupted_at(point):
        undo(lake, first)
    whole = point in ("part.after_rename", "undo.after_hand_over")
    assert [name for name, _ in first_of_each(lake)] == (["e1", "e2", "e3", "e4"] if whole else ["e3", "e4"])
    undo(lake, first)
    assert [name for name, _ in first_of_each(lake)] == ["e3", "e4"]
    assert list_files_of(lake, PROJECT, first) == []


def write_ndjson(file: Path, numbers: range) -> Path:
    file.write_text("".join(json.dumps(document(number)) + "\n" for number in numbers))
    return file


@pytest.mark.slow
def test_the_command_lists_takes_back_and_says_what_it_did(turret, new_project, tmp_path: Path) -> None:
    project = new_project("enterprise", 1)
    jan, feb = write_ndjson(tmp_path / "jan.ndjson", range(5)), write_ndjson(tmp_path / "feb.ndjson", range(4, 8))
    done = turret("import", str(jan), "--project", project.name)
    import_id = done.stdout.split("--undo ")[1].split("`")[0]
    other = json.loads(turret("import", str(feb), "--project", project.name, "--json").stdout)["import_id"]

    listed = [json.loads(line) for line in turret("import", "--list", "--json").stdout.splitlines()]
    assert [(each["import_id"], each["file"], each["events"], each["aside"]) for each in listed] == [
        (import_id, "jan.ndjson", 5, 0),
        (other, "feb.ndjson", 3, 1),
    ]
    taken = turret("import", "--undo", import_id)
    assert taken.returncode == 0, taken.stderr
    assert (
        "5 events of jan.ndjson" in taken.stdout and f"1 of them stay, because {other} brought them too" in taken.stdout
    )
    twice = turret("import", "--undo", import_id, "--project", project.name)
    assert twice.returncode == 0 and "was taken back before" in twice.stdout
    lake = Lake(str(tmp_path / "home" / "lake"))
    assert len({name for name, _ in rows_of(lake, project.project_id)}) == 4
    lines = turret("import", "--list", "--project", project.name).stdout.splitlines()
    assert "(taken back)" in lines[0] and "feb.ndjson" in lines[1]
    again = json.loads(turret("import", str(jan), "--project", project.name, "--json").stdout)
    assert (again["imported"], again["duplicates"]) == (4, 1)


def rows_of(lake: Lake, project_id: str) -> list[tuple[str, str]]:
    return read_parts(lake, list_parts(lake, project_id)).select("event_id", "metadata").rows()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--undo", "import-1"], "there is no import 'import-1'"),
        (["--undo", "import-1", "--project", "nobody"], "there is no project 'nobody'"),
        (["--undo", "import-1", "--list"], "--list and --undo stand alone"),
        ([], "FILE and --project are needed"),
    ],
)
def test_what_cannot_be_taken_back_is_refused_in_words(turret, arguments: list[str], words: str) -> None:
    done = turret("import", *arguments)
    assert done.returncode != 0
    assert words in done.stderr


def test_an_import_of_an_earlier_version_is_listed_and_taken_back(
    turret: Callable[..., object], new_project: Callable[..., object], tmp_path: Path
) -> None:
    project = new_project()
    lake = Lake(str(tmp_path / "home" / "lake"))
    made = Lake(str(tmp_path / "made"))
    bring(made, [1, 2])
    rows = read_parts(made, list_parts(made, PROJECT)).drop("part")
    day = list_parts(made, PROJECT)[0].received_date
    for us in (1_700_000_000_000_000, 1_700_000_100_000_000):
        write_part(lake, project.project_id, day, f"import-{us}-000000.parquet", rows)

    listed = turret("import", "--list").stdout.splitlines()
    assert "import-1700000000000000  2023-11-14 22:13:20 UTC" in listed[0] and "name is not known" in listed[0]
    done = turret("import", "--undo", "import-1700000000000000")
    assert done.returncode == 0 and "did not note what it had in common" in done.stderr
    assert [part.source for part in list_parts(lake, project.project_id)] == ["import-1700000100000000"]


@pytest.mark.slow
def test_an_undo_waits_for_a_build_and_says_so(turret, new_project, tmp_path: Path, database_url: str) -> None:
    project = new_project()
    file = write_ndjson(tmp_path / "a.ndjson", range(3))
    import_id = json.loads(turret("import", str(file), "--project", project.name, "--json").stdout)["import_id"]
    lake, answers = Lake(str(tmp_path / "home" / "lake")), []
    asker = threading.Thread(target=lambda: answers.append(turret("import", "--undo", import_id)))
    with sole_writer(database_url, lake, project.project_id):
        asker.start()
        # Each has tried to take the lock, and goes on.
        tried = f"application_name = 'turret {project.project_id}' AND query LIKE '%advisory%' AND state = 'idle'"
        until(lambda: fetch(database_url, f"SELECT count(*) FROM pg_stat_activity WHERE {tried}") == [(2,)])
        assert not answers and len(list_parts(lake, project.project_id)) == 1
    asker.join()
    assert answers[0].returncode == 0 and "is running; waiting until it lets go" in answers[0].stderr
    assert list_parts(lake, project.project_id) == []


def test_a_refused_row_and_an_empty_file_make_no_import(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    refused = [(1, ApiError(400, "INVALID_REQUEST", "no"))]
    assert import_documents(lake, PROJECT, refused, 10, lambda row: None).import_id is None
    assert find_imports(lake) == []
