"""What a project masks never touches a disk, whichever way it comes; and where masking fails, nothing is stored."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.erasing.test_spools import spans_that_wait
from tests.otlp.spans import protobuf, span, span_id, trace_id
from turret_api.accounts import Accounts, NewProject
from turret_api.accounts.audit import entries
from turret_api.accounts.privacy import MASKING, rules_of, set_rule
from turret_api.collector.forgetting import Forget, ask, is_answered
from turret_api.masking.kinds import ALWAYS

from .conftest import Server

CANARIES = {
    "email": "canary.bird@example.com",
    "phone": "+44 20 7946 0958",
    "card": "4012 8888 8888 1881",
    "iban": "GB29 NWBK 6016 1331 9268 19",
    "national_id": "RSSMRA85T10A562S",
    "ip": "203.0.113.77",
    "secret": "ghp_aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5",
}
TEXT = "My data: " + "; ".join(CANARIES.values()) + "."
MASKED = "My data: <EMAIL>; <PHONE>; <CARD>; <IBAN>; <NATIONAL_ID>; <IP>; <SECRET>."
EVERYTHING: dict[str, Any] = {"kinds": list(ALWAYS)}
WITHIN_S = 30.0


def choose(server: Server, project: NewProject, rule: dict[str, Any]) -> Any:
    headers = {"X-API-Key": project.admin_key, "Content-Type": "application/json"}
    answer = server.request("PUT", "/v1/masking", json.dumps(rule), headers)
    assert answer.status == 200, answer.json
    return answer.json


def masked_project(server: Server, project: NewProject, rule: dict[str, Any] = EVERYTHING) -> NewProject:
    """Return the project once the server masks its events."""
    choose(server, project, rule)
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        answer = server.track(project.write_key, {"name": "probe", "metadata": {"n": 1}, "user_id": "probe@a.co"})
        if answer.json["user_id"] != "probe@a.co":
            return project
        time.sleep(0.1)
    raise AssertionError("the rule did not reach the collector")


def leaks(server: Server, project_id: str) -> list[str]:
    """Return which canaries are in which file of the home, and in the events of the lake."""
    needles = [value.encode() for value in CANARIES.values()] + [b"4012888888881881", b"GB29NWBK60161331926819"]
    found = [
        f"{needle!r} in {file}"
        for file in server.home.rglob("*")
        if file.is_file()
        for needle in needles
        if needle in file.read_bytes()
    ]
    rows = json.dumps(server.events(project_id).drop("timestamp", "received_at").rows(), default=str).encode()
    return found + [f"{needle!r} in the lake" for needle in needles if needle in rows]


def sent(server: Server, project: NewProject) -> list[dict[str, Any]]:
    """Return what is in the events of the project but for probes, in order of receipt."""
    events = server.events(project.project_id).sort("received_at", "seq").to_dicts()
    return [each | {"metadata": json.loads(each["metadata"])} for each in events if each["name"] != "probe"]


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server that keeps events in its spool until it ends."""
    yield make_server(environment={"TURRET_ROLL_SECONDS": "3600"}).start()


