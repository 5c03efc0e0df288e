"""A user who was erased, and asked not to be recorded again, is not; everybody else is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.collector.conftest import Server
from tests.otlp.spans import request, span, span_id
from turret_api.accounts import Accounts, NewProject
from turret_api.accounts.directory import Directory
from turret_api.accounts.privacy import MASKING, set_rule
from turret_api.accounts.suppression import count_suppressed, hold, lift, suppress, unsuppress
from turret_api.masking.forms import forms_of
from turret_api.masking.rule import Rule, stored

GONE = "ada@example.com"


def event(user_id: str, **more: Any) -> dict[str, Any]:
    return {"name": "said", "metadata": {"prompt": "Hello"}, "user_id": user_id, **more}


@pytest.fixture(scope="module")
def project(accounts: Accounts, new_project: Callable[..., NewProject]) -> NewProject:
    made = new_project()
    assert suppress(accounts, made.project_id, GONE) is True
    return made


def test_an_event_of_a_suppressed_user_is_refused_and_not_stored(
    make_server: Callable[..., Server], project: NewProject
) -> None:
    server = make_server().start()
    refused = server.track(project.write_key, event(GONE, event_id="1"))
    assert (refused.status, refused.code, refused.json["field"]) == (400, "INVALID_REQUEST", "user_id")
    assert "erased" in refused.json["error"]
    many = server.track(project.write_key, [event("bob"), event(GONE), event("eve")])
    assert (many.status, many.json["accepted"], many.json["rejected"]) == (207, 2, 1)
    assert [each["success"] for each in many.json["results"]] == [True, False, True]
    assert server.track(project.write_key, event("bob", event_id="1")).json.get("duplicate") is None
    assert set(server.wait_for_events(project.project_id, 3)["user_id"]) == {"bob", "eve"}


@pytest.mark.slow
def test_events_of_a_user_who_is_being_erased_are_to_be_sent_again_and_then_are_stored(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], accounts: Accounts
) -> None:
    project = new_project()
    set_rule(accounts, project.project_id, MASKING, stored(Rule(frozenset(["email"])), Rule()))
    for erasure_id in ("era_1", "era_2"):
        hold(accounts, project.project_id, [GONE, "ada"], erasure_id)
    server = make_server().start()
    for user_id in (GONE, "ada"):  # one that is known before its id is masked, and one after
        held = server.track(project.write_key, event(user_id))
        assert (held.status, held.code, held.json["field"]) == (503, "SERVICE_UNAVAILABLE", "user_id")
        assert int(held.headers["retry-after"]) > 0
        many = server.track(project.write_key, [event("bob"), event(user_id)])
        assert (many.status, many.json["accepted"], many.json["results"][1]["code"]) == (207, 1, "SERVICE_UNAVAILABLE")
        assert int(many.headers["retry-after"]) > 0
    assert count_suppressed(accounts, project.project_id) == 0
    lift(accounts, "era_1")
    time.sleep(3)
    assert server.track(project.write_key, event("ada")).status == 503
    lift(accounts, "era_2")
    deadline = time.monotonic() + 30
    while server.track(project.write_key, event("ada")).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_events_of_a_session_and_with_the_id_of_an_event_that_are_being_erased_are_to_be_sent_again(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], accounts: Accounts
) -> None:
    project = new_project()
    set_rule(accounts, project.project_id, MASKING, stored(Rule(frozenset(["email"])), Rule()))
    hold(accounts, project.project_id, ["s-1", GONE], "era_1", "session")
    hold(accounts, project.project_id, ["e-1"], "era_2", "event")
    server = make_server().start()
    for field, value in (("session_id", "s-1"), ("session_id", GONE), ("event_id", "e-1")):
        held = server.track(project.write_key, event("ada", **{field: value}))
        assert (held.status, held.json["field"]) == (503, field) and int(held.headers["retry-after"]) > 0
    others = [event("s-1"), event("e-1"), event("ada", session_id="e-1"), event("ada", event_id="s-1"), event("ada")]
    many = server.track(project.write_key, [*others, event("ada", session_id="s-1")])
    assert (many.status, many.json["accepted"], many.json["results"][5]["code"]) == (207, 5, "SERVICE_UNAVAILABLE")
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": [{"role": "user", "content": "Hello"}],
        "gen_ai.output.messages": [{"role": "assistant", "content": "Hi"}],
        "user.id": "ada",
        "session.id": "s-1",
    }
    headers = {"X-API-Key": project.write_key, "Content-Type": "application/json"}
    answer = server.request("POST", "/v1/traces", json.dumps(request(span(said))), headers)
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    for erasure_id in ("era_1", "era_2"):
        lift(accounts, erasure_id)
    deadline = time.monotonic() + 30
    while server.track(project.write_key, event("ada", session_id="s-1", event_id="e-1")).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_turn_of_a_user_who_is_being_erased_is_to_be_sent_again(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], accounts: Accounts
) -> None:
    project = new_project()
    hold(accounts, project.project_id, [GONE], "era_1")
    server = make_server().start()
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": [{"role": "user", "content": "Hello"}],
        "gen_ai.output.messages": [{"role": "assistant", "content": "Hi"}],
        "user.id": GONE,
    }
    headers = {"X-API-Key": project.write_key, "Content-Type": "application/json"}
    answer = server.request("POST", "/v1/traces", json.dumps(request(span(said))), headers)
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0


def test_a_turn_of_a_suppressed_user_is_refused_in_the_way_of_otlp(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], accounts: Accounts
) -> None:
    project = new_project()
    suppress(accounts, project.project_id, GONE)
    server = make_server().start()
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": [{"role": "user", "content": "Hello"}],
        "gen_ai.output.messages": [{"role": "assistant", "content": "Hi"}],
        "user.id": GONE,
    }
    headers = {"X-API-Key": project.write_key, "Content-Type": "application/json"}
    for a_span in (span(said), span(said, parent=span_id(9))):  # one that is whole, and one that waits for its end
        answer = server.request("POST", "/v1/traces", json.dumps(request(a_span)), headers)
        assert answer.status == 200
        partial = answer.json["partialSuccess"]
        assert int(partial["rejectedSpans"]) == 1 and "erased" in partial["errorMessage"]
    assert server.stop() == 0
    assert server.events(project.project_id).height == 0
    journal = next(server.home.glob("spool/*/turns.ndjson"), None)
    assert journal is None or GONE.encode() not in journal.read_bytes()


def test_an_import_counts_rows_of_suppressed_users_as_refused(
    turret: Callable[..., Any], project: NewProject, tmp_path: Path
) -> None:
    file = tmp_path / "events.ndjson"
    rows = [event("bob", event_id="a"), event(GONE, event_id="b"), event(GONE)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = turret("import", str(file), "--project", project.project_id, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["imported"], told["refused"]) == (1, 2)
    assert {row["error"].partition(";")[0] for row in told["refused_rows"]} == {
        "user_id: this user was erased and is not recorded any more"
    }


def test_an_import_refuses_rows_of_a_user_who_is_suppressed_by_the_masked_id(
    turret: Callable[..., Any], accounts: Accounts, new_project: Callable[..., NewProject], tmp_path: Path
) -> None:
    project = new_project()
    rule = stored(Rule(frozenset(["email"])), Rule())
    set_rule(accounts, project.project_id, MASKING, rule)
    suppress(accounts, project.project_id, forms_of(rule, project.project_id, GONE)[0])
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps(event(user)) + "\n" for user in ("bob", GONE)))
    done = turret("import", str(file), "--project", project.project_id, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["imported"], told["refused"]) == (1, 1, 1)


def test_suppression_holds_while_postgres_is_away_and_for_one_project_only(
    accounts: Accounts, new_project: Callable[..., NewProject], tmp_path: Path
) -> None:
    one, other = new_project(), new_project()
    suppress(accounts, one.project_id, GONE)
    Directory(accounts, tmp_path / "keys.json").refresh()
    away = Directory(Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing"), tmp_path / "keys.json")
    suppressed = away.suppressed(one.project_id)
    assert suppressed is not None and GONE in suppressed and "bob" not in suppressed
    assert away.suppressed(other.project_id) is None
    assert GONE not in (tmp_path / "keys.json").read_text()


@pytest.mark.slow
def test_a_suppressed_user_is_recorded_again_within_seconds_of_its_end(
    make_server: Callable[..., Server], new_project: Callable[..., NewProject], accounts: Accounts
) -> None:
    project = new_project()
    assert suppress(accounts, project.project_id, GONE) and not suppress(accounts, project.project_id, GONE)
    server = make_server().start()
    assert server.track(project.write_key, event(GONE)).status == 400
    assert count_suppressed(accounts, project.project_id) == 1
    assert unsuppress(accounts, project.project_id, GONE) and not unsuppress(accounts, project.project_id, GONE)
    deadline = time.monotonic() + 30
    while server.track(project.write_key, event(GONE)).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
