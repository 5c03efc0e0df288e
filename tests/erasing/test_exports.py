"""Files that were exported lose the rows of what was erased; what cannot be looked into is named."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from turret_api.accounts import Accounts, NewProject
from turret_api.accounts.audit import record
from turret_api.command.export import write
from turret_api.erasing.erased import Done, Erased
from turret_api.erasing.exports import erase_from_exports
from turret_api.erasing.words import words_of

AT = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
MESSAGES = pl.DataFrame(
    {
        "event_id": ["e1", "e2", "e3", "e4"],
        "session_id": ["s1", "s1", "s2", "s2"],
        "user_id": ["ada", "ada", "bob", "bob"],
        "timestamp": [AT, AT, AT, AT],
        "text": ["=zq-canary-71", "thanks, zq-canary-71", "where is my order?", None],
        "similarity": [0.5, 0.25, 1.0, None],
    }
)
TOPICS = pl.DataFrame(
    {
        "topic_id": ["1", "2"],
        "label": ["orders", "zq-canary-71 refunds"],
        "examples": [["where is my order?", "thanks, zq-canary-71"], ["=zq-canary-71"]],
        "values": [[{"value": "zq-canary-71", "count": 2}, {"value": "x", "count": 3}], []],
        "size": [7, 9],
    }
)


@pytest.fixture
def erase(accounts: Accounts, new_project: Callable[..., NewProject]) -> Callable[..., list[Done]]:
    """Return what erases a user, Ada if none is named, from exports that were written to these files."""

    def run(*files: Path, user: str = "ada") -> list[Done]:
        project_id = new_project().project_id
        for file in files:
            record(accounts, project_id, "command:me", "export", {"table": "messages", "path": str(file)})
        erased = Erased(
            project_id=project_id,
            kind="user",
            values=frozenset([user]),
            user_ids=frozenset([user]),
            session_ids=frozenset(["s1"]),
            event_ids=frozenset(["e1", "e2"]),
            texts=frozenset(["=zq-canary-71", "thanks, zq-canary-71", "zq-canary-71"]),
        )
        return erase_from_exports(accounts, erased, words_of(erased))

    return run


def test_ids_that_a_spreadsheet_would_run_are_found_with_their_mark(
    erase: Callable[..., list[Done]], tmp_path: Path
) -> None:
    file = tmp_path / "m.csv"
    write(pl.DataFrame({"user_id": ["-u", "-v"], "session_id": ["x", "y"], "text": ["thanks", "thanks"]}), file)
    assert erase(file, user="-u")[0].n == 1
    assert file.read_text().splitlines()[1:] == ["'-v,y,thanks"]


@pytest.mark.parametrize("name", ["m.parquet", "m.csv", "m.ndjson"])
def test_rows_of_an_erased_user_leave_a_file_and_the_others_stay_as_they_were(
    erase: Callable[..., list[Done]], tmp_path: Path, name: str
) -> None:
    file, expected = tmp_path / name, tmp_path / f"expected-{name}"
    write(MESSAGES, file)
    write(MESSAGES.tail(2), expected)
    file.chmod(0o640)
    done = erase(file, tmp_path / "moved.csv")
    assert [(each.what, each.n) for each in done] == [
        (f"rows removed from {file}", 2),
        ("not where they were written any more", 1),
    ]
    if name == "m.parquet":
        assert pl.read_parquet(file).equals(MESSAGES.tail(2))
    elif name == "m.csv":
        assert file.read_text() == expected.read_text()
    else:
        rows = [[json.loads(line) for line in each.read_text().splitlines()] for each in (file, expected)]
        assert rows[0] == rows[1]
    assert b"zq-canary" not in file.read_bytes() and file.stat().st_mode & 0o777 == 0o640
    before = file.read_bytes()
    assert erase(file)[0].n == 0 and file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, expected.name])


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.ndjson"])
def test_examples_and_labels_that_quote_a_text_are_hidden_and_counts_stay(
    erase: Callable[..., list[Done]], tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    write(TOPICS, file)
    assert [(each.what, each.n) for each in erase(file)[:2]] == [
        (f"rows removed from {file}", 0),
        (f"rows that quoted it, without these words, in {file}", 2),
    ]
    assert b"zq-canary" not in file.read_bytes()
    if name == "t.parquet":
        assert pl.read_parquet(file).to_dicts() == [
            {
                "topic_id": "1",
                "label": "orders",
                "examples": ["where is my order?"],
                "values": [{"value": "x", "count": 3}],
                "size": 7,
            },
            {"topic_id": "2", "label": "(erased)", "examples": [], "values": [], "size": 9},
        ]


def test_words_of_another_event_stay_also_where_they_begin_as_an_erased_text_does(
    erase: Callable[..., list[Done]], tmp_path: Path
) -> None:
    file = tmp_path / "e.csv"
    metadata = json.dumps({"prompt": "thanks, zq-canary-71 and 72"})
    write(pl.DataFrame({"event_id": ["e1", "e5"], "user_id": ["ada", "bob"], "metadata": [metadata] * 2}), file)
    assert [each.n for each in erase(file)] == [1, 0]
    assert pl.read_csv(file)["metadata"].to_list() == [metadata]


def test_a_receipt_does_not_quote_a_name_of_a_file(erase: Callable[..., list[Done]], tmp_path: Path) -> None:
    file = tmp_path / "zq-canary-71.csv"
    write(MESSAGES, file)
    (removed, _) = erase(file)
    assert (removed.what, removed.n) == ("rows removed from a file whose name quotes it", 2)


def test_what_is_no_export_any_more_is_named_and_left_alone(erase: Callable[..., list[Done]], tmp_path: Path) -> None:
    file, model = tmp_path / "m.parquet", tmp_path / "model"
    file.write_text("a shopping list")
    model.mkdir()
    done = erase(file, model)
    assert [each.what.partition(",")[0] for each in done[:2]] == ["not looked into", "not looked into"]
    assert file.read_text() == "a shopping list" and str(model) in done[1].what
