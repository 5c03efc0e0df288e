"""What the pages say when there is nothing to show, and when something is wrong."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import time
from pathlib import Path

import httpx
import polars as pl
import pytest
from playwright.sync_api import Route, expect

from tests.dashboard.conftest import Served, Visitor, _wait
from tests.small_lake import event, put
from turret_api.command.sample import FIELD
from turret_pipeline.lake import store, waiting
from turret_pipeline.lake.tables import FIELD_FAILURES
from turret_pipeline.lake.waiting import Seen, Wait


def test_without_events_the_page_says_how_to_send_the_first(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.empty.read_key)
    expect(visitor.page.locator("h1")).to_have_text("No events yet")
    line = visitor.page.locator("pre").first.inner_text()
    assert line.startswith(f"curl {served.url}/track") and "X-API-Key" in line
    assert visitor.page.get_by_role("button", name="Make a write key").count() == 0
    for path in ("/topics", "/journeys"):
        visitor.open(path)
        expect(visitor.page.locator("h1")).to_have_text("No events yet")
    visitor.open("/settings")
    expect(visitor.page.locator("h1")).to_have_text("Settings")
    assert visitor.problems == []


def test_an_admin_gets_the_line_of_the_first_event_with_a_key_that_works(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.empty.admin_key)
    visitor.page.get_by_role("button", name="Make a write key").click()
    line = visitor.page.locator("pre").first
    expect(line).to_contain_text("tw_")
    sent = subprocess.run(["bash", "-c", f"{line.inner_text()} -s"], capture_output=True, text=True, check=True)
    assert '"success":true' in sent.stdout.replace(" ", "")
    assert visitor.problems == []


@pytest.mark.slow
def test_events_without_tables_are_not_built_yet(served: Served, visitor: Visitor) -> None:
    event = {"name": "user_prompt", "metadata": {"prompt": "hello"}}
    sent = httpx.post(f"{served.url}/track", json=event, headers={"X-API-Key": served.waiting.write_key}, timeout=60)
    assert sent.status_code == 200
    _wait(lambda: served.get("/v1/usage", served.waiting)["used"] == 1, "the use of the plan did not show")
    visitor.sign_in(served.waiting.read_key)
    expect(visitor.page.locator("h1")).to_have_text("Your events are here; the tables are not built yet")
    expect(visitor.page.locator("pre")).to_have_text(f"turret build --project {served.waiting.project_id}")


def test_a_failing_answer_is_said_and_can_be_tried_again(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/settings")
    visitor.page.route("**/v1/topics?*", lambda route: route.abort())
    visitor.page.get_by_role("link", name="Topics").click()
    expect(visitor.page.locator("#view .failed .problem").first).to_contain_text("cannot be reached")
    visitor.page.unroute("**/v1/topics?*")
    visitor.page.get_by_role("button", name="Try again").first.click()
    expect(visitor.page.locator("#topics tbody tr").first).to_be_visible()
    expect(visitor.page.locator("#view .failed .problem")).to_have_count(0)
    visitor.page.route("**/v1/fields*", lambda route: route.abort())
    visitor.page.get_by_role("link", name="Journeys").click()
    expect(visitor.page.locator("h1")).to_have_text("This page could not be loaded")
    visitor.page.unroute("**/v1/fields*")
    visitor.page.get_by_role("button", name="Try again").click()
    expect(visitor.page.locator("h1")).to_have_text("Journeys")


@pytest.mark.slow
def test_while_it_loads_the_page_says_so(served: Served, visitor: Visitor) -> None:
    visitor.sign_in(served.full.read_key, "/settings/project")
    held: list[Route] | None = []

    def hold(route: Route) -> None:
        if held is None:
            route.continue_()
        else:
            held.append(route)

    visitor.page.route("**/v1/topics?*", hold)
    visitor.page.get_by_role("link", name="Topics").click()
    expect(visitor.page.locator("#said")).to_have_text("Loading…")
    expect(visitor.page.locator(".skeleton").first).to_be_visible()
    expect(visitor.page.locator("#view")).to_have_attribute("aria-busy", "true")
    # Answers that need no table come at once.
    visitor.page.route("**/v1/fields*", hold)
    visitor.page.get_by_role("link", name="Overview").click()
    expect(visitor.page.locator("#usage")).to_contain_text("250,000 events")
    expect(visitor.page.locator("#tables li").first).to_be_visible()
    expect(visitor.page.locator("#n-messages")).to_have_count(0)
    waiting, held = held or [], None
    for route in waiting:
        route.continue_()
    expect(visitor.page.locator("#view")).to_have_attribute("aria-busy", "false")
    expect(visitor.page.locator("#topics tbody tr").first).to_be_visible()


@pytest.mark.slow
def test_every_page_names_the_fields_that_the_last_build_could_not_do(served: Served, visitor: Visitor) -> None:
    lake, project = served.settings.open_lake(), served.full.project_id
    row = (project, "topics", FIELD, None, "TypeError: <b>no</b> len()", 15, "1")
    store.append(lake, FIELD_FAILURES, pl.DataFrame([row], schema=FIELD_FAILURES.schema, orient="row"))
    visitor.sign_in(served.full.read_key)
    said = f"The field {FIELD} failed in topics: TypeError: <b>no</b> len()"
    for path in ("/", "/topics", "/journeys"):
        visitor.open(path)
        expect(visitor.page.locator(".broken .problem")).to_have_text(said)
        expect(visitor.page.locator("h1")).to_be_visible()
    visitor.open("/settings")
    cell = visitor.page.locator(f"tr[data-field='{FIELD}'] .problem")
    expect(cell).to_have_text("Failed in topics: TypeError: <b>no</b> len()")
    store.replace(lake, FIELD_FAILURES, FIELD_FAILURES.empty(), project)
    visitor.open("/")
    expect(visitor.page.locator("#n-messages")).to_be_visible()
    expect(visitor.page.locator(".broken")).to_have_count(0)
    assert visitor.problems == []


@pytest.mark.slow
def test_every_page_says_in_red_when_events_have_waited_longer_than_they_should(
    served: Served, visitor: Visitor
) -> None:
    lake, project = served.settings.open_lake(), served.full.project_id
    hours_ago = time.time() - 7200
    waiting.write(lake, Seen(time.time(), {project: {"topics": Wait(hours_ago, None, hours_ago)}}))
    _wait(lambda: served.get("/v1/freshness", served.full)["late"], "the wait did not show")
    visitor.sign_in(served.full.read_key)
    for path in ("/", "/topics", "/journeys", "/settings"):
        visitor.open(path)
        said = visitor.page.locator("#late .problem")
        expect(said).to_contain_text("These tables are late. Events have waited to be built into the table topics")
        red, _, blue = map(int, said.evaluate("(e) => getComputedStyle(e).color.match(/\\d+/g).slice(0, 3)"))
        assert red > 2 * blue
        expect(visitor.page.locator("h1")).to_be_visible()
    waiting.write(lake, Seen(time.time(), {}))
    _wait(lambda: not served.get("/v1/freshness", served.full)["late"], "the wait did not end")
    visitor.open("/")
    expect(visitor.page.locator("#n-messages")).to_be_visible()
    expect(visitor.page.locator("#late")).to_have_count(0)
    assert visitor.problems == []


@pytest.mark.slow
def test_of_thousands_of_fields_some_are_shown_and_the_others_can_be_found(served: Served, visitor: Visitor) -> None:
    known = served.get("/v1/fields", served.full)
    plan = next(each for each in known["data"] if each["type"] == "enum")
    data = known["data"] + [{**plan, "field": f"id_{n}", "n_events": 1} for n in range(1_200)]
    left_out = {"most": 5_000, "n_fields": 1_234, "examples": ["id_<b>9</b>"]}

    def answer(route: Route) -> None:
        start = 1_000 if "cursor=rest" in route.request.url else 0
        rest = None if start else "rest"
        page = {**known, "data": data[start : start + 1_000], "left_out": left_out, "next": rest}
        route.fulfill(json=page)

    visitor.page.route("**/v1/fields*", answer)
    visitor.sign_in(served.full.read_key, "/settings")
    rows = visitor.page.locator("tr[data-field]")
    expect(rows).to_have_count(100)
    expect(visitor.page.locator("#left-out")).to_contain_text("At least 1,234 more")
    expect(visitor.page.locator("#left-out")).to_contain_text("id_<b>9</b>")
    visitor.page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(200)
    visitor.page.locator("#find-field").fill("id_1199")
    expect(rows).to_have_count(1)
    visitor.open("/topics")
    expect(visitor.page.locator("#topics tbody tr").first).to_be_visible()
    n_groups = visitor.page.locator("fieldset.filter").count()
    assert n_groups < 30
    visitor.page.locator("input[name=more-segments]").fill("id_1199")
    expect(visitor.page.locator("fieldset.filter")).to_have_count(n_groups + 1)
    expect(visitor.page.locator("fieldset.filter legend", has_text="id_1199")).to_be_visible()
    assert visitor.problems == []


@pytest.mark.slow
def test_imported_events_are_counted_on_every_page_until_they_are_built_in(served: Served, visitor: Visitor) -> None:
    lake, project = served.settings.open_lake(), served.empty.project_id
    day = dt.datetime.now(dt.UTC).date()
    put(lake, day, "import-1", [event(number, day, "where is my order?") for number in range(3)], project)
    before = waiting.read(lake)
    minute_ago = time.time() - 60
    wait = Wait(minute_ago, None, minute_ago)
    waiting.write(lake, Seen(time.time(), {project: {"events": wait}, served.hostile.project_id: {"events": wait}}))
    try:
        _wait(lambda: served.get("/v1/freshness", served.empty)["building"], "the import did not show")
        visitor.sign_in(served.empty.read_key)
        expect(visitor.page.locator("#progress")).to_contain_text(
            re.compile(r"[34] events received, 0 in the tables so far\. ")
        )
        _wait(lambda: served.get("/v1/freshness", served.hostile)["building"], "the wait did not show")
        visitor.sign_in(served.hostile.read_key)
        expect(visitor.page.locator("#building")).to_contain_text("texts embedded")
        assert visitor.problems == []
    finally:
        waiting.write(lake, before or Seen(0.0))
        part = Path(lake.events_folder(project, day)) / "import-1.parquet"
        part.unlink()
