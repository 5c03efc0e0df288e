"""Bad and odd requests over a socket to a real server: each row's status and code, and that refusals leave nothing."""

from __future__ import annotations

import gzip
import json
import re
import time
from typing import Any

import pytest

from tests.collector.bomb import BOMB

URL = "/track"
GOOD = {"name": "message_sent", "metadata": {"prompt": "hello"}}


def event(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


def text(value: str) -> dict[str, Any]:
    return event(metadata={"prompt": value})


def nested(depth: int) -> str:
    return f'{{"name":"n","metadata":{{"x":{"[" * depth}{"]" * depth}}}}}'


def raw(value: str) -> str:
    return f'{{"name":"n","metadata":{{"x":{value}}}}}'


def array(*documents: str) -> bytes:
    """Return an array with a good event before and behind `documents`."""
    return f"[{','.join((json.dumps(GOOD), *documents, json.dumps(GOOD)))}]".encode()


def lines(*documents: Any) -> bytes:
    return b"".join((each if isinstance(each, str) else json.dumps(each)).encode() + b"\n" for each in documents)


NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}

# label, body, headers that differ, status, code
CASES: list[tuple[str, Any, dict[str, str | None], int, str | None]] = [
    ("a valid event", GOOD, {}, 200, None),
    ("all keys", event(session_id="s", user_id="u", event_id="e-all", timestamp="2026-01-01T00:00:00Z"), {}, 200, None),
    ("session_id and user_id null", event(session_id=None, user_id=None), {}, 200, None),
    ("session_id and user_id empty", event(session_id="", user_id=""), {}, 200, None),
    ("session_id and user_id blank", event(session_id=" \t", user_id="\u200b\u3164"), {}, 200, None),
    ("event_id empty", event(event_id=""), {}, 200, None),
    ("timestamp and event_id null", event(timestamp=None, event_id=None), {}, 200, None),
    ("no key", GOOD, {"X-API-Key": None}, 401, "INVALID_API_KEY"),
    ("empty key", GOOD, {"X-API-Key": ""}, 401, "INVALID_API_KEY"),
    ("unknown key", GOOD, {"X-API-Key": "tw_0000000000000000000000000000000024xlCz"}, 401, "INVALID_API_KEY"),
    ("odd key", GOOD, {"X-API-Key": "tw_é'--"}, 401, "INVALID_API_KEY"),
    ("read key", GOOD, {"X-API-Key": "READ"}, 401, "INVALID_API_KEY"),
    ("admin key", GOOD, {"X-API-Key": "ADMIN"}, 401, "INVALID_API_KEY"),
    ("bad key and bad body", b"{", {"X-API-Key": "nonsense"}, 401, "INVALID_API_KEY"),
    ("text/plain", GOOD, {"Content-Type": "text/plain"}, 415, "INVALID_REQUEST"),
    ("no content type", GOOD, {"Content-Type": None}, 415, "INVALID_REQUEST"),
    ("text/plain and a bad body", b"{", {"Content-Type": "text/plain"}, 415, "INVALID_REQUEST"),
    ("utf-16", GOOD, {"Content-Type": "application/json; charset=utf-16"}, 415, "INVALID_REQUEST"),
    ("utf-8", GOOD, {"Content-Type": "application/json; charset=utf-8"}, 200, None),
    ("UTF-8, quoted", GOOD, {"Content-Type": 'Application/JSON;charset="UTF-8"'}, 200, None),
    ("empty body", b"", {}, 400, "INVALID_REQUEST"),
    ("blank body", b" \r\n\t", {}, 400, "INVALID_REQUEST"),
    ("null", b"null", {}, 400, "INVALID_REQUEST"),
    ("a string", b'"x"', {}, 400, "INVALID_REQUEST"),
    ("a number", b"1", {}, 400, "INVALID_REQUEST"),
    ("an empty array", b"[]", {}, 400, "INVALID_REQUEST"),
    ("an empty object", b"{}", {}, 400, "MISSING_REQUIRED_FIELD"),
    ("cut off JSON", b'{"name":"x","meta', {}, 400, "INVALID_REQUEST"),
    ("cut off array", b'[{"name":"x","metadata":{"a":1}},', {}, 400, "INVALID_REQUEST"),
    ("trailing comma", b'{"name":"x","metadata":{"a":1},}', {}, 400, "INVALID_REQUEST"),
    ("two documents", b'{"name":"x","metadata":{"a":1}} {}', {}, 400, "INVALID_REQUEST"),
    ("white space around", b' \r\n\t{"name":"x","metadata":{"a":1}}\n', {}, 200, None),
    ("white space before an array", b'\n [{"name":"x","metadata":{"a":1}}]', {}, 200, None),
    ("byte order mark", b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), {}, 400, "INVALID_REQUEST"),
    ("UTF-16 body", json.dumps(GOOD).encode("utf-16"), {}, 400, "INVALID_REQUEST"),
    ("invalid UTF-8", b'{"name":"x","metadata":{"a":"\xff"}}', {}, 400, "INVALID_REQUEST"),
    ("overlong UTF-8", b'{"name":"x","metadata":{"a":"\xc0\xaf"}}', {}, 400, "INVALID_REQUEST"),
    ("surrogate bytes", b'{"name":"x","metadata":{"a":"\xed\xa0\x80"}}', {}, 400, "INVALID_REQUEST"),
    ("lone surrogate in a value", raw('"\\ud800"'), {}, 400, "INVALID_REQUEST"),
    ("lone low surrogate in a value", raw('"\\udc00 x"'), {}, 400, "INVALID_REQUEST"),
    ("swapped surrogates", raw('"\\udc00\\ud800"'), {}, 400, "INVALID_REQUEST"),
    ("lone surrogate in a key", b'{"name":"x","metadata":{"\\ud800":1}}', {}, 400, "INVALID_REQUEST"),
    ("lone surrogate in the name", b'{"name":"\\ud800","metadata":{"a":1}}', {}, 400, "INVALID_REQUEST"),
    ("surrogate pair", raw('"\\ud83d\\ude00"'), {}, 200, None),
    ("control character", b'{"name":"x","metadata":{"a":"\x01"}}', {}, 400, "INVALID_REQUEST"),
    ("single quotes", b"{'name':'x'}", {}, 400, "INVALID_REQUEST"),
    ("a comment", b'{"name":"x",/**/"metadata":{"a":1}}', {}, 400, "INVALID_REQUEST"),
    ("NaN", raw("NaN"), {}, 400, "INVALID_REQUEST"),
    ("Infinity", raw("Infinity"), {}, 400, "INVALID_REQUEST"),
    ("-Infinity", raw("-Infinity"), {}, 400, "INVALID_REQUEST"),
    ("1e400", raw("1e400"), {}, 400, "INVALID_REQUEST"),
    ("-1e400, nested", raw('{"y":[-1e400]}'), {}, 400, "INVALID_REQUEST"),
    ("1e308", raw("1e308"), {}, 200, None),
    ("2^64", raw("18446744073709551616"), {}, 400, "INVALID_REQUEST"),
    ("2^64, nested", raw('[{"y":18446744073709551616}]'), {}, 400, "INVALID_REQUEST"),
    ("2^64 - 1", raw("18446744073709551615"), {}, 200, None),
    ("-2^63", raw("-9223372036854775808"), {}, 200, None),
    ("-2^63 - 1", raw("-9223372036854775809"), {}, 400, "INVALID_REQUEST"),
    ("5,000 digits", raw("1" * 5000), {}, 400, "INVALID_REQUEST"),
    ("leading zero", raw("01"), {}, 400, "INVALID_REQUEST"),
    ("nested 32 deep", nested(32), {}, 200, None),
    ("nested 33 deep", nested(33), {}, 400, "INVALID_REQUEST"),
    ("objects 33 deep", raw('{"a":' * 33 + "1" + "}" * 33), {}, 400, "INVALID_REQUEST"),
    ("nested 100,000 deep", nested(100_000), {}, 400, "INVALID_REQUEST"),
    ("100,000 brackets", b"[" * 100_000, {}, 400, "INVALID_REQUEST"),
    ("NUL in a text", raw('"a\\u0000b"'), {}, 400, "INVALID_REQUEST"),
    ("NUL in a nested text", raw('[{"y":"\\u0000"}]'), {}, 400, "INVALID_REQUEST"),
    ("NUL in a key", b'{"name":"x","metadata":{"a\\u0000":1}}', {}, 400, "INVALID_REQUEST"),
    ("NUL in a session_id", b'{"name":"x","metadata":{"a":1},"session_id":"\\u0000"}', {}, 400, "INVALID_REQUEST"),
    ("a backslash before u0000", raw('"a\\\\u0000b"'), {}, 200, None),
    ("257 metadata keys", event(metadata={f"k{n}": n for n in range(257)}), {}, 400, "INVALID_REQUEST"),
    ("256 metadata keys", event(metadata={f"k{n}": n for n in range(256)}), {}, 200, None),
    ("name missing", without("name"), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name null", event(name=None), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name empty", event(name=""), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name blank", event(name=" \t"), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name of zero-width characters", event(name="\u200b\u2060\ufeff"), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name of fillers", event(name="\u3164\u2800\ufe0f\u00ad"), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name of controls", event(name="\x01\x7f"), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name with invisible characters", event(name="\u200bchat\ufe0f"), {}, 200, None),
    ("name missing and an unknown key", {"metadata": {"a": 1}, "nam": "x"}, {}, 400, "MISSING_REQUIRED_FIELD"),
    ("name a number", event(name=5), {}, 400, "INVALID_REQUEST"),
    ("name a list", event(name=[]), {}, 400, "INVALID_REQUEST"),
    ("name false", event(name=False), {}, 400, "INVALID_REQUEST"),
    ("name of 200 characters", event(name="n" * 200), {}, 200, None),
    ("name of 201 characters", event(name="n" * 201), {}, 400, "TEXT_TOO_LONG"),
    ("name of 201 and session_id a number", event(name="n" * 201, session_id=1), {}, 400, "INVALID_REQUEST"),
    ("metadata missing", without("metadata"), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("metadata null", event(metadata=None), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("metadata empty", event(metadata={}), {}, 400, "MISSING_REQUIRED_FIELD"),
    ("metadata a list", event(metadata=[1]), {}, 400, "INVALID_REQUEST"),
    ("metadata an empty list", event(metadata=[]), {}, 400, "INVALID_REQUEST"),
    ("metadata a string", event(metadata="x"), {}, 400, "INVALID_REQUEST"),
    ("metadata key empty", event(metadata={"": 1}), {}, 400, "INVALID_REQUEST"),
    ("metadata key of 200 characters", event(metadata={"k" * 200: 1}), {}, 200, None),
    ("metadata key of 201 characters", event(metadata={"k" * 201: 1}), {}, 400, "TEXT_TOO_LONG"),
    (
        "odd metadata keys",
        event(metadata={"__proto__": 1, "a.b": 2, "a/b": 3, "project": "x", "date": "y", " ": 4}),
        {},
        200,
        None,
    ),
    ("a nested object and a list", event(metadata={"o": {"a": [1, None, "x"]}, "l": [True, {}]}), {}, 200, None),
    ("text of 100,000 characters", text("x" * 100_000), {}, 200, None),
    ("text of 100,001 characters", text("x" * 100_001), {}, 400, "TEXT_TOO_LONG"),
    ("nested text of 100,001 characters", event(metadata={"o": ["x" * 100_001]}), {}, 400, "TEXT_TOO_LONG"),
    ("100,000 emoji", json.dumps(text("😀" * 100_000), ensure_ascii=False), {}, 200, None),
    ("100,001 emoji", json.dumps(text("😀" * 100_001), ensure_ascii=False), {}, 400, "TEXT_TOO_LONG"),
    ("session_id a number", event(session_id=1), {}, 400, "INVALID_REQUEST"),
    ("session_id false", event(session_id=False), {}, 400, "INVALID_REQUEST"),
    ("session_id of 200 characters", event(session_id="s" * 200), {}, 200, None),
    ("session_id of 201 characters", event(session_id="s" * 201), {}, 400, "TEXT_TOO_LONG"),
    ("user_id of 201 characters", event(user_id="s" * 201), {}, 400, "TEXT_TOO_LONG"),
    ("event_id of 201 characters", event(event_id="s" * 201), {}, 400, "TEXT_TOO_LONG"),
    ("event_id a number", event(event_id=7), {}, 400, "INVALID_REQUEST"),
    ("session_id like a path", event(session_id="../../etc/passwd"), {}, 200, None),
    ("timestamp a word", event(timestamp="yesterday"), {}, 400, "INVALID_REQUEST"),
    ("timestamp of no day", event(timestamp="2026-02-30T00:00:00Z"), {}, 400, "INVALID_REQUEST"),
    ("timestamp without an offset", event(timestamp="2026-01-01T00:00:00"), {}, 400, "INVALID_REQUEST"),
    ("timestamp a day", event(timestamp="2026-01-01"), {}, 400, "INVALID_REQUEST"),
    ("timestamp a number", event(timestamp=1767225600), {}, 400, "INVALID_REQUEST"),
    ("timestamp empty", event(timestamp=""), {}, 400, "INVALID_REQUEST"),
    ("timestamp before 1970", event(timestamp="1969-12-31T23:59:59Z"), {}, 400, "INVALID_REQUEST"),
    ("timestamp at 1970", event(timestamp="1970-01-01T00:00:00Z"), {}, 200, None),
    ("timestamp in the year 9999", event(timestamp="9999-12-31T23:59:59-23:59"), {}, 400, "INVALID_REQUEST"),
    ("timestamp a year ago", event(timestamp="2025-11-23T08:00:00.123456+02:00"), {}, 200, None),
    ("timestamp with nanoseconds", event(timestamp="2025-11-23T08:00:00.123456789Z"), {}, 200, None),
    ("unknown top-level key", event(properties={}), {}, 400, "INVALID_REQUEST"),
    ("markup", text("<script>alert(1)</script>"), {}, 200, None),
    ("a formula", text('=HYPERLINK("http://x","y")'), {}, 200, None),
    ("gzip", gzip.compress(json.dumps(GOOD).encode()), GZIP, 200, None),
    ("gzip in two members", gzip.compress(b'{"name":"x",') + gzip.compress(b'"metadata":{"a":1}}'), GZIP, 200, None),
    ("not gzip", GOOD, GZIP, 400, "INVALID_REQUEST"),
    ("truncated gzip", gzip.compress(json.dumps(GOOD).encode())[:-5], GZIP, 400, "INVALID_REQUEST"),
    ("gzip with something behind", gzip.compress(json.dumps(GOOD).encode()) + b"xx", GZIP, 400, "INVALID_REQUEST"),
    ("gzip of nothing", gzip.compress(b""), GZIP, 400, "INVALID_REQUEST"),
    ("gzip bomb", BOMB, GZIP, 413, "INVALID_REQUEST"),
    ("br", GOOD, {"Content-Encoding": "br"}, 415, "INVALID_REQUEST"),
    ("gzip twice", GOOD, {"Content-Encoding": "gzip, gzip"}, 415, "INVALID_REQUEST"),
    ("17 MiB", b" " * (17 * 2**20), {}, 413, "INVALID_REQUEST"),
    ("array of two", [GOOD, GOOD], {}, 200, None),
    ("array with one bad", [GOOD, without("name")], {}, 207, None),
    ("array of all bad", [1, None, []], {}, 207, None),
    ("array with NaN", array(raw("NaN")), {}, 207, None),
    ("array with a lone surrogate", array(raw('"\\ud800"')), {}, 207, None),
    ("array with 100,000 brackets", array(nested(100_000)), {}, 207, None),
    ("array with words that are no JSON", array("undefined"), {}, 207, None),
    ("array that is not closed", array(raw("NaN"))[:-1], {}, 400, "INVALID_REQUEST"),
    ("array with a comma at its end", array("")[:-1] + b",]", {}, 400, "INVALID_REQUEST"),
    ("array of 1,001, one with NaN", b"[" + b"{}," * 1000 + b"NaN]", {}, 413, "INVALID_REQUEST"),
    ("array of 1,000", [GOOD] * 1000, {}, 200, None),
    ("array of 1,001", [GOOD] * 1001, {}, 413, "INVALID_REQUEST"),
    ("NDJSON of two", lines(GOOD, GOOD), NDJSON, 200, None),
    ("NDJSON of one", lines(GOOD), NDJSON, 200, None),
    ("NDJSON with a broken line", lines(GOOD, '{"name":'), NDJSON, 207, None),
    ("NDJSON with blank lines", b"\r\n" + lines(GOOD, "", GOOD).replace(b"\n", b"\r\n"), NDJSON, 200, None),
    ("NDJSON of nothing", b"\n\n", NDJSON, 400, "INVALID_REQUEST"),
    ("NDJSON of 1,001", lines(*[GOOD] * 1001), NDJSON, 413, "INVALID_REQUEST"),
    ("NDJSON in gzip", gzip.compress(lines(GOOD, GOOD)), NDJSON | GZIP, 200, None),
]


@pytest.mark.parametrize(("label", "body", "headers", "status", "code"), CASES, ids=[case[0] for case in CASES])
def test_a_request_gets_the_contracted_answer(server, project, label, body, headers, status, code) -> None:
    keys = {"READ": project.read_key, "ADMIN": project.admin_key}
    sent = {"X-API-Key": project.write_key, "Content-Type": "application/json", **headers}
    sent = {name: keys.get(value, value) for name, value in sent.items() if value is not None}
    payload = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    answer = server.request("POST", URL, payload, {name: value.encode() for name, value in sent.items()})

    assert (answer.status, answer.code) == (status, code), answer
    assert answer.headers["content-type"] == "application/json"
    if status >= 400:
        assert answer.json["success"] is False
        assert re.fullmatch(r"[^\n]{10,300}[.]", answer.json["error"]), answer.json
        if code == "MISSING_REQUIRED_FIELD":
            assert re.match(f"Missing required field: {answer.json['field']}, (?:the|an) ", answer.json["error"])
        if answer.json.get("field", "").startswith("metadata.") and code == "TEXT_TOO_LONG":
            assert answer.json["error"].startswith("Metadata text exceeds maximum length: metadata.")
    if status != 401:
        assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(answer.headers)
    elif code:
        assert answer.json["error"].startswith("Invalid API key: ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/track", 405), ("PUT", "/track", 405), ("POST", "/track/", 404), ("POST", "/nowhere", 404)],
)
def test_path_and_method_are_judged_first(server, method: str, path: str, status: int) -> None:
    answer = server.request(method, path, b"{", {"Content-Type": "application/json"})

    assert (answer.status, answer.code, answer.json["success"]) == (status, "INVALID_REQUEST", False)