def test_no_canary_of_any_kind_reaches_a_file_by_track(server: Server, new_project: Callable[..., NewProject]) -> None:
    project = masked_project(server, new_project())
    everywhere = {
        "name": f"sent by {CANARIES['email']}",
        "metadata": {
            "text": TEXT,
            "nested": {"list": [TEXT, {"deep": [TEXT]}]},
            f"key {CANARIES['email']}": 1,
            "number": 4012888888881881,
            "password": CANARIES["secret"],
            "json": json.dumps({"content": f"line\n{TEXT}"}),
        },
        "session_id": CANARIES["ip"],
        "user_id": CANARIES["email"],
        "event_id": CANARIES["card"],
    }
    answer = server.track(project.write_key, everywhere)
    assert answer.status == 200 and CANARIES["email"] not in json.dumps(answer.json)
    again = server.track(project.write_key, everywhere)
    assert again.json == answer.json | {"duplicate": True}
    plain = {"name": "plain", "metadata": {"prompt": TEXT}}
    assert server.track(project.write_key, plain).status == 200
    assert server.track(project.write_key, [plain, everywhere | {"event_id": "many"}]).status == 200
    lines = "\n".join(json.dumps(each) for each in (plain, plain))
    assert server.track(project.write_key, lines, Content_Type="application/x-ndjson").status == 200
    large = {"name": "large", "metadata": {"texts": [TEXT] * 3_000, "dust": [["x"]] * 10}}
    assert server.track(project.write_key, large).status == 200
    bad = {"name": "bad", "metadata": {"a": 1}, "timestamp": CANARIES["email"]}
    assert server.track(project.write_key, bad).status == 400
    assert server.track(project.write_key, {**plain, CANARIES["email"]: TEXT}).status == 400
    assert server.track(project.write_key, b'{"name": "' + TEXT.encode()).status == 400
    assert leaks(server, project.project_id) == []
    assert server.stop() == 0
    assert leaks(server, project.project_id) == []
    stored = sent(server, project)
    assert [each["name"][:8] for each in stored] == [
        "sent by ",
        "plain",
        "plain",
        "sent by ",
        "plain",
        "plain",
        "large",
    ]
    first = stored[0]
    assert first["metadata"]["text"] == first["metadata"]["nested"]["list"][0] == MASKED
    assert first["metadata"]["number"] == "<CARD>" and first["metadata"]["password"] == "<SECRET>"
    assert json.loads(first["metadata"]["json"]) == {"content": f"line\n{MASKED}"}
    assert first["user_id"] == stored[3]["user_id"] == answer.json["user_id"]
    assert {each["metadata"]["prompt"] for each in stored if each["name"] == "plain"} == {MASKED}
    assert stored[-1]["metadata"]["texts"] == [MASKED] * 3_000


@pytest.mark.slow
def test_no_canary_reaches_the_journal_of_turns(server: Server, new_project: Callable[..., NewProject]) -> None:
    project = masked_project(server, new_project())
    tools = {"role": "assistant", "tool_calls": [{"id": "call-1", "type": "function"}]}
    given = [{"role": "user", "content": TEXT}]
    about = {
        "gen_ai.operation.name": "chat",
        "session.id": CANARIES["email"],
        "user.id": CANARIES["ip"],
        "note": TEXT,
        CANARIES["email"]: 1,
    }

    def call(n: int, messages: list[Any], gave: Any, trace: str) -> dict[str, Any]:
        said = about | {"gen_ai.input.messages": messages, "gen_ai.output.messages": [gave]}
        return span(said, trace=trace, own_id=span_id(n), parent=span_id(1), start_s=n)

    headers = {"X-API-Key": project.write_key, "Content-Type": "application/x-protobuf"}

    def post(*spans: dict[str, Any]) -> int:
        return server.request("POST", "/v1/traces", protobuf(*spans), headers).status

    whole, waits = trace_id(1), trace_id(2)
    assert post(call(2, given, {"role": "assistant", "content": TEXT}, whole)) == 200
    assert post(call(2, given, tools, waits)) == 200
    assert (server.home / "spool" / "0" / "turns.ndjson").stat().st_size > 0
    assert leaks(server, project.project_id) == []
    server.kill()
    server.start()
    answer = [*given, tools, {"role": "tool", "tool_call_id": "call-1"}]
    assert post(call(3, answer, {"role": "assistant", "content": f"Here: {TEXT}"}, waits)) == 200
    assert leaks(server, project.project_id) == []
    assert server.stop() == 0
    assert leaks(server, project.project_id) == []
    first, second = sent(server, project)
    assert first["metadata"]["prompt"] == first["metadata"]["response"] == second["metadata"]["prompt"] == MASKED
    assert second["metadata"]["response"] == f"Here: {MASKED}"
    assert first["session_id"] == second["session_id"] and first["session_id"].startswith("email-")
    assert first["user_id"].startswith("ip-")


