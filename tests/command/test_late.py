"""Events that wait for longer than they should are told everywhere, by a real server without any pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.command.test_build import said, track, turret
from tests.command.test_serve import serving
from tests.processes.conftest import until
from turret_api.accounts import Accounts
from turret_api.processes.postgres import database
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings


@pytest.mark.slow
@pytest.mark.parametrize("roll_s", ["1", "3600"])
def test_events_that_nothing_builds_are_late_until_they_are_built(
    used_home: Path, keep_model: Callable[[Lake], None], roll_s: str
) -> None:
    """Without a pipeline they wait in the lake; with a roll that never comes they wait in the spool."""
    limits = {"TURRET_LATE_SECONDS": "2", "TURRET_ROLL_SECONDS": roll_s}
    environment = {"TURRET_HOME": str(used_home), **limits}
    keep_model(Lake(str(used_home / "lake")))
    with database(Settings.from_environment(environment)) as url:
        accounts = Accounts(url)
        accounts.migrate()
        shop, other = accounts.create_project("shop"), accounts.create_project("other")
        accounts.close()
        with serving(used_home, **limits) as address:

            def freshness(key: str) -> dict[str, object]:
                found = httpx.get(f"{address}/v1/freshness", headers={"X-API-Key": key}, timeout=30)
                return found.raise_for_status().json()  # type: ignore[no-any-return]

            fresh = {"late": False, "damaged": False, "late_after_s": 2.0, "waiting_since": None, "reason": None}
            fresh["building"] = None
            assert freshness(shop.read_key) == fresh
            ready = httpx.get(f"{address}/readyz", timeout=60).json()
            assert ready.pop("clock") in ("unknown", "right")
            assert ready == {"status": "ready", "accounts": "reached", "pipeline": "in time"}
            track(address, shop.write_key, "where is my parcel")
            where = "to be built into the table events" if roll_s == "1" else "in the spool"
            until(lambda: (told := freshness(shop.read_key))["late"] and f"have waited {where}" in str(told["reason"]))
            late = httpx.get(f"{address}/readyz/pipeline", timeout=60)
            assert late.status_code == 503 and late.headers["Retry-After"]
            reason = late.json()["error"]
            assert "Events have waited" in reason and "shop" not in reason, "a probe has no key"
            # They can be stored all the same, and are.
            answer = httpx.get(f"{address}/readyz", timeout=60)
            assert (answer.status_code, answer.json()["pipeline"]) == (200, "late")
            pipeline = json.loads(said(used_home, "status", "--json", **limits))["pipeline"]
            assert pipeline["late"] is True and pipeline["late_after_s"] == 2
            assert [each["late"] for each in pipeline["waiting"]] == [True]
            text = said(used_home, "status", **limits)
            if roll_s == "1":
                assert freshness(other.read_key) == fresh
                assert "LATE: shop: Events have waited to be built into the table events since" in text
                assert turret(used_home, "build", **limits).returncode == 0
                until(lambda: freshness(shop.read_key) == fresh)
                assert httpx.get(f"{address}/readyz/pipeline", timeout=60).json() == {"status": "ready"}
                assert "Pipeline   in time" in said(used_home, "status", **limits)
            else:
                assert "LATE: Events have waited in the spool" in text
