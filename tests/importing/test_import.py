"""Historical events from files: the checks of `POST /track`, nothing twice, no server."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import signal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from turret_api.accounts import Accounts
from turret_api.importing.history import ROWS_A_PART
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

EVENTS = [
    {"name": "n", "metadata": {"prompt": "one"}, "timestamp": "2026-01-01T00:00:00Z", "session_id": "s"},
    {"name": "n", "metadata": {"prompt": "two"}},
    {"name": "n", "metadata": {"prompt": "two"}},
    {"name": "n", "metadata": {"prompt": "three"}, "event_id": "mine"},
]


def events_of(tmp_path: Path, project_id: str) -> pl.DataFrame:
    lake = Lake(str(tmp_path / "home" / "lake"))
    return read_parts(lake, list_parts(lake, project_id))


def write_ndjson(file: Path, documents: list[object]) -> Path:
    file.write_text("".join(json.dumps(each) + "\n" for each in documents))
    return file


def test_a_file_imported_again_or_grown_stores_nothing_twice(turret, new_project, accounts: Accounts, tmp_path) -> None:
    project = new_project("enterprise", 1)
    file = write_ndjson(tmp_path / "a.ndjson", [*EVENTS])
    first = json.loads(turret("import", str(file), "--project", project.name, "--json").stdout)
    again = json.loads(turret("import", str(file), "--project", project.project_id, "--json").stdout)
    write_ndjson(file, [*EVENTS, EVENTS[1], EVENTS[3], {"name": "n", "metadata": {"prompt": "new"}}])
    grown = json.loads(turret("import", str(file), "--project", project.project_id, "--json").stdout)

    assert [(each["imported"], each["duplicates"]) for each in (first, again, grown)] == [(4, 0), (0, 4), (2, 5)]
    events = events_of(tmp_path, project.project_id)
    prompts = [json.loads(each)["prompt"] for each in events["metadata"]]
    assert sorted(prompts) == ["new", "one", "three", "two", "two", "two"]
    assert events["event_id"].n_unique() == 6
    assert events["session_id"].n_unique() == 6
    assert accounts.usage(project.project_id).used == 0


def test_refused_rows_are_reported_by_number_and_the_rest_is_imported(turret, new_project, tmp_path) -> None:
    project = new_project()
    file = tmp_path / "a.ndjson"
    file.write_text('{"name":"n","metadata":{"a":1}}\n\nnonsense\n{"name":"n"}\n{"name":"n","metadata":{"a":2}}\n')
    report = tmp_path / "refused.ndjson"

    done = turret("import", str(file), "--project", project.project_id, "--json", "--refused", str(report))

    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Error: 2 of 4 rows were refused")
    assert [(row["row"], row["code"]) for row in json.loads(done.stdout)["refused_rows"]] == [
        (3, "INVALID_REQUEST"),
        (4, "MISSING_REQUIRED_FIELD"),
    ]
    assert [json.loads(line)["row"] for line in report.read_text().splitlines()] == [3, 4]
    assert events_of(tmp_path, project.project_id).height == 2


def test_rows_with_blank_ids_are_as_rows_without_them(turret, new_project, tmp_path) -> None:
    project = new_project()
    blank = {**EVENTS[1], "session_id": "", "user_id": " \u200b", "event_id": ""}
    file = write_ndjson(tmp_path / "a.ndjson", [blank, blank])
    for _ in range(2):  # the second time nothing is new: the ids that are made are the same
        assert turret("import", str(file), "--project", project.project_id).returncode == 0

    events = events_of(tmp_path, project.project_id)
    assert events.height == 2
    for column, prefix in {"event_id": "evt_", "session_id": "ses_", "user_id": "usr_"}.items():
        assert events[column].n_unique() == 2 and events[column].str.starts_with(prefix).all()


def test_columns_of_parquet_go_where_they_are_mapped(turret, new_project, tmp_path) -> None:
    project = new_project()
    file = tmp_path / "a.parquet"
    at = dt.datetime(2026, 1, 2, 3, 4, 5, 678901)
    pl.DataFrame(
        {
            "ts": pl.Series([at, at], dtype=pl.Datetime("us", "UTC")),
            "text": ["hello", None],
            "extra": ['{"model":"x","n":2}', "{}"],
            "gold": ["secret", "secret"],
            "score": [0.5, 2.0],
            "user_id": ["u", None],
        }
    ).write_parquet(file)
    mapping = ["ts=timestamp", "text=metadata.prompt", "extra=metadata", "gold="]

    done = turret(
        "import", str(file), "--project", project.name, "--name", "chat", *(w for m in mapping for w in ("--map", m))
    )

    assert done.returncode == 0, done.stderr
    rows = events_of(tmp_path, project.project_id).sort("seq").to_dicts()
    assert [json.loads(row["metadata"]) for row in rows] == [
        {"prompt": "hello", "model": "x", "n": 2, "score": 0.5},
        {"score": 2.0},
    ]
    assert {row["name"] for row in rows} == {"chat"}
    assert rows[0]["timestamp"].isoformat() == "2026-01-02T03:04:05.678901+00:00"
    assert rows[0]["user_id"] == "u" and rows[1]["user_id"].startswith("usr_")


def test_maps_of_parquet_are_objects(turret, new_project, tmp_path) -> None:
    project = new_project()
    file = tmp_path / "a.parquet"
    plan = pa.array([{"plan": "free", "lang": "de"}], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"name": ["n"], "props": plan, "metadata": plan}), file)

    assert turret("import", str(file), "--project", project.name).returncode == 0

    metadata = json.loads(events_of(tmp_path, project.project_id)["metadata"][0])
    assert metadata == {"props": {"plan": "free", "lang": "de"}, "plan": "free", "lang": "de"}


def test_cells_of_csv_are_numbers_only_where_the_whole_column_is(turret, new_project, tmp_path) -> None:
    project = new_project()
    file = tmp_path / "a.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ["name", "count", "code", "parcel", "flag", "note"],
                ["n", "1", "007", "9400111899223100001234", "true", 'a "b", c'],
                ["n", "2.5", "8", "9400111899223100001235", "FALSE", ""],
            ]
        )

    assert turret("import", str(file), "--project", project.name).returncode == 0

    rows = events_of(tmp_path, project.project_id).sort("seq")
    assert [json.loads(each) for each in rows["metadata"]] == [
        {"count": 1, "code": "007", "parcel": "9400111899223100001234", "flag": True, "note": 'a "b", c'},
        {"count": 2.5, "code": "8", "parcel": "9400111899223100001235", "flag": False},
    ]


def test_keys_of_foreign_ndjson_go_where_they_are_mapped(turret, new_project, tmp_path) -> None:
    project = new_project()
    rows = [
        {"ts": "2026-01-02T03:04:05Z", "question": "where?", "who": "u", "model": "x"},
        {"question": "when?", "metadata.question": "twice"},
        ["no", "object"],
        {"ts": "2026-01-02T03:04:06Z", "question": "why?"},
    ]
    file = write_ndjson(tmp_path / "a.ndjson", rows)
    mapping = ["ts=timestamp", "question=metadata.prompt", "who=user_id"]

    words = (word for each in mapping for word in ("--map", each))
    done = turret("import", str(file), "--project", project.name, "--name", "chat", "--json", *words)

    assert [row["row"] for row in json.loads(done.stdout)["refused_rows"]] == [3]
    events = events_of(tmp_path, project.project_id).sort("seq")
    assert [json.loads(each) for each in events["metadata"]] == [
        {"prompt": "where?", "model": "x"},
        {"prompt": "when?", "metadata.question": "twice"},
        {"prompt": "why?"},
    ]
    assert events["user_id"][0] == "u"
    assert events["timestamp"][2].isoformat() == "2026-01-02T03:04:06+00:00"


@pytest.mark.parametrize("point", ["part.mid_file", "part.after_rename"])
def test_an_import_that_is_killed_goes_on_where_it_was(turret, new_project, tmp_path, point) -> None:
    project = new_project()
    file = tmp_path / "a.csv"
    n_rows = ROWS_A_PART + 10
    file.write_text("name,prompt\n" + "".join(f"n,what is {number % 40_000}?\n" for number in range(n_rows)))

    killed = turret("import", str(file), "--project", project.name, "--die-at", point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    there = events_of(tmp_path, project.project_id).height
    assert there == (0 if point == "part.mid_file" else ROWS_A_PART)
    done = json.loads(turret("import", str(file), "--project", project.name, "--json").stdout)

    assert (done["imported"], done["duplicates"]) == (n_rows - there, there)
    events = events_of(tmp_path, project.project_id)
    assert events.height == events["event_id"].n_unique() == n_rows


@pytest.mark.parametrize(
    ("name", "content", "options", "reason"),
    [
        ("a.txt", "x", [], "is not one of *.ndjson"),
        ("a.parquet", "x", [], "cannot be read"),
        ("a.csv", "a,b\n1,2\n", ["--map", "c=name"], "there is no column 'c' to map"),
        ("a.csv", "a,b\n1,2\n", ["--map", "a=nam"], "'nam' is no key of an event"),
        ("a.csv", "a,b\n1,2\n", ["--map", "a=metadata.x", "--map", "a=metadata.y"], "'a' goes to metadata.x already"),
        ("a.csv", "", [], "has no header line"),
        ("a.ndjson", "{}\n", ["--map", "a=nam"], "'nam' is no key of an event"),
        ("a.ndjson", "{}\n", ["--project", "nobody"], "there is no project 'nobody'"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(
    turret, new_project, tmp_path, name, content, options, reason
) -> None:
    file = tmp_path / name
    file.write_text(content)

    done = turret("import", str(file), "--project", new_project().project_id, *options)

    assert done.returncode == 1
    assert reason in done.stderr and len(done.stderr.strip().splitlines()) == 1


TEXTS = ["hello", "where is my parcel", "hello", "thanks"]


def write_texts(file: Path, texts: list[str]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["session_id", "prompt"], *(["web", text] for text in texts)])
    return file


def test_rows_of_two_files_without_ids_or_times_are_different_events(turret, new_project, tmp_path) -> None:
    project = new_project()

    def bring(name: str, texts: list[str]) -> tuple[int, int]:
        file = write_texts(tmp_path / name, texts)
        done = json.loads(turret("import", str(file), "--project", project.name, "--name", "n", "--json").stdout)
        return done["imported"], done["duplicates"]

    january, february = [*TEXTS, "jan only"], [*TEXTS, "feb only"]
    assert bring("jan.csv", january) == (5, 0)
    assert bring("feb.csv", february) == (5, 0)
    assert bring("jan again.csv", january) == (0, 5)
    assert bring("feb.csv", [*february, "late"]) == (1, 5)
    assert bring("feb.csv", [*february, "late", "later"]) == (1, 6)
    assert events_of(tmp_path, project.project_id).height == 12


def test_a_file_that_grew_after_its_import_was_killed_is_stored_once(turret, new_project, tmp_path) -> None:
    project = new_project()
    texts = [f"what is {number}?" for number in range(ROWS_A_PART + 10)]
    file = write_texts(tmp_path / "a.csv", texts)
    options = ("--project", project.name, "--name", "n", "--json")

    assert turret("import", str(file), *options, "--die-at", "part.after_rename").returncode == -signal.SIGKILL
    write_texts(file, [*texts, "one more"])
    done = json.loads(turret("import", str(file), *options).stdout)

    assert (done["imported"], done["duplicates"]) == (11, ROWS_A_PART)
    assert events_of(tmp_path, project.project_id)["event_id"].n_unique() == ROWS_A_PART + 11


def test_rows_with_times_are_the_same_event_in_two_files_that_overlap(turret, new_project, tmp_path) -> None:
    project = new_project()
    rows = [{"name": "n", "timestamp": f"2026-01-0{day}T00:00:00Z", "metadata": {"p": "hello"}} for day in range(1, 5)]

    for part in (rows[:3], rows[1:]):
        file = write_ndjson(tmp_path / "a.ndjson", part)
        assert turret("import", str(file), "--project", project.name).returncode == 0

    assert events_of(tmp_path, project.project_id).height == 4


def test_nothing_is_imported_if_a_mapping_or_a_column_is_in_doubt(turret, new_project, tmp_path) -> None:
    project = new_project()
    typo = write_ndjson(tmp_path / "typo.ndjson", [{"name": "c", "timestmp": "2026-11-01T10:00:00Z", "prompt": "what"}])
    near = tmp_path / "near.csv"
    near.write_text("Session_ID,userId,Timestamp,prompt\nS1,U1,2026-11-01T10:00:00Z,question\n")

    mapped = turret("import", str(typo), "--project", project.name, "--map", "name=name", "--map", "ts=timestamp")
    called = turret("import", str(near), "--project", project.name, "--name", "chat")
    options = ("--map", "Session_ID=session_id", "--map", "userId=user_id", "--map", "Timestamp=timestamp")
    assert all(" ".join(options[at : at + 2]) in called.stderr for at in (0, 2, 4))
    assert "--map ts=timestamp: no row has such a key; did you mean --map timestmp=timestamp?" in mapped.stderr
    assert (mapped.returncode, called.returncode) == (1, 1)
    assert events_of(tmp_path, project.project_id).is_empty()

    done = turret("import", str(near), "--project", project.name, "--name", "chat", *options)
    assert done.returncode == 0 and not done.stderr
    event = events_of(tmp_path, project.project_id).row(0, named=True)
    assert (event["session_id"], event["user_id"], event["timestamp"].hour) == ("S1", "U1", 10)


def test_events_without_a_time_are_told(turret, new_project, tmp_path) -> None:
    file = write_texts(tmp_path / "a.csv", TEXTS)

    done = turret("import", str(file), "--project", new_project().name, "--name", "n")

    assert done.stderr == "4 rows have no timestamp; their events are at the time of this import\n"


def test_times_without_a_zone_are_of_the_zone_that_is_told(turret, new_project, tmp_path) -> None:
    project = new_project()
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"name;timestamp;p\nn;2026-07-01 12:00:00;x\nn;1782907200;y\n"))

    done = turret("import", str(file), "--project", project.name, "--timezone", "Europe/Berlin")
    wrong = turret("import", str(file), "--project", project.name, "--timezone", "berlin")

    assert done.returncode == 0, done.stderr
    assert sorted(each.hour for each in events_of(tmp_path, project.project_id)["timestamp"]) == [10, 12]
    assert wrong.returncode == 1
    assert wrong.stderr == "Error: there is no time zone 'berlin'; did you mean Europe/Berlin?\n"


def test_a_dry_run_shows_what_would_become_what_and_writes_nothing(turret, tmp_path) -> None:
    file = tmp_path / "a.csv.gz"
    rows = "".join(f"{number};2026-07-01 12:00:00;{'long ' * 50};secret\n" for number in range(1, 8))
    file.write_bytes(gzip.compress(f"who;ts;text;internal\n{rows};soon;x;y\n".encode()))
    options = [
        word
        for each in ("who=user_id", "ts=timestamp", "text=metadata.prompt", "internal=")
        for word in ("--map", each)
    ]
    options += ["--name", "chat", "--timezone", "Europe/Berlin", "--dry-run"]

    shown = turret("import", str(file), *options)
    told = json.loads(turret("import", str(file), *options, "--json").stdout)

    assert shown.returncode == 1
    assert (
        "CSV, cells separated by ';', packed with gzip, UTF-8, times without a zone are in Europe/Berlin"
        in shown.stdout
    )
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert {"who -> user_id", "ts -> timestamp", "text -> metadata.prompt", "internal -> (left out)"} <= set(lines)
    assert any(line.startswith('row 2: {"') and '"timestamp": "2026-07-01T10:00:00+00:00"' in line for line in lines)
    assert any(line.startswith("row 9: refused: timestamp: soon is no time") for line in lines)
    assert (
        lines[-1] == "Of the first 8 rows 7 would be imported and 1 refused. This was a dry run: nothing was written."
    )
    assert shown.stderr == "Error: 1 of the first 8 rows would be refused\n"
    assert (told["dry_run"], told["form"], told["separator"], told["packing"]) == (True, "CSV", ";", "gzip")
    assert told["columns"] == {"who": "user_id", "ts": "timestamp", "text": "metadata.prompt", "internal": ""}
    assert told["rows"][0]["event"] == {
        "name": "chat",
        "user_id": "1",
        "timestamp": "2026-07-01T10:00:00+00:00",
        "metadata": {"prompt": "long " * 50},
    }
    assert not (tmp_path / "home").exists()