def test_what_was_accepted_is_in_the_lake_once_and_what_was_refused_is_not(server, new_project) -> None:
    project = new_project()
    ids = []
    for label, body, headers, status, _ in CASES:
        if headers or isinstance(body, bytes) or status not in (200, 400) or len(str(body)) > 1000:
            continue
        payload = body if isinstance(body, str) else json.dumps(body)
        answer = server.track(project.write_key, payload)
        assert answer.status == status, label
        ids += [each["event_id"] for each in answer.json.get("results", [answer.json])] if status == 200 else []

    events = server.wait_for_events(project.project_id, len(ids))

    assert sorted(events["event_id"]) == sorted(ids)
    assert len(set(ids)) == len(ids) > 20


def test_an_accepted_event_is_kept_as_it_was_sent(server, new_project) -> None:
    project = new_project()
    metadata = {"t": 'ü😀"\\', "i": -(2**63), "u": 2**64 - 1, "f": 1.5, "b": True, "n": None, "l": [1, {"x": []}]}
    sent = event(
        metadata=metadata, session_id="s-1", user_id="u-1", event_id="e-1", timestamp="2026-01-31T12:00:00+02:00"
    )
    before = time.time()
    assert server.track(project.write_key, sent).json == {
        "success": True,
        "message": "Event tracked successfully",
        "event_id": "e-1",
        "session_id": "s-1",
        "user_id": "u-1",
    }

    (row,) = server.wait_for_events(project.project_id, 1).to_dicts()

    assert (row["event_id"], row["session_id"], row["user_id"], row["name"]) == ("e-1", "s-1", "u-1", "message_sent")
    assert row["timestamp"].isoformat() == "2026-01-31T10:00:00+00:00"
    assert before - 1 < row["received_at"].timestamp() < time.time() + 1
    assert json.loads(row["metadata"]) == metadata


