"""Rows as the documents that `POST /track` would get: ids, values, times, and columns that are nearly keys."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.importing.reading import LINE, parquet, read
from turret_api.importing.rows import BATCH_ROWS, SourceError

# Ids


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("7", "7"),
        ("0", "0"),
        ("-3", "-3"),
        ("42.0", "42"),
        ("9400111899223100001234", "9400111899223100001234"),
        ('"7"', "7"),
        ('" 7 "', " 7 "),
        *(
            (f'"{text}"', None)
            for text in ("", "  ", "NULL", "null", "NaN", "None", "N/A", "<NA>", "\\\\N", "undefined")
        ),
        ("null", None),
    ],
)
@pytest.mark.parametrize("key", ["session_id", "user_id", "event_id"])
def test_an_id_is_a_text_or_nothing(tmp_path, key, value, kept) -> None:
    (document,) = read(tmp_path / "a.ndjson", f'{{"name": "n", "{key}": {value}, "metadata": {{"a": 1}}}}')

    assert document.get(key) == kept


@pytest.mark.parametrize("value", ["true", "4.5", "1e300", '{"id": 1}', "[1]"])
def test_what_is_no_id_is_left_to_the_checks(tmp_path, value) -> None:
    (document,) = read(tmp_path / "a.ndjson", f'{{"name": "n", "user_id": {value}, "metadata": {{"a": 1}}}}')

    assert document["user_id"] == json.loads(value)


def test_integers_of_parquet_are_ids_and_so_are_floats_that_pandas_made_of_them(tmp_path) -> None:
    file = parquet(
        tmp_path / "a.parquet",
        name=pa.array([5, 5, 5], pa.int16()),
        session_id=pa.array([1, 1, 2], pa.int64()),
        user_id=pa.array([7.0, float("nan"), None], pa.float64()),
        event_id=pa.array([uuid.UUID(int=n).bytes for n in range(3)], pa.binary(16)),
        prompt=["where", "how", "why"],
    )

    assert [(each["name"], each["session_id"], each.get("user_id"), each["event_id"][-2:]) for each in read(file)] == [
        ("5", "1", "7", "00"),
        ("5", "1", None, "01"),
        ("5", "2", None, "02"),
    ]


@pytest.mark.parametrize("word", ["NULL", "", "n/a"])
def test_a_name_and_metadata_that_say_nothing_are_missing(tmp_path, word) -> None:
    content = f"name,metadata,p\n{word},{word},x\n"

    assert read(tmp_path / "a.csv", content, name="chat") == [{"name": "chat", "metadata": {"p": "x"}}]


# Values


def test_integers_beyond_64_bits_are_texts_in_whatever_they_lie(tmp_path) -> None:
    big = 9400111899223100001234
    line = {"name": "n", "metadata": {"a": big, "b": [1, {"c": -big}], "d": 2**64 - 1, "e": -(2**63)}}

    (document,) = read(tmp_path / "a.ndjson", json.dumps(line))

    assert document["metadata"] == {"a": str(big), "b": [1, {"c": str(-big)}], "d": 2**64 - 1, "e": -(2**63)}


def test_values_that_are_nested_very_deep_are_left_to_the_checks(tmp_path) -> None:
    deep = "[" * 400 + "1" + "]" * 400

    (document,) = read(tmp_path / "a.ndjson", f'{{"name": "n", "metadata": {{"a": {deep}}}}}')

    assert document["metadata"]["a"] == json.loads(deep)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_what_is_no_finite_number_is_null_in_json(tmp_path, word) -> None:
    lines = f'{{"name": "n", "metadata": {{"a": {word}, "b": [1.5, {word}], "c": "NaN"}}}}\n'

    assert read(tmp_path / "a.ndjson", lines) == [{"name": "n", "metadata": {"a": None, "b": [1.5, None], "c": "NaN"}}]
    assert read(tmp_path / "a.json", f"[{lines.strip()}]")[0]["metadata"]["b"] == [1.5, None]
    assert read(tmp_path / "a.csv", f'name,metadata\nn,"{{""a"": {word}, ""b"": 1}}"\n')[0]["metadata"]["b"] == 1


@pytest.mark.parametrize("line", ['{"a": "\\ud800", "b": NaN}', "{'a': NaN}", "NaN NaN", '{"a": NaN', "[" * 100_000])
def test_what_is_no_json_otherwise_stays_refused(tmp_path, line) -> None:
    (said,) = read(tmp_path / "a.ndjson", line)

    assert said is None or "JSON" in str(said)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "NaN", "2.5", "null", "inf"], [1, None, 2.5, None, None]),
        (["true", "N/A", "False"], [True, None, False]),
        (["NaN", "None"], ["NaN", "None"]),
        (["hello", "NaN", "1"], ["hello", "NaN", "1"]),
        (["3.9", "3.10", "3.11"], ["3.9", "3.10", "3.11"]),
        (["17.1", "17.10", "16"], ["17.1", "17.10", "16"]),
        (["3.10", "3"], ["3.10", "3"]),
        (["12.50", "3.00", "0.99"], [12.5, 3.0, 0.99]),
        (["12.0", "3.25", "7"], [12.0, 3.25, 7]),
        (["3.10"] + ["3.9"] * BATCH_ROWS * 2, ["3.10"] + ["3.9"] * BATCH_ROWS * 2),
        (["3.9"] * BATCH_ROWS * 2 + ["3.10"], ["3.9"] * BATCH_ROWS * 2 + ["3.10"]),
        (["NaN"] * BATCH_ROWS * 2 + ["1"], [None] * BATCH_ROWS * 2 + [1]),
    ],
)
def test_a_column_of_csv_is_of_numbers_if_they_lose_nothing(tmp_path, cells, values) -> None:
    found = read(tmp_path / "a.csv", "name,k,v\n" + "".join(f"n,k,{cell}\n" for cell in cells))

    assert [each["metadata"].get("v") for each in found] == values


@pytest.mark.parametrize("column", ["version", "app_version", "pythonVersion", "iOS Version", "ver", "firmware"])
def test_a_column_called_version_is_of_texts(tmp_path, column) -> None:
    assert read(tmp_path / "a.csv", f"name,{column}\nn,3.1\nn,3.2\n")[0]["metadata"] == {column: "3.1"}


@pytest.mark.parametrize("column", ["conversion", "conversions", "delivery"])
def test_a_column_that_is_called_alike_is_not(tmp_path, column) -> None:
    assert read(tmp_path / "a.csv", f"name,{column}\nn,3.1\nn,3.2\n")[0]["metadata"] == {column: 3.1}


def test_maps_and_structs_of_parquet_are_objects_and_can_be_reached_into(tmp_path) -> None:
    plan = pa.array([[("plan", "free"), ("user", "u")]], pa.map_(pa.string(), pa.string()))
    extra = pa.array([{"at": {"s": 1793527200}, "x.y": 1}])
    file = parquet(tmp_path / "a.parquet", name=["n"], props=plan, extra=extra, **{"a.b": ["literal"]})

    assert read(file, None, "props.user=user_id", "extra.at.s=timestamp", "a.b=metadata.ab") == [
        {
            "name": "n",
            "user_id": "u",
            "timestamp": "2026-11-01T10:00:00+00:00",
            "metadata": {"props": {"plan": "free"}, "extra": {"x.y": 1}, "ab": "literal"},
        }
    ]
    assert read(file, None, "props=metadata", "extra=")[0]["metadata"] == {
        "plan": "free",
        "user": "u",
        "a.b": "literal",
    }


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_column_that_is_left_out_is_not_a_path_into_another(tmp_path, kind) -> None:
    file = tmp_path / f"a.{kind}"
    if kind == "parquet":
        parquet(file, a=pa.array([{"b": 1}]), **{"a.b": ["literal"]})
    else:
        file.write_text('a,a.b\n"{""b"": 1}",literal\n')

    (document,) = read(file, None, "a.b=", "a=metadata", name="n")

    assert document["metadata"] == {"b": 1}


# Times


def test_times_without_a_zone_are_utc_or_of_the_zone_that_is_told_in_every_form(tmp_path) -> None:
    texts = "name,timestamp,p\nn,2026-07-01 12:00:00,x\n"
    stamps = parquet(tmp_path / "a.parquet", name=["n"], timestamp=pa.array([1782907200], pa.timestamp("s")), p=["x"])
    days = parquet(tmp_path / "d.parquet", name=["n"], timestamp=pa.array([20635], pa.date32()), p=["x"])
    line = '{"name": "n", "timestamp": "2026-07-01T12:00:00", "metadata": {"p": "x"}}'

    def times(**options: Any) -> list[str]:
        found = [read(tmp_path / "a.csv", texts, **options), read(stamps, **options), read(days, **options)]
        found.append(read(tmp_path / "a.ndjson", line, **options))
        return [each["timestamp"] for (each,) in found]

    noon, midnight = "2026-07-01T12:00:00+00:00", "2026-07-01T00:00:00+00:00"
    assert times() == [noon, noon, midnight, noon]
    noon, midnight = "2026-07-01T10:00:00+00:00", "2026-06-30T22:00:00+00:00"
    in_berlin = times(zone=ZoneInfo("Europe/Berlin"))
    assert in_berlin[0] == noon and in_berlin[2:] == [midnight, noon]
    assert in_berlin[1] == "2026-07-01T12:00:00+02:00"


@pytest.mark.parametrize("word", ["", "NULL", "NaT", "0000-00-00 00:00:00"])
def test_a_time_that_says_nothing_is_missing(tmp_path, word) -> None:
    assert "timestamp" not in read(tmp_path / "a.csv", f"name,timestamp,p\nn,{word},x\n")[0]


# Columns that are called nearly as a key


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", "Session_ID,userId,p\ns,u,x\n", "--map Session_ID=session_id --map userId=user_id"),
        ("a.csv", "name, session_id,p\nn,s,x\n", "--map ' session_id=session_id'"),
        ("a.csv", "name,p,created_at\nn,x,2026-11-01\n", "--map created_at=timestamp"),
        ("a.ndjson", '{"name": "n", "userId": "u", "metadata": {"p": 1}}', "--map userId=user_id"),
        ("a.ndjson", '{"Name": "n", "Metadata": {"p": 1}}', "--map Name=name --map Metadata=metadata"),
    ],
)
def test_a_column_called_nearly_as_a_key_is_refused_with_what_to_type(tmp_path, name, content, options) -> None:
    with pytest.raises(SourceError, match=re.escape(f"add {options}")):
        read(tmp_path / name, content, name="n")


def test_parquet_is_held_to_the_same(tmp_path) -> None:
    file = parquet(tmp_path / "a.parquet", name=["n"], Timestamp=["2026-11-01"], p=["x"])

    with pytest.raises(SourceError, match=r"add --map Timestamp=timestamp, or --map Timestamp=metadata\.Timestamp"):
        read(file)


@pytest.mark.parametrize(
    ("mapping", "document"),
    [
        (["userId=user_id"], {"user_id": "u", "metadata": {"p": "x"}}),
        (["userId=metadata.userId"], {"metadata": {"userId": "u", "p": "x"}}),
        (["userId="], {"metadata": {"p": "x"}}),
        (["p=user_id"], {"user_id": "x", "metadata": {"userId": "u"}}),
    ],
)
def test_a_column_that_is_mapped_is_what_the_mapping_says(tmp_path, mapping, document) -> None:
    assert read(tmp_path / "a.csv", "name,userId,p\nn,u,x\n", *mapping) == [{"name": "n", **document}]


def test_a_key_that_is_mapped_away_leaves_its_place_to_be_asked_about(tmp_path) -> None:
    with pytest.raises(SourceError, match="add --map userId=user_id"):
        read(tmp_path / "a.csv", "name,user_id,userId,p\nn,u,v,x\n", "user_id=metadata.uid")


def test_a_near_key_that_only_later_rows_have_is_refused_there(tmp_path) -> None:
    rows = [{"n": "n", "p": "x"}] * BATCH_ROWS + [{"n": "n", "p": "x", "userId": "u"}, {"n": "n", "p": "y"}]

    found = read(tmp_path / "a.ndjson", "".join(json.dumps(row) + "\n" for row in rows), "n=name")

    assert found[-1] == {"name": "n", "metadata": {"p": "y"}}
    assert found[-2].startswith("'userId' looks like user_id; add --map userId=user_id")
    assert len(found) == len(rows)


def test_a_body_with_a_key_that_no_event_has_is_refused_alone(tmp_path) -> None:
    first, second = read(tmp_path / "a.ndjson", LINE + b'{"name": "n", "userId": "u", "metadata": {"a": 1}}\n')

    assert first == json.loads(LINE) and second["userId"] == "u"


# Mappings of what no row has


@pytest.mark.parametrize(
    ("name", "content", "mapping", "reason"),
    [
        (
            "a.ndjson",
            '{"n": "n", "timestmp": "2026-11-01", "p": "x"}\n' * 3,
            ["n=name", "ts=timestamp", "s=session_id"],
            "--map ts=timestamp, --map s=session_id: no row has such a key; did you mean --map timestmp=timestamp? "
            "The keys are n, timestmp, p",
        ),
        ("a.ndjson", '{"a": {"b": 1}}\n[1]\nx\n', ["a.c=name"], "--map a.c=name: no row has such a key"),
        ("a.csv", 'a,p\n"{""b"": 1}",x\nn/a,y\n', ["a.c=name"], "--map a.c=name: no row has such a key"),
        ("a.csv", "a,p\nx,y\n", ["b=name"], "there is no column 'b' to map"),
        ("a.csv", "a,p\nx,y\n", ["b="], "there is no column 'b' to map"),
    ],
)
def test_a_mapping_of_what_no_row_has_is_refused(tmp_path, name, content, mapping, reason) -> None:
    with pytest.raises(SourceError, match=re.escape(reason)):
        read(tmp_path / name, content, *mapping)


def test_a_key_that_only_the_last_row_has_can_be_mapped(tmp_path) -> None:
    rows = [{"p": {"a": 1}}] * (BATCH_ROWS + 1) + [{"p": {"ts": None}, "who": "u"}]

    found = read(
        tmp_path / "a.ndjson",
        "".join(json.dumps(row) + "\n" for row in rows),
        "p.ts=timestamp",
        "who=user_id",
        name="n",
    )

    assert (len(found), found[-1]["user_id"]) == (len(rows), "u")


def test_a_file_without_rows_is_no_error(tmp_path) -> None:
    assert read(tmp_path / "a.ndjson", "", "a.b=name") == []
    assert read(tmp_path / "a.csv", "a,p\n", "a.b=name") == []


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "x.y"]),
        st.recursive(st.integers(0, 9), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1)),
        min_size=1,
    )
)
def test_whatever_leaf_a_path_names_goes_to_its_key_and_the_rest_stays(tmp_path_factory, row) -> None:
    leaves = dict(_leaves(row, ""))
    path, value = min(leaves.items())

    (document,) = read(tmp_path_factory.getbasetemp() / "law.ndjson", json.dumps(row), f"{path}=user_id", name="n")

    assert document["user_id"] == str(value)
    assert dict(_leaves(document["metadata"], "")) == {key: leaf for key, leaf in leaves.items() if key != path}


def _leaves(value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        yield path.removeprefix("."), value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{path}.{key}")
