"""Dagster's own pages over a running system, in a browser: a backfill by days is launched, and seen to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from tests.command.test_up import Up
from tests.processes.conftest import processes_of, until
from tests.small_lake import DAYS, event, put
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.pending import pending_stages

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PROJECT = "shop"
RANGE = f"[{DAYS[0]}...{DAYS[2]}]"
BUILT_S = 300.0
LATEST = "{ partitionBackfillsOrError(limit: 1) { ... on PartitionBackfills { results { status numPartitions } } } }"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A system with three days of events without text, all built."""
    up = Up(tmp_path_factory.mktemp("ui") / "home")
    lake = Lake(str(up.home / "lake"))
    for number, day in enumerate(DAYS):
        put(lake, day, "a", [event(number * 10 + n, day) for n in range(10)], project=PROJECT)
    up.start()
    until(lambda: not pending_stages(lake, None)[PROJECT], BUILT_S)
    yield up
    up.end()
    for process in processes_of(up.home):
        process.kill()


@pytest.fixture
def page(up: Up) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def backfill(up: Up, page: Page) -> dict[str, object]:
    """Launch a backfill of `RANGE` from the page of `events`; return what became of it."""
    page.goto(f"http://127.0.0.1:{up.dagster_port}/assets/events?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize events")
    days = dialog.get_by_placeholder(re.compile("^ex: "))
    days.fill(RANGE)
    days.press("Enter")
    dialog.get_by_role("button", name="All").last.click()  # all projects: there is one
    dialog.get_by_text("3 partitions").wait_for()
    dialog.get_by_role("button", name="Launch backfill").click()
    dialog.wait_for(state="hidden")
    until(lambda: str(latest(up)["status"]).startswith("COMPLETED"), BUILT_S)
    return latest(up)


def latest(up: Up) -> dict[str, object]:
    answer = httpx.post(f"http://127.0.0.1:{up.dagster_port}/graphql", json={"query": LATEST}, timeout=60).json()
    found: dict[str, object] = answer["data"]["partitionBackfillsOrError"]["results"][0]
    return found


def shows(up: Up, page: Page, *expected: str) -> bool:
    """Whether the page shows so many partitions of `events` as failed and as materialized; not while any is built."""
    page.goto(f"http://127.0.0.1:{up.dagster_port}/assets/events?view=partitions")
    page.get_by_text(re.compile(r"Materialized \([1-9]\d*\)")).wait_for()
    return re.findall(r"(?:Failed|Materialized) \(\d+\)", page.locator("body").inner_text()) == list(expected)


def test_a_backfill_of_days_is_launched_from_the_page_and_the_day_that_fails_is_shown_so(up: Up, page: Page) -> None:
    assert backfill(up, page) == {"status": "COMPLETED_SUCCESS", "numPartitions": 3}
    until(lambda: shows(up, page, "Failed (0)", "Materialized (3)"), BUILT_S)

    broken = Path(up.home / "lake/events" / f"project={PROJECT}" / f"date={DAYS[1]}" / "broken.parquet")
    broken.write_bytes(b"not a Parquet file at all")
    assert backfill(up, page) == {"status": "COMPLETED_FAILED", "numPartitions": 3}
    until(lambda: shows(up, page, "Failed (1)", "Materialized (2)"), BUILT_S)

    broken.unlink()
    assert backfill(up, page) == {"status": "COMPLETED_SUCCESS", "numPartitions": 3}
    until(lambda: shows(up, page, "Failed (0)", "Materialized (3)"), BUILT_S)