def test_the_server_makes_ids_that_sort_by_time(server, project) -> None:
    answers = [server.track(project.write_key, GOOD).json for _ in range(3)]

    ids = [answer["event_id"] for answer in answers]
    assert ids == sorted(ids) and len(set(ids)) == 3
    assert all(re.fullmatch(r"evt_[0-9a-f]{30}", each) for each in ids)
    assert len({answer["session_id"] for answer in answers} | {answer["user_id"] for answer in answers}) == 6


def test_each_event_of_an_array_is_answered_as_if_sent_alone(server, new_project) -> None:
    project = new_project()
    events = [event(event_id="a"), without("name"), event(session_id=9), event(event_id="a", session_id="late")]
    alone = [server.track(project.write_key, each).json for each in events[1:3]]

    answer = server.track(project.write_key, events)

    assert answer.status == 207
    assert {key: answer.json[key] for key in ("success", "accepted", "rejected")} == {
        "success": False,
        "accepted": 2,
        "rejected": 2,
    }
    first, *refused, last = answer.json["results"]
    assert refused == alone
    assert last == {**first, "duplicate": True}
    assert server.wait_for_events(project.project_id, 1)["event_id"].to_list() == ["a"]


@pytest.mark.parametrize(
    "odd", ["q?b", "h#b", "a\\b", "a/b", "tab\tb", "line\nb", "100%", "%2F", "a;b", "..", "é 日本", "+ &"], ids=repr
)
def test_an_id_in_a_path_comes_through_the_server_as_it_is(server, project, odd) -> None:
    headers = {"X-API-Key": project.read_key}
    for path, name in (("/v1/sessions/{}", "session_id"), ("/v1/fields/{}/history", "field")):
        quoted = "".join(f"%{byte:02x}" for byte in odd.encode())
        answer = server.request("GET", path.format(quoted), None, headers)

        assert (answer.status, answer.json["field"]) == (404, name)
        assert repr(odd) in answer.json["error"]