@pytest.mark.slow
def test_no_canary_reaches_a_file_or_an_answer_where_a_request_fails(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], accounts: Accounts, tmp_path: Path
) -> None:
    mark = tmp_path / "full"
    server = make_server(environment={"TURRET_ROLL_SECONDS": "3600"}, launch=["--disk-full-if", str(mark)]).start()
    project = masked_project(server, new_project())
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 ", limits)  # a crash would write the memory to a disk
    email, key, good = CANARIES["email"], project.write_key, {"name": "a", "metadata": {"text": TEXT}}
    answers = [
        *(server.track(key, body) for body in wrong_bodies()),
        server.track(key, [{**good, "timestamp": email}, {**good, email: 1}]),
        server.track(f"{key[:-1]}{'0' if key[-1] != '0' else '1'}", good),
        server.track(email, good),
        server.track(key, json.dumps(good), Content_Type=f"multipart/form-data; boundary={email}"),
        server.track(key, gzip.compress(json.dumps(good).encode())[:-9], Content_Encoding="gzip"),
        server.track(key, TEXT, Content_Encoding="gzip"),
        server.track(key, json.dumps({**good, "metadata": {"text": TEXT * 200_000}})),
        server.request("POST", f"/track/{email}?x={email}", json.dumps(good), {"X-API-Key": key, "X-Note": email}),
    ]
    otlp = {"X-API-Key": key, "Content-Type": "application/x-protobuf"}
    answers += [server.request("POST", "/v1/traces", body, otlp) for body in (TEXT.encode(), protobuf(*too_long()))]
    assert {each.status for each in answers} >= {200, 207, 400, 401, 404, 413, 415}
    assert [each for each in answers if any(value in json.dumps(each.json) for value in CANARIES.values())] == []

    assert server.request("GET", f"/v1/sessions/{email}", headers={"X-API-Key": project.read_key}).status == 404
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    assert server.request("POST", "/v1/traces", spans_that_wait(CANARIES["ip"]), headers).status == 200
    ask(server.home / "spool" / "0", Forget(project_id=project.project_id, user_ids=frozenset(["another"])))
    assert is_answered(server.home / "spool" / "0", WITHIN_S)  # the journal is written anew
    assert b"Hello" in (server.home / "spool" / "0" / "turns.ndjson").read_bytes()
    mark.touch()
    assert server.track(key, good).status == 503
    assert server.request("POST", "/v1/traces", spans_that_wait("ann@example.com"), headers).status == 503
    assert everywhere(server, project, accounts) == []
    server.kill()
    mark.unlink()
    server.launch = ["--die-at", "spool.before_commit"]
    server.start()
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.track(key, good)
    assert server.wait() != 0 and everywhere(server, project, accounts) == []
    server.launch, server.environment = ["--die-at", "roll.after_plan"], {"TURRET_ROLL_SECONDS": "1"}
    server.begin()  # what waits since before is rolled at once
    assert server.wait() != 0 and everywhere(server, project, accounts) == []
    server.launch = []
    reached, server.database_url = server.database_url, "postgresql+psycopg2://nobody@127.0.0.1:9/none"
    server.start()
    assert server.track(key, [good, {**good, "timestamp": email}]).status == 207
    assert server.request("GET", f"/v1/sessions/{email}", headers={"X-API-Key": project.read_key}).status != 200
    server.database_url = reached
    assert server.stop() == 0
    assert everywhere(server, project, accounts) == []
    assert {each["metadata"].get("text", MASKED) for each in sent(server, project)} == {MASKED}


def wrong_bodies() -> Iterator[Any]:
    email, good = CANARIES["email"], {"name": "a", "metadata": {"text": TEXT}}
    yield b'{"name": "' + TEXT.encode()
    yield b'{"name": "\xff' + TEXT.encode() + b'", "metadata": {"a": 1}}'
    yield {**good, "timestamp": email}
    yield {**good, "timestamp": TEXT}
    yield {**good, email: 1}
    yield {**good, "user_id": {email: email}}
    yield {**good, "session_id": [TEXT]}
    yield {**good, "event_id": email * 100}
    yield {**good, "name": TEXT * 10}
    yield {"name": TEXT, "metadata": [TEXT]}
    yield {"name": "a", "metadata": {"text": TEXT + "\0"}}
    yield {"name": "a", "metadata": {email * 20: 1}}
    yield {"name": "a", "metadata": {"text": TEXT * 2_000}}
    yield {"name": "a", "metadata": json.loads('{"a":' * 40 + json.dumps(TEXT) + "}" * 40)}
    yield json.dumps(TEXT)


