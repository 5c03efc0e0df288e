"""Messages: which values of text fields become one, and under which ids."""

import datetime as dt
import hashlib
import json

import polars as pl

from turret_pipeline.analysis.fields.detect import extract_messages
from turret_pipeline.lake.tables import EVENTS, MESSAGES
from turret_pipeline.semantics.values import field_values


def events(*metadata: dict[str, object]) -> pl.DataFrame:
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    rows = [
        ("p-1", at.date(), f"e{i}", "s", "u", "chat", at, at, i, json.dumps(each), "part.parquet")
        for i, each in enumerate(metadata)
    ]
    return pl.DataFrame(rows, schema=EVENTS.schema, orient="row")


def test_each_text_of_each_text_field_is_a_message_and_nothing_else_is() -> None:
    found = extract_messages(
        events({"prompt": " Hi ", "reply": "yo"}, {"prompt": None, "reply": 5}, {"prompt": " \n "}, {"reply": "Hi"}),
        ["prompt", "reply"],
    )
    assert found.select("field", "event_id", "text").rows() == [
        ("prompt", "e0", " Hi "),
        ("reply", "e0", "yo"),
        ("reply", "e3", "Hi"),
    ]
    assert found.schema == {name: dtype for name, dtype in MESSAGES.schema.items() if name != "project_id"}


def test_a_text_has_one_id_wherever_it_is_said() -> None:
    found = extract_messages(events({"a": "Hi", "b.c[0] \u00e9": "Hi"}, {"a": "hi"}), ["a", "b.c[0] \u00e9"])
    assert found["text_id"].to_list() == [
        hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in ("Hi", "hi", "Hi")
    ]


def test_no_events_and_no_fields_give_no_messages() -> None:
    assert extract_messages(events(), ["prompt"]).is_empty()
    assert extract_messages(events({"prompt": "Hi"}), []).schema == extract_messages(events(), ["x"]).schema


def test_a_field_has_its_messages_whatever_its_name() -> None:
    names = ["plain", 'say "hi"', "back\\slash", "tab\tline\n", "\x7f\u2028", "日本", "field_0", "a.b", ""]
    rows = [{**dict.fromkeys(names, f"text {n}"), "last": n} for n in range(3)]
    found = field_values([json.dumps(row) for row in rows], [*names, "absent"])
    assert found == {name: [row.get(name) for row in rows] for name in [*names, "absent"]}
