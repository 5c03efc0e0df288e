"""A canary in every field of every kind of event, through a real system; once it is erased no byte of it is left.

One system is started, fed in every way there is, built, looked at, backed up, and asked by HTTP to erase. Every file of
the home is then looked through, packed or not, in the forms in which texts are written; so is what its database says.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.erasing.canary import CANARY, ERASED_S, USER, System, build_and_copy, canaries, has_canary, holding, send_all
from tests.processes.conftest import processes_of, until
from turret_pipeline.lake.paths import Lake

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("canary")
    made = System(folder / "home")
    keep_model(Lake(str(made.home / "lake")))
    made.start()
    made.make_project()
    yield made
    made.end_all()


def test_no_byte_of_it_is_left_also_after_a_restart_a_rebuild_and_a_restore(system: System, tmp_path: Path) -> None:
    send_all(system, tmp_path)
    exported, archive = build_and_copy(system, tmp_path)
    assert len(holding(system.home)) > 40 and holding(exported.parent) and has_canary(system.dump())

    asked = system.ask("DELETE", f"/v1/users/{urllib.parse.quote(USER)}?suppress=true")
    address = f"/v1/erasures/{asked['erasure_id']}"
    until(lambda: system.ask("GET", address)["state"] in ("done", "failed"), ERASED_S)
    told = system.ask("GET", address)
    assert told["state"] == "done", told
    receipt = told["receipt"]
    assert receipt["n_events"] >= 48 and receipt["before"]["events"] - receipt["after"]["events"] == receipt["n_events"]
    assert (receipt["after"]["users"], receipt["suppressed"]) == (8, True)
    assert not has_canary(json.dumps(receipt).encode())
    until(lambda: not holding(system.home), 60)
    assert holding(exported.parent) == [] and not has_canary(system.dump())
    assert CANARY not in json.dumps(system.ask("GET", "/v1/topics?field=prompt"))
    refused = httpx.post(
        f"{system.url}/track", json=canaries("late", 1)[0], headers={"X-API-Key": system.keys["write_key"]}, timeout=30
    )
    assert refused.status_code >= 400

    system.end()
    assert holding(system.home) == []
    system.start()
    system.turret("build", "--project", "shop", "--full-refresh")
    assert not has_canary(system.dump())
    system.end()
    assert holding(system.home) == []

    again = System(tmp_path / "again")
    keep = again.home / "lake" / "models"
    keep.parent.mkdir(parents=True)
    shutil.copytree(system.home / "lake" / "models", tmp_path / "models")
    again.turret("restore", str(archive))
    assert holding(again.home) == []
    for process in processes_of(again.home):
        process.terminate()


def test_the_forms_that_are_looked_for_are_found() -> None:
    for text in (
        CANARY.upper().encode(),
        f"a {CANARY} b".encode("utf-16"),
        *(base64.b64encode(b"x" * n + CANARY.encode() + b"yz") for n in range(5)),
        re.sub("(.)", lambda found: f"%{ord(found[1]):02X}", CANARY).encode(),
    ):
        assert has_canary(text), text
    assert not has_canary(b"kanarienvogelsechs")
