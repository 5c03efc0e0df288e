"""The audit log: what writes into it, who reads it, and how long it keeps what it has."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from tests.people.conftest import House
from turret_api.accounts import audit
from turret_api.accounts.privacy import MASKING, set_rule
from turret_api.accounts.suppression import count_suppressed, suppress
from turret_api.accounts.tables import AUDIT
from turret_api.command.main import main
from turret_api.masking.forms import forms_of
from turret_api.masking.rule import Rule, stored

Turret = Callable[..., Result]


@pytest.fixture
def turret(house: House, monkeypatch: pytest.MonkeyPatch) -> Turret:
    """Return what calls the `turret` command on the house."""
    monkeypatch.setenv("TURRET_HOME", str(house.settings.home))
    monkeypatch.setenv("TURRET_DATABASE_URL", house.accounts.engine.url.render_as_string(hide_password=False))

    def call(*words: str) -> Result:
        done = CliRunner().invoke(main, list(words))
        assert done.exit_code == 0, done.output
        return done

    return call


def latest(house: House, action: str) -> dict[str, Any]:
    found: dict[str, Any] = house.ask("GET", "/v1/audit", params={"action": action, "limit": 1}).json()["data"][0]
    return found


def test_the_log_tells_which_key_was_made_and_revoked_and_by_which(house: House) -> None:
    made = house.ask("POST", "/v1/keys", json={"role": "viewer", "name": "board"}).json()
    entry = latest(house, "key_made")
    owner = next(key for key in house.accounts.keys(house.project.project_id) if key.hint == house.keys["owner"][:7])
    assert entry["actor"] == f"key:{owner.key_id}"
    assert entry["about"] == {"key_id": made["key_id"], "scope": "read", "role": "viewer", "name": "board"}
    assert made["key"] not in json.dumps(entry)
    house.ask("DELETE", f"/v1/keys/{made['key_id']}")
    assert latest(house, "key_revoked")["about"] == {"key_id": made["key_id"]}


def test_the_log_tells_of_each_file_that_the_api_gives_and_of_no_other_answer(house: House) -> None:
    before = len(house.ask("GET", "/v1/audit", params={"action": "export"}).json()["data"])
    for _ in range(2):
        assert house.ask("GET", "/v1/fields", "analyst", params={"format": "csv"}).status_code == 200
    assert house.ask("GET", "/v1/topics", "analyst", params={"format": "parquet"}).status_code == 200
    house.ask("GET", "/v1/fields", "analyst")
    house.ask("GET", "/v1/fields", "analyst", params={"format": "csv", "nonsense": 1})
    found = house.ask("GET", "/v1/audit", params={"action": "export"}).json()["data"]
    assert [each["about"] for each in found[: len(found) - before]] == [
        {"route": "/v1/topics", "format": "parquet"},
        {"route": "/v1/fields", "format": "csv"},
        {"route": "/v1/fields", "format": "csv"},
    ]
    assert found[0]["actor"].startswith("key:")


def test_an_alert_target_is_a_setting_of_which_the_log_tells(house: House) -> None:
    body = {"kind": "slack", "address": "https://hooks.slack.com/services/T0/B0/x", "texts": True}
    made = house.ask("POST", "/v1/alerts/targets", json=body).json()
    about = {"setting": "alert target", "target": made["target_id"], "kind": "slack", "texts": "with texts"}
    assert latest(house, "setting_changed")["about"] == {**about, "what": "added"}
    house.ask("PUT", f"/v1/alerts/targets/{made['target_id']}", json={"name": "quiet"})
    assert latest(house, "setting_changed")["about"] == {**about, "what": "changed", "texts": "without texts"}
    house.ask("DELETE", f"/v1/alerts/targets/{made['target_id']}")
    assert latest(house, "setting_changed")["about"]["what"] == "removed"


def test_the_commands_write_into_the_log_and_show_it(house: House, turret: Turret, tmp_path: Path) -> None:
    of = ["--project", house.project.project_id]
    made = json.loads(turret("key", "create", *of, "--role", "analyst", "--json").output)
    turret("key", "revoke", made["key_id"])
    turret("project", "plan", house.project.project_id, "pro")
    events = tmp_path / "past.ndjson"
    events.write_text('{"name": "ask", "metadata": {"prompt": "Where is my parcel?"}}\n')
    import_id = json.loads(turret("import", str(events), *of, "--json").output)["import_id"]
    turret("import", "--undo", import_id)
    turret("export", "fields", *of, "--out", str(tmp_path / "fields.csv"))
    turret("export", "audit", *of, "--out", str(tmp_path / "audit.parquet"))
    shown = [json.loads(line) for line in turret("audit", *of, "--limit", "7", "--json").output.splitlines()]
    user = audit.command_actor()
    assert [(each["actor"], each["action"]) for each in reversed(shown)] == [
        (user, "key_made"),
        (user, "key_revoked"),
        (user, "plan_changed"),
        (user, "import"),
        (user, "import_undone"),
        (user, "export"),
        (user, "export"),
    ]
    assert shown[2]["about"] == {"import_id": import_id, "events": 1}
    table = pl.read_parquet(tmp_path / "audit.parquet")
    assert table["action"].to_list()[-1] == "export" and json.loads(table["about"][-1])["table"] == "audit"
    lines = turret("audit", *of, "--action", "plan_changed").output.splitlines()
    assert "plan_changed     plan pro" in lines[0]
    assert CliRunner().invoke(main, ["audit", "--action", "exprot"]).exit_code == 2


def test_a_backup_is_in_the_log_of_the_installation(house: House, turret: Turret, tmp_path: Path) -> None:
    turret("backup", str(tmp_path / "home.tar"))
    shown = json.loads(turret("audit", "--limit", "1", "--json").output)
    about = {"file": "home.tar", "path": str(tmp_path / "home.tar")}
    assert (shown["project_id"], shown["action"], shown["about"]) == (None, "backup", about)


def test_a_project_that_is_gone_still_has_its_log(house: House, turret: Turret) -> None:
    made = json.loads(turret("project", "create", "Short lived", "--json").output)
    turret("project", "delete", "Short lived", "--yes")
    shown = turret("audit", "--project", made["project_id"], "--json").output.splitlines()
    assert [json.loads(line)["action"] for line in shown] == ["project_deleted", "project_made"]


def test_the_log_is_read_page_by_page_and_by_time(house: House) -> None:
    for number in range(5):
        audit.record(house.accounts, house.project.project_id, "key:x", "erasure", {"number": number})
    seen: list[int] = []
    cursor = None
    while True:
        params = {"action": "erasure", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = house.ask("GET", "/v1/audit", params=params).json()
        seen += [each["about"]["number"] for each in page["data"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [4, 3, 2, 1, 0]
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).isoformat()
    assert house.ask("GET", "/v1/audit", params={"from": later}).json()["data"] == []
    assert len(house.ask("GET", "/v1/audit", params={"to": later, "action": "erasure"}).json()["data"]) == 5
    for cursor in ("x", "YmVmb3JlOngx", "after"):
        answer = house.ask("GET", "/v1/audit", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["field"]) == (400, "cursor")
    assert house.ask("GET", "/v1/audit", params={"action": "exprot"}).status_code == 400


def test_nobody_sees_the_log_of_another_project(house: House) -> None:
    other = house.accounts.create_project("Another house")
    audit.record(house.accounts, other.project_id, "key:x", "export", {"table": "their own"})
    assert "their own" not in house.ask("GET", "/v1/audit").text
    assert "their own" in house.ask("GET", "/v1/audit", other.admin_key).text


def test_events_of_a_suppressed_user_are_taken_again_and_the_log_tells_without_the_id(
    house: House, turret: Turret
) -> None:
    project_id = house.project.project_id
    suppress(house.accounts, project_id, "u_81")
    words = ("unsuppress", "--project", project_id, "--user", "u_81")
    assert "taken again" in turret(*words).output
    assert count_suppressed(house.accounts, project_id) == 0
    entry = latest(house, "setting_changed")
    assert entry["about"]["setting"] == "suppression" and "u_81" not in json.dumps(entry)
    assert CliRunner().invoke(main, list(words)).exit_code == 1


def test_a_user_who_is_suppressed_under_a_masked_id_too_is_taken_again_under_both(house: House, turret: Turret) -> None:
    project_id, rule = house.project.project_id, stored(Rule(frozenset(["email"])), Rule())
    set_rule(house.accounts, project_id, MASKING, rule)
    for each in ("ann@example.com", *forms_of(rule, project_id, "ann@example.com")):
        suppress(house.accounts, project_id, each)
    assert count_suppressed(house.accounts, project_id) == 2
    turret("unsuppress", "--project", project_id, "--user", "ann@example.com")
    assert count_suppressed(house.accounts, project_id) == 0
    set_rule(house.accounts, project_id, MASKING, None)


def test_no_name_of_a_file_makes_a_line_of_its_own(house: House, turret: Turret) -> None:
    audit.record(house.accounts, None, "command:x", "import", {"file": "a.csv\n2026-01-01 \x1b[2Jnothing"})
    (line,) = turret("audit", "--limit", "1").output.splitlines()
    assert line.endswith(r"file a.csv\n2026-01-01 \x1b[2Jnothing")


def test_what_is_older_than_two_years_goes_with_later_entries(house: House) -> None:
    audit.record(house.accounts, None, "command:x", "backup", {"age": "old"})
    old = audit.entries(house.accounts, most=1)[0].audit_id
    with house.accounts.engine.begin() as connection:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(days=audit.KEPT_DAYS + 1)
        connection.execute(update(AUDIT).where(AUDIT.c.audit_id <= old).values(at=at))
    n_before = len(audit.entries(house.accounts, most=None))
    audit.record(house.accounts, None, "command:x", "backup", {})
    n_kept = len(audit.entries(house.accounts, most=None))
    assert n_before + 1 - n_kept == min(10, n_before)
