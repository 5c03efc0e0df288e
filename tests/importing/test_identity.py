"""Which rows of which files are the same event."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_api.errors import invalid
from turret_api.importing.history import import_documents
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

JANUARY = ["hello", "where", "hello", "thanks", "jan only"]
FEBRUARY = ["hello", "where", "hello", "thanks", "feb only"]


class Home:
    """A lake into which files are imported."""

    def __init__(self, folder: Any) -> None:
        self.lake = Lake(str(folder))

    def bring(self, texts: list[str | None], **document: Any) -> tuple[int, int]:
        """Import rows that say no more than their text, None being refused; return new and known ones."""
        rows = [
            (number, invalid("no") if text is None else {"name": "n", "metadata": {"p": text}, **document})
            for number, text in enumerate(texts, 1)
        ]
        done = import_documents(self.lake, "home", rows, 1000, lambda _: None)
        return done.imported, done.duplicates

    def n_events(self) -> int:
        events = read_parts(self.lake, list_parts(self.lake, "home"))
        assert events["event_id"].n_unique() == events["session_id"].n_unique() == events.height
        return events.height


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "new"),
    [
        (JANUARY, FEBRUARY, 5),
        (JANUARY, JANUARY, 0),
        (JANUARY, [*JANUARY, "hello"], 1),
        (JANUARY, JANUARY[:2], 0),
        (JANUARY, JANUARY[::-1], 5),
        (JANUARY, ["hello", *JANUARY], 6),
        (JANUARY, [*JANUARY[:2], *JANUARY[3:]], 4),
        (["hello"], ["thanks", "hello"], 2),
        (["hello", None, "thanks"], ["hello", "mended", "thanks"], 1),
        (["hello", None, "thanks"], ["hello", None, "thanks", "more"], 1),
        ([None, "hello"], ["hello"], 1),
        ([], ["hello"], 1),
        (["hello"], [], 0),
        (["hello", "hello"], ["hello", "hello", "hello"], 1),
    ],
)
def test_a_file_that_came_again_or_grew_or_was_mended_brings_only_what_is_new(home, first, second, new) -> None:
    n_first = home.bring(first)[0]

    assert home.bring(second) == (new, len([each for each in second if each]) - new)
    assert home.bring(first)[0] == home.bring(second)[0] == 0
    assert home.n_events() == n_first + new


def test_files_that_grow_in_turns_are_kept_apart(home) -> None:
    for length in range(1, 6):
        assert home.bring([*JANUARY[4:], *JANUARY[:length]])[0] == (2 if length == 1 else 1)
        assert home.bring([*FEBRUARY[4:], *FEBRUARY[:length]])[0] == (2 if length == 1 else 1)

    assert home.n_events() == 12


def test_a_row_may_be_several_events_that_say_the_same(home) -> None:
    turns = [
        (number, {"name": "n", "metadata": {"p": text}}) for number, text in enumerate(["go on", "go on", "no"], 1)
    ]
    rows = [(1, turn) for _, turn in turns] + [(2, turn) for _, turn in turns]

    done = [import_documents(home.lake, "home", rows, 1000, lambda _: None) for _ in range(2)]

    assert [(each.imported, each.duplicates) for each in done] == [(6, 0), (0, 6)]
    assert home.n_events() == 6


def test_rows_with_a_time_or_an_id_are_the_same_event_in_whatever_file(home) -> None:
    at = {"timestamp": "2026-01-01T00:00:00Z", "session_id": None}

    assert home.bring(["hello", "hello"], **at) == (2, 0)
    assert home.bring(["other", "hello", "hello", "hello"], **at) == (2, 2)
    assert home.bring(["hello"], event_id="mine") == (1, 0)
    assert home.bring(["whatever", "else"], event_id="mine") == (0, 2)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from("ab"), max_size=4), max_size=4))
def test_whatever_was_imported_is_there_and_nothing_of_it_is_new_again(tmp_path_factory, files) -> None:
    home = Home(tmp_path_factory.mktemp("law"))
    for file in files:
        home.bring(list(file))

    assert [home.bring(list(file))[0] for file in files] == [0] * len(files)
    least = max(map(len, files), default=0)
    assert least <= (home.n_events() if least else 0) <= sum(map(len, files))


def test_a_row_of_its_file_has_ids_that_tell_the_file_and_the_row(home) -> None:
    home.bring(["hello", "thanks"])
    home.bring(["bye"])

    ids = read_parts(home.lake, list_parts(home.lake, "home"))["event_id"].sort().to_list()
    files = [len(list(group)) for _, group in itertools.groupby(each.split("_")[1] for each in ids)]
    assert sorted(files) == [1, 2]