def too_long() -> Iterator[dict[str, Any]]:
    about = {"gen_ai.operation.name": "chat", "session.id": CANARIES["email"] * 20, CANARIES["email"]: TEXT}
    messages = [{"role": "user", "content": TEXT}]
    yield span({**about, "gen_ai.input.messages": messages}, trace=trace_id(3), own_id=span_id(2), start_s=2)


def everywhere(server: Server, project: NewProject, accounts: Accounts) -> list[str]:
    """Return what `leaks` does, and which canaries are in which file of the database."""
    with accounts.engine.connect() as connection:
        data = Path(str(connection.exec_driver_sql("SHOW data_directory").scalar_one()))
    found = leaks(server, project.project_id)
    for file in [*data.rglob("*"), *data.parent.glob("*.log")]:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            content = file.read_bytes()
            found += [f"{value} in {file}" for value in CANARIES.values() if value.encode() in content]
    return found


@pytest.mark.slow
def test_an_import_masks_too_and_knows_its_file_again(
    server: Server,
    new_project: Callable[..., NewProject],
    turret: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    project = masked_project(server, new_project())
    assert server.stop() == 0
    file = tmp_path / "history.ndjson"
    good = {"name": "old", "metadata": {"text": TEXT}, "user_id": CANARIES["email"]}
    bad = {"name": "bad", "metadata": {"a": 1}, "timestamp": CANARIES["email"]}
    file.write_text("\n".join(map(json.dumps, [good, good | {"event_id": CANARIES["ip"]}, bad])))
    arguments = ("import", str(file), "--project", project.project_id, "--json")
    shown = turret(*arguments, "--dry-run", home=server.home)
    assert "<EMAIL>" in shown.stdout and not any(each in shown.stdout for each in CANARIES.values())
    done = turret(*arguments, "--refused", str(server.home / "refused.ndjson"), home=server.home)
    assert json.loads(done.stdout)["imported"] == 2, done.stderr
    assert "<EMAIL>" in (server.home / "refused.ndjson").read_text()
    assert not any(each in done.stdout + done.stderr for each in CANARIES.values())
    assert leaks(server, project.project_id) == []
    again = json.loads(turret(*arguments, home=server.home).stdout)
    assert (again["imported"], again["duplicates"]) == (0, 2)
    assert [each["metadata"]["text"] for each in sent(server, project)] == [MASKED, MASKED]


@pytest.mark.slow
def test_a_length_is_judged_on_what_was_sent(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    server = make_server(environment={"TURRET_MAX_TEXT": "30"}).start()
    project = masked_project(
        server, new_project(), {"kinds": ["ip"], "linked": True, "ids": True} | {"kinds": ["ip", "email"]}
    )
    fits, too_long = "1.1.1.1 8.8.8.8 9.9.9.9 4.4.4.4"[:30], "canary.bird@example.com is too long"
    assert server.track(project.write_key, {"name": "a", "metadata": {"text": fits}}).status == 200
    assert server.track(project.write_key, {"name": "a", "metadata": {"text": too_long}}).code == "TEXT_TOO_LONG"


@pytest.mark.slow
def test_a_rule_reaches_every_collector_and_stands_while_postgres_is_away(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    server = make_server().start()
    project = masked_project(server, new_project(), {"kinds": ["email"]})
    server.kill()
    server.database_url = "postgresql+psycopg2://nobody@127.0.0.1:9/none"
    server.start()
    answer = server.track(project.write_key, {"name": "a", "metadata": {"a": 1}, "user_id": CANARIES["email"]})
    assert answer.status == 200 and answer.json["user_id"].startswith("email-")
    assert server.stop() == 0
    assert leaks(server, project.project_id) == []


@pytest.mark.slow
def test_a_rule_that_cannot_be_followed_stores_nothing(
    make_server: Callable[..., Server],
    new_project: Callable[..., NewProject],
    accounts: Accounts,
    turret: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    server = make_server().start()
    project = masked_project(server, new_project(), {"kinds": ["email"]})
    set_rule(accounts, project.project_id, MASKING, {"kinds": ["a kind of a later version"], "secret": "00" * 32})
    event = {"name": "a", "metadata": {"text": TEXT}}
    deadline = time.monotonic() + WITHIN_S
    while (answer := server.track(project.write_key, event)).status == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE") and "retry-after" in answer.headers
    assert server.track(project.write_key, [event]).status == 503
    file = tmp_path / "history.ndjson"
    file.write_text(json.dumps(event))
    done = turret("import", str(file), "--project", project.project_id, home=server.home)
    assert done.returncode != 0 and "cannot be masked here" in done.stderr


def test_names_are_masked_by_the_installations_own_recogniser_and_nothing_is_stored_where_it_fails(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject]
) -> None:
    environment = {"TURRET_MASK_NAMES": "known_names:recognise"}
    server = make_server(environment=environment).start()
    project = masked_project(server, new_project(), {"kinds": ["email", "name", "place"]})
    for body in (
        {"name": "a", "metadata": {"text": "Ann Lee went to Rome."}},
        [{"name": "a", "metadata": {"t": "Rome"}}],
    ):
        assert server.track(project.write_key, body).status == 200
    failed = server.track(project.write_key, {"name": "a", "metadata": {"text": "Ann fails here."}})
    assert (failed.status, failed.code) == (503, "SERVICE_UNAVAILABLE")
    assert "Ann" not in server.log()
    assert server.stop() == 0
    assert [each["metadata"] for each in sent(server, project)] == [
        {"text": "<NAME> went to <PLACE>."},
        {"t": "<PLACE>"},
    ]


def test_the_rule_is_the_owners_and_each_change_is_in_the_audit_log(
    server: Server, new_project: Callable[..., NewProject], accounts: Accounts
) -> None:
    project = new_project()
    for method, path in (("GET", "/v1/masking"), ("PUT", "/v1/masking"), ("POST", "/v1/masking/try")):
        body = json.dumps({"text": "x"} if method == "POST" else EVERYTHING) if method != "GET" else None
        headers = {"X-API-Key": project.read_key, "Content-Type": "application/json"}
        assert server.request(method, path, body, headers).status in (401, 403)
    assert choose(server, project, EVERYTHING)["kinds"] == list(ALWAYS)
    wanted = {"kinds": ["email"], "fields": {"note": [], "order.customer": ["card"]}, "linked": True, "ids": False}
    headers = {"X-API-Key": project.admin_key, "Content-Type": "application/json"}
    chosen = choose(server, project, wanted)
    assert {key: chosen[key] for key in wanted} == wanted and "secret" not in chosen
    assert server.request("GET", "/v1/masking", headers=headers).json == chosen
    (last, *_) = entries(accounts, project.project_id)
    assert (last.action, last.about["setting"], last.about["kinds"]) == ("setting_changed", "masking", ["email"])
    assert "secret" not in last.about
    for wrong in ({"kinds": ["shoe"]}, {"kinds": ["name"]}, {"kinds": [], "more": 1}, {}):
        answer = server.request("PUT", "/v1/masking", json.dumps(wrong), headers)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST"), answer.json


def test_a_text_can_be_tried_and_is_not_stored(server: Server, new_project: Callable[..., NewProject]) -> None:
    project = new_project()
    headers = {"X-API-Key": project.admin_key, "Content-Type": "application/json"}

    def tried(body: dict[str, Any]) -> Any:
        return server.request("POST", "/v1/masking/try", json.dumps(body), headers).json

    assert tried({"text": TEXT}) == {"text": TEXT, "found": [], "as_id": TEXT}
    found = tried({"text": TEXT, "rule": EVERYTHING})
    assert found["text"] == MASKED
    assert [TEXT[each["start"] : each["end"]] for each in found["found"]] == list(CANARIES.values())
    choose(server, project, EVERYTHING)
    as_id = tried({"text": CANARIES["email"]})["as_id"]
    masked_project(server, project)
    sent_as = server.track(project.write_key, {"name": "a", "metadata": {"a": 1}, "user_id": CANARIES["email"]})
    assert sent_as.json["user_id"] == as_id
    assert leaks(server, project.project_id) == []


def test_a_project_may_be_made_with_masking_on(
    turret: Callable[..., subprocess.CompletedProcess[str]], accounts: Accounts
) -> None:
    made = turret("project", "create", f"masked {time.time_ns()}", "--mask", "--json")
    rule = rules_of(accounts, json.loads(made.stdout)["project_id"])[MASKING]
    assert rule["kinds"] == sorted(ALWAYS) and len(rule["secret"]) == 64
