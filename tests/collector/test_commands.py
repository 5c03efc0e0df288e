"""`turret project`, `key`, `spool` and `import`, and collectors that share a host, as processes."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from turret_api.accounts import AccountError, Accounts
from turret_api.accounts.tables import COLLECTORS
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

GOOD = {"name": "n", "metadata": {"a": 1}}


def test_a_project_is_made_listed_and_given_another_plan(turret: Callable, accounts: Accounts) -> None:
    words = ["--plan", "enterprise", "--limit", "5", "--json"]
    made = json.loads(turret("project", "create", "Größe & Co", *words).stdout)
    again = turret("project", "create", "Größe & Co")
    changed = turret("project", "plan", "Größe & Co", "pro")
    rows = [json.loads(line) for line in turret("project", "list", "--json").stdout.splitlines()]

    assert set(made) == {"project_id", "name", "write_key", "read_key", "admin_key"}
    assert made["project_id"].startswith("groe-co")
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    assert "exists already" in again.stderr
    assert changed.returncode == 0
    (row,) = [row for row in rows if row["project_id"] == made["project_id"]]
    assert (row["plan"], row["limit"], row["used"]) == ("pro", 1_000_000, 0)
    assert turret("project", "create", "x", "--plan", "pro", "--limit", "5").returncode == 1


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u3164", "\u2800\ufe0f"], ids=ascii)
def test_a_project_whose_name_shows_nothing_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="1 to 200 printable characters"):
        accounts.create_project(name)


def test_a_key_is_shown_once_listed_without_its_text_and_refused_once_revoked(
    turret: Callable, new_project: Callable
) -> None:
    project, words = new_project(), ("--scope", "read", "--name", "notebook")
    made = json.loads(turret("key", "create", "--project", project.name, *words, "--json").stdout)
    listed = turret("key", "list", "--project", project.project_id, "--json").stdout
    revoked = turret("key", "revoke", made["key_id"])
    rows = [json.loads(line) for line in turret("key", "list", "--project", project.name, "--json").stdout.splitlines()]

    assert made["key"].startswith("tr_") and made["key"] not in listed
    assert made["name"] == "notebook"
    assert revoked.returncode == 0
    assert {row["key_id"]: row["state"] for row in rows}[made["key_id"]] == "revoked"
    assert {row["key_id"]: row["name"] for row in rows}[made["key_id"]] == "notebook"
    assert {row["last_used_at"] for row in rows} == {None}
    assert "never used" in turret("key", "list", "--project", project.name).stdout
    assert sum(row["state"] == "valid" for row in rows) == 3
    unknown = turret("key", "revoke", "key_nothing")
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (1, 1)


def test_spool_status_shows_what_is_not_in_the_lake_yet(
    turret: Callable, make_server: Callable, new_project: Callable
) -> None:
    server = make_server(environment={"TURRET_ROLL_SECONDS": "3600"})
    server.home.mkdir(parents=True)
    assert "no collector has run here yet" in turret("spool", "status", home=server.home).stdout
    server.start()
    assert server.track(new_project().write_key, [GOOD] * 7).status == 200

    running = json.loads(turret("spool", "status", "--json", home=server.home).stdout)
    server.kill()
    left = json.loads(turret("spool", "status", "--json", home=server.home).stdout)
    shown = turret("spool", "status", home=server.home).stdout

    assert (running["rows"], running["in_use"], left["rows"], left["in_use"]) == (7, True, 7, False)
    assert 0 < running["bytes"] < running["file_bytes"] and 0 <= running["oldest_s"] < 60
    assert "7 events" in shown and "left" in shown


def test_what_a_lost_spool_had_set_aside_can_be_released(
    turret: Callable, make_server: Callable, new_project: Callable, accounts: Accounts
) -> None:
    project = new_project("enterprise", 100)
    lost = make_server().start()
    assert lost.track(project.write_key, GOOD).status == 200
    collector_id = json.loads(turret("spool", "status", "--json", home=lost.home).stdout)["collector_id"]
    deadline = time.monotonic() + 20
    while accounts.usage(project.project_id).used == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    lost.kill()
    too_soon = turret("spool", "forget", collector_id)
    with accounts.engine.begin() as connection:
        long_ago = COLLECTORS.c.seen_at.op("-")(dt.timedelta(hours=1))
        connection.execute(update(COLLECTORS).where(COLLECTORS.c.collector_id == collector_id).values(seen_at=long_ago))
    unknown = turret("spool", "forget", "nobody")
    done = turret("spool", "forget", collector_id)
    server = make_server().start()
    taken = server.track(project.write_key, [GOOD] * 100).json["accepted"]

    assert (too_soon.returncode, unknown.returncode) == (1, 1)
    assert "gives back by itself" in too_soon.stderr
    assert f"{collector_id} (" in unknown.stderr
    assert done.returncode == 0 and "are free again" in done.stdout
    assert taken == 99


def test_an_event_id_counts_once_however_many_collectors_of_a_host_get_it(
    make_server: Callable, new_project: Callable, accounts: Accounts
) -> None:
    project = new_project("enterprise", 1000)
    first = make_server().start()
    second = make_server(home=first.home).start()
    events = [{**GOOD, "event_id": f"e-{n}"} for n in range(20)]
    answers = [(first if n % 2 else second).track(project.write_key, each).json for n, each in enumerate(events)]
    again = [(second if n % 2 else first).track(project.write_key, each).json for n, each in enumerate(events)]
    at_once = race(first.port, second.port, project.write_key)

    assert again == [{**each, "duplicate": True} for each in answers]
    assert at_once == 50
    assert first.stop() == second.stop() == 0
    assert first.events(project.project_id)["event_id"].n_unique() == first.events(project.project_id).height == 70
    assert accounts.usage(project.project_id).used == 70


def race(first: int, second: int, key: str) -> int:
    """Send 50 ids to both ports at the same time; return how many events were taken as new."""
    new: list[str] = []
    barrier = threading.Barrier(2)

    def send(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for n in range(50):
            barrier.wait(30)
            body = json.dumps({**GOOD, "event_id": f"r-{n}"})
            connection.request("POST", "/track", body, {"X-API-Key": key, "Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
            assert answer["success"], answer
            if not answer.get("duplicate"):
                new.append(answer["event_id"])
        connection.close()

    threads = [threading.Thread(target=send, args=(port,)) for port in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(new)


@pytest.mark.parametrize("point", ["part.mid_file", "part.after_rename"])
def test_an_import_that_was_killed_goes_on_where_it_stopped(
    turret: Callable, new_project: Callable, tmp_path: Path, point: str
) -> None:
    project = new_project()
    file = tmp_path / "a.ndjson"
    file.write_text("".join(json.dumps({"name": "n", "metadata": {"n": n % 7}}) + "\n" for n in range(200)))
    killed = turret("--die-at", point, "import", str(file), "--project", project.name)
    done = json.loads(turret("import", str(file), "--project", project.name, "--json").stdout)

    lake = Lake(str(tmp_path / "home" / "lake"))
    events = read_parts(lake, list_parts(lake, project.project_id))
    assert killed.returncode == -9
    assert done["imported"] + done["duplicates"] == 200
    assert done["duplicates"] == (200 if point == "part.after_rename" else 0)
    assert events.height == events["event_id"].n_unique() == 200