REFUSED_VALUES = {
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "a lone surrogate": '"\\udc00"',
    "too deep": "[" * 33 + "]" * 33,
    "far too deep": "[" * 5_000 + "]" * 5_000,
    "beyond 64 bits": "1" * 30,
    "a NUL": '"\\u0000"',
    "a raw control character": '"\x01"',
    "a leading zero": "01",
    "no value": "",
    "a value of Python": "None",
}


@pytest.mark.parametrize("value", REFUSED_VALUES.values(), ids=REFUSED_VALUES)
def test_a_value_that_is_refused_costs_its_own_event_only_in_whatever_way_it_is_sent(server, project, value) -> None:
    bad = raw(value)
    alone = server.track(project.write_key, bad)
    several = [
        server.track(project.write_key, array(bad)),
        server.track(project.write_key, lines(GOOD, bad, GOOD), Content_Type="application/x-ndjson"),
    ]

    assert (alone.status, alone.code) == (400, "INVALID_REQUEST")
    for answer in several:
        assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 2, 1)
        refused = answer.json["results"][1]
        assert refused == alone.json | {"error": alone.json["error"].replace("The body", "The event")}


def test_a_blank_id_is_a_missing_one(server, new_project) -> None:
    project = new_project()
    blank = event(session_id="", user_id=" \u200b", event_id="")
    answers = [server.track(project.write_key, blank).json for _ in range(2)]

    for key, prefix in {"session_id": "ses_", "user_id": "usr_", "event_id": "evt_"}.items():
        first, second = (answer[key] for answer in answers)
        assert first.startswith(prefix) and second.startswith(prefix) and first != second
    assert server.wait_for_events(project.project_id, 2).height == 2


def test_an_unknown_key_is_named_with_the_nearest_valid_one(server, project) -> None:
    answer = server.track(project.write_key, event(sesion_id="x"))

    assert answer.json["field"] == "sesion_id"
    assert '"sesion_id"' in answer.json["error"] and "did you mean session_id?" in answer.json["error"]
