"""Files of `tests/cases`, each as an import of it goes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turret_api.importing.documents import Documents
from turret_api.importing.history import import_documents
from turret_api.importing.rows import SourceError
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

CASES = Path(__file__).parents[1] / "cases"
AT = dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC)


class Home:
    """A lake into which cases are imported."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder))

    def bring(self, case: str, *mapping: str, name: str | None = None) -> list[str]:
        """Import a case; return why rows were refused."""
        refused: list[str] = []
        documents = Documents(CASES / case, dict(each.rsplit("=", 1) for each in mapping), name)
        import_documents(self.lake, "home", documents, 100_000, lambda row: refused.append(row.error))
        return refused

    def events(self) -> pl.DataFrame:
        return read_parts(self.lake, list_parts(self.lake, "home")).sort("received_at", "seq")

    def metadata(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.events()["metadata"]]


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def test_ids_that_are_integers(home) -> None:
    assert home.bring("intids.parquet") == []
    assert home.events()["session_id"].to_list() == ["1", "1", "2"]
    assert home.events()["user_id"].to_list() == ["7", "8", "9"]


def test_ids_that_are_integers_in_ndjson(home) -> None:
    mapping = ["uid=user_id", "sid=session_id", "ts=timestamp", "text=metadata.prompt"]

    assert home.bring("numid.ndjson", *mapping, name="chat") == []
    event = home.events().row(0, named=True)
    assert (event["user_id"], event["session_id"], event["timestamp"]) == ("42", "7", AT)


def test_ids_that_are_16_bytes(home) -> None:
    assert home.bring("uuidbin.parquet") == []
    assert set(home.events()["session_id"]) == {"00010001-0001-0001-0001-000100010001"}


def test_users_called_null_and_nan_are_nobody(home) -> None:
    assert home.bring("null.csv") == []
    users = home.events()["user_id"]
    assert users.str.starts_with("usr_").all() and users.n_unique() == 2
    assert home.metadata() == [{"prompt": "null", "plan": "None"}, {"prompt": "nan", "plan": "N/A"}]


def test_versions_and_numbers_of_22_digits_stay_texts(home) -> None:
    assert home.bring("v.csv") == []
    assert [(each["app_version"], each["tracking"]) for each in home.metadata()] == [
        ("3.9", "9400111899223100001234"),
        ("3.10", "9400111899223100001235"),
    ]


@pytest.mark.parametrize(
    ("case", "times"),
    [
        ("notz.csv", [AT, AT + dt.timedelta(seconds=60, microseconds=123456)]),
        ("tzname.csv", [AT]),
        ("epoch.csv", [AT]),
        ("date.parquet", [AT.replace(hour=0)] * 3),
    ],
)
def test_times_as_files_have_them(home, case, times) -> None:
    assert home.bring(case) == []
    assert home.events()["timestamp"].to_list() == times


def test_times_of_open_telemetry_are_nanoseconds(home) -> None:
    assert home.bring("otel.jsonl", "startTimeUnixNano=timestamp", "traceId=session_id") == []
    assert home.events()["timestamp"].to_list() == [AT, AT]
    assert set(home.events()["session_id"]) == {"a" * 32}


@pytest.mark.parametrize(
    ("case", "key", "values"),
    [
        ("nan.parquet", "score", [0.5, None, None]),
        ("dec.parquet", "price", [12.5, 1e20, None]),
        ("map.parquet", "props", [{"plan": "free", "lang": "de"}] * 3),
        ("mapmeta.parquet", "plan", ["free"] * 3),
    ],
)
def test_values_of_parquet(home, case, key, values) -> None:
    assert home.bring(case) == []
    assert [each.get(key) for each in home.metadata()] == values


def test_rows_behind_a_quotation_mark_that_is_not_closed_are_named(home) -> None:
    (reason,) = home.bring("unclosed.csv")

    assert "lines 2 to 4" in reason
    assert home.events().is_empty()


def test_a_byte_order_mark(home) -> None:
    assert home.bring("bom.ndjson") == []
    assert home.metadata() == [{"prompt": "first line ok"}, {"prompt": "second ok"}]


@pytest.mark.parametrize(
    ("case", "mapping", "options"),
    [
        ("typo.ndjson", ["name=name", "ts=timestamp", "session=session_id"], ["timestmp=timestamp"]),
        ("typo.ndjson", ["name=name"], ["timestmp=timestamp"]),
        ("near.csv", [], ["Session_ID=session_id", "userId=user_id", "Timestamp=timestamp"]),
        ("spacehdr.csv", [], ["' session_id=session_id'", "'user_id =user_id'"]),
        ("posthog.csv", [], ["distinct_id=user_id"]),
        ("mixpanel.ndjson", ["event=name", "properties.tme=timestamp"], ["properties.tme=timestamp"]),
    ],
)
def test_what_is_in_doubt_is_refused_with_what_to_type(home, case, mapping, options) -> None:
    with pytest.raises(SourceError) as error:
        home.bring(case, *mapping, name="chat")

    assert all(f"--map {option}" in str(error.value) for option in options)
    assert home.events().is_empty()


def test_cells_that_semicolons_separate(home) -> None:
    assert home.bring("semi2.csv", name="chat") == []
    assert home.events()["user_id"].to_list() == ["u0", "u1", "u2", "u3", "u4"]
    assert home.metadata()[0] == {"prompt": "Wo ist mein Paket Nummer 0"}


def test_two_months_that_say_the_same(home) -> None:
    for case in ("jan.csv", "feb.csv", "jan.csv", "feb.csv"):
        assert home.bring(case, name="chat") == []

    assert home.events().height == 10


def test_time_and_ids_within_properties(home, tmp_path) -> None:
    mixpanel = ["event=name", "properties.time=timestamp", "properties.distinct_id=user_id"]
    mixpanel += ["properties.$insert_id=event_id", "properties=metadata"]
    posthog = ["event=name", "distinct_id=user_id", "properties.$session_id=session_id", "properties=metadata"]

    assert home.bring("mixpanel.ndjson", *mixpanel) == []
    other = Home(tmp_path / "other")
    assert other.bring("posthog.csv", *posthog, "uuid=event_id") == []

    assert home.events()["timestamp"].to_list() == [AT + dt.timedelta(seconds=each) for each in range(3)]
    assert home.events()["event_id"].to_list() == ["ins0", "ins1", "ins2"]
    assert home.metadata()[0] == {"prompt": "how do I export my data 0", "mp_country_code": "DE"}
    assert set(other.events()["session_id"]) == {"ss1"}
    assert other.metadata()[2] == {"prompt": "how do I export 2"}
