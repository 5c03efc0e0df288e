"""Where the cells of a row go in an event."""

from __future__ import annotations

import copy

import pytest

from turret_api.errors import ApiError, invalid
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.rows import SourceError


@pytest.mark.parametrize(
    ("mapped", "cells", "document"),
    [
        ({}, {"name": "n", "prompt": "p"}, {"name": "n", "metadata": {"prompt": "p"}}),
        ({}, {"name": None, "prompt": None}, {"metadata": {}}),
        ({"ts": "timestamp"}, {"ts": "t", "a": 1}, {"timestamp": "t", "metadata": {"a": 1}}),
        ({"a": ""}, {"a": 1, "b": 2}, {"metadata": {"b": 2}}),
        ({"name": "metadata.who"}, {"name": "n"}, {"metadata": {"who": "n"}}),
        ({"a": "metadata"}, {"b": 1, "a": '{"b":2,"c":3}'}, {"metadata": {"b": 2, "c": 3}}),
        ({"a": "metadata"}, {"a": {"c": 3}, "metadata": {"c": 4}}, {"metadata": {"c": 4}}),
        ({"not": "name"}, {"here": 1}, {"metadata": {"here": 1}}),
    ],
)
def test_a_row_is_the_document_that_a_client_would_have_sent(mapped, cells, document) -> None:
    assert ColumnMapping(mapped).document(cells) == document


EVENT = {"event": "sent", "properties": {"time": 5, "$session_id": "s", "prompt": "p"}}


@pytest.mark.parametrize(
    ("mapped", "cells", "document"),
    [
        (
            {"properties.time": "timestamp", "properties.$session_id": "session_id", "properties": "metadata"},
            EVENT,
            {"timestamp": 5, "session_id": "s", "metadata": {"event": "sent", "prompt": "p"}},
        ),
        (
            {"event": "name", "properties.time": "timestamp"},
            EVENT,
            {"name": "sent", "timestamp": 5, "metadata": {"properties": {"$session_id": "s", "prompt": "p"}}},
        ),
        (
            {"properties.prompt": "metadata.text", "properties": ""},
            EVENT,
            {"metadata": {"event": "sent", "text": "p"}},
        ),
        (
            {"properties.time": "", "properties": "metadata"},
            EVENT,
            {"metadata": {"event": "sent", "$session_id": "s", "prompt": "p"}},
        ),
        ({"a.b": "name"}, {"a.b": "x", "a": {"b": "y"}}, {"name": "x", "metadata": {"a": {"b": "y"}}}),
        ({"a.b.c": "name"}, {"a": {"b.c": "x"}}, {"name": "x", "metadata": {}}),
        ({"a.b.c": "name"}, {"a": {"b.c": "x", "b": {"c": "y"}}}, {"name": "x", "metadata": {"a": {"b": {"c": "y"}}}}),
        ({"a.b.c": "name"}, {"a.b": 1, "a": {"b": {"c": "x"}}}, {"name": "x", "metadata": {"a.b": 1}}),
        ({"a.b": "metadata", "a.b.c": "name"}, {"a": {"b": {"c": "x", "d": 1}}}, {"name": "x", "metadata": {"d": 1}}),
        ({"a.b.c": "name", "a.b": "metadata"}, {"a": {"b": {"c": "x", "d": 1}}}, {"name": "x", "metadata": {"d": 1}}),
        ({"a.b": "name"}, {"a": '{"b": "x", "c": 1}'}, {"name": "x", "metadata": {"a": {"c": 1}}}),
        ({"a.b.c": "name"}, {"a": {"b": '{"c": "x"}'}}, {"name": "x", "metadata": {}}),
        ({"a.b": "name"}, {"a": "text"}, {"metadata": {"a": "text"}}),
        ({"a.b": "name"}, {"a": [{"b": "x"}]}, {"metadata": {"a": [{"b": "x"}]}}),
        ({"a.b": "name"}, {"a": None}, {"metadata": {}}),
        ({"a.b": "name"}, {"c": 1}, {"metadata": {"c": 1}}),
        ({"a.b": "name"}, {"a": {"b": None, "c": 1}}, {"metadata": {"a": {"c": 1}}}),
        ({".a": "name", "b.": "user_id"}, {".a": "x", "b.": "y"}, {"name": "x", "user_id": "y", "metadata": {}}),
    ],
)
def test_a_mapping_reaches_into_nested_keys_and_takes_them_out(mapped, cells, document) -> None:
    before = copy.deepcopy(cells)

    assert ColumnMapping(mapped).document(cells) == document
    assert cells == before


def test_the_column_of_a_nested_key_is_read_even_if_the_rest_of_it_is_left_out() -> None:
    assert ColumnMapping({"a.b": "name", "a": ""}).taken(["a", "c"]) == ["a", "c"]


@pytest.mark.parametrize(
    ("mapped", "cells", "reason"),
    [
        ({"a.b": "name"}, {"a": '{"b": '}, "Column a.b: The body is not valid JSON"),
        ({"a.b": "name"}, {"a": {"b": "x"}, "name": "y"}, "Two columns go to name"),
        ({}, {"a": invalid("no such number")}, "Column a: no such number"),
        ({}, {"metadata": "[1]"}, "Column metadata must hold a JSON object."),
        ({}, {"metadata": "{"}, "Column metadata: The body is not valid JSON"),
        ({}, [1], "The line must be a JSON object."),
        ({}, invalid("cut off"), "cut off"),
        ({"who": "name"}, {"who": "x", "name": "y"}, "Two columns go to name"),
    ],
)
def test_a_row_that_is_no_document_says_why(mapped, cells, reason) -> None:
    refused = ColumnMapping(mapped).document(cells)

    assert isinstance(refused, ApiError) and refused.message.startswith(reason)


@pytest.mark.parametrize(
    ("mapped", "columns", "reason"),
    [
        ({"c": "name"}, ["a"], "there is no column 'c' to map; the columns are a"),
        ({}, ["a", "a"], "two columns have the same name"),
        ({"a": "name"}, ["a", "name"], "two columns go to name"),
        ({"a": ""}, ["a"], "every column is left out"),
        ({"c.b": "name"}, ["a"], "there is no column 'c.b' to map; the columns are a"),
    ],
)
def test_a_mapping_that_does_not_fit_the_columns_is_refused(mapped, columns, reason) -> None:
    with pytest.raises(SourceError, match=reason):
        ColumnMapping(mapped).taken(columns)


def test_a_key_that_no_event_has_is_refused_before_any_file_is_read() -> None:
    with pytest.raises(SourceError, match="'nam' is no key of an event"):
        ColumnMapping({"a": "nam"})
