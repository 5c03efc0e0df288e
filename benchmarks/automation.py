"""What it costs to notice work at many projects and days: a tick of the sensor; and how long Dagster's pages take.

A lake of `--projects` times `--days` is written as if all of it had been built, and a whole system is started
on it, whose Dagster is told of every partition. Then, on that system:

- ticks as the daemon makes them, with nothing to do (from Dagster's record of ticks, the code server's start left out);
- one look of the sensor's, in this process, with nothing new and with a new part in every project;
- the yardstick: one evaluation of Dagster's own `AutomationCondition.eager()` over the two assets by day and project;
- chromium on the assets' pages: seconds from the call of the address to the words and numbers of the asset.

    python benchmarks/automation.py [--projects 50] [--days 60] [--pictures FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
from playwright.sync_api import Page, sync_playwright

from turret_api.command.dagster_home import dagster_environment
from turret_api.command.system import System, system
from turret_pipeline.assets.room import DAYS_BY_PROJECT, PROJECT, day_key
from turret_pipeline.automation import Memory, look
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import PART_SCHEMA, list_parts, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.settings import Settings
from turret_pipeline.lake.tables import EVENTS, FIELD_PROFILES, Table
from turret_pipeline.stages.inputs import parts_by_day, parts_state, profiles_inputs
from turret_pipeline.stages.pending import BY_DAY, STAGES, pending_stages
from turret_pipeline.stages.work import Outcome, Work, record

TODAY = dt.datetime.now(dt.UTC).date()
EVENTS_A_DAY = 20
TICKS = 4
PAGE_S = 120.0


def project_name(number: int) -> str:
    return f"project-{number:03d}"


def write_lake(lake: Lake, n_projects: int, n_days: int) -> None:
    """Write parts of every day of every project, and mark all stages as built from them."""
    days = [TODAY - dt.timedelta(days=age) for age in range(n_days)]
    for number in range(n_projects):
        for day in days:
            write_part(lake, project_name(number), day, "a.parquet", _events(number, day))
    for number in range(n_projects):
        _mark_as_built(Work(lake, project_name(number)))


def _events(number: int, day: dt.date, first: int = 0) -> pl.DataFrame:
    at = dt.datetime.combine(day, dt.time(12), dt.UTC)
    ids = [f"e-{number}-{day}-{first + each}" for each in range(EVENTS_A_DAY)]
    rows = {"event_id": ids, "seq": list(range(EVENTS_A_DAY))}
    frame = pl.DataFrame(rows).with_columns(
        pl.lit("s").alias("session_id"),
        pl.lit("u").alias("user_id"),
        pl.lit("n").alias("name"),
        pl.lit(at).alias("timestamp"),
        pl.lit(at).alias("received_at"),
        pl.lit('{"plan":"free","latency_ms":12}').alias("metadata"),
    )
    return frame.select(PART_SCHEMA.names()).cast(PART_SCHEMA)


def _mark_as_built(work: Work) -> None:
    parts = parts_by_day(list_parts(work.lake, work.project_id))
    events = pl.concat(
        _events(int(work.project_id[-3:]), day).with_columns(
            project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date), part=pl.lit("a.parquet")
        )
        for day in parts
    )
    work.open(EVENTS).append(
        events.select(EVENTS.schema.names()), days={day: parts_state(each) for day, each in parts.items()}
    )
    state = work.open(EVENTS)
    work.open(FIELD_PROFILES).append(
        FIELD_PROFILES.empty(), days={day: profiles_inputs(state.state(day)) for day in parts}
    )
    # Each stage follows from those before it, so they are marked one after the other until none has anything to do.
    while left := pending_stages(work.lake, None, [work.project_id], list_parts(work.lake, work.project_id)):
        stages = left[work.project_id]
        if not stages:
            return
        name, inputs = next(iter(stages.items()))
        _table(work, name).set_inputs(inputs)
        record(work, Outcome(name), inputs)


def _table(work: Work, name: str) -> ProjectTable:
    declared: dict[str, Table] = {table.name: table for table in STAGES}
    return work.open(declared[name])


def tell_dagster(instance: dg.DagsterInstance, n_projects: int, n_days: int) -> None:
    """Record a materialization of every partition of every asset."""
    projects = [project_name(number) for number in range(n_projects)]
    instance.add_dynamic_partitions(PROJECT, projects)
    for project in projects:
        for table in STAGES:
            ages = range(n_days) if table.name in BY_DAY else range(1)
            for age in ages:
                day = TODAY - dt.timedelta(days=age)
                key = day_key(day, project) if table.name in BY_DAY else project
                seen = {"dagster/partition_row_count": EVENTS_A_DAY, "rows written": EVENTS_A_DAY}
                instance.report_runless_asset_event(dg.AssetMaterialization(table.name, metadata=seen, partition=key))


def looks(settings: Settings, instance: dg.DagsterInstance, n_projects: int) -> dict[str, float]:
    """Return the seconds of one look with nothing new, and with a new part in every project."""
    found = {}
    look(instance, settings, {}, time.time())
    for name in ("look_idle_s", "look_new_s"):
        if name == "look_new_s":
            for number in range(n_projects):
                write_part(settings.open_lake(), project_name(number), TODAY, "b.parquet", _events(number, TODAY, 100))
        times, memory = [], Memory()
        for _ in range(3):
            memory.clear()
            started = time.perf_counter()
            result = look(instance, settings, memory, time.time())
            times.append(time.perf_counter() - started)
        found[name] = statistics.median(times)
        assert len(result.run_requests or []) == (0 if name == "look_idle_s" else n_projects)
    return found


def conditions(instance: dg.DagsterInstance) -> float:
    """Return the seconds that Dagster's own automation takes for one look at the same partitions."""
    eager = dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())

    @dg.asset(name="events", partitions_def=DAYS_BY_PROJECT, automation_condition=eager)
    def events() -> None: ...

    @dg.asset(name="field_profiles", deps=[events], partitions_def=DAYS_BY_PROJECT, automation_condition=eager)
    def field_profiles() -> None: ...

    definitions = dg.Definitions([events, field_profiles])
    first = dg.evaluate_automation_conditions(definitions, instance)
    started = time.perf_counter()
    dg.evaluate_automation_conditions(definitions, instance, cursor=first.cursor)
    return time.perf_counter() - started


def ticks(instance: dg.DagsterInstance) -> list[float]:
    """Return the seconds of the daemon's latest ticks of the sensor that are over."""
    states = [each for each in instance.all_instigator_state() if each.instigator_name == "new_events"]
    if not states:
        return []
    found = instance.get_ticks(states[0].instigator_origin_id, states[0].selector_id, limit=TICKS + 2)
    return [tick.end_timestamp - tick.timestamp for tick in found if tick.end_timestamp is not None]


def pages(whole: System, pictures: Path | None) -> dict[str, float]:
    """Return the seconds until each page of Dagster's shows what it is about."""
    found = {}
    address = whole.dagster_url
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.goto(address)
        page.get_by_text("Catalog").first.wait_for(timeout=PAGE_S * 1000)
        for name, path, words in (
            ("asset_page_s", "/assets/events?view=overview", re.compile("Every event that your app tracked")),
            ("partitions_page_s", "/assets/events?view=partitions", re.compile(r"project-\d")),
            ("project_asset_page_s", "/assets/topics?view=overview", re.compile("What people talk about")),
            ("graph_page_s", "/asset-groups", re.compile("maintenance")),
        ):
            started = time.perf_counter()
            page.goto(f"{address}{path}")
            page.get_by_text(words).first.wait_for(timeout=PAGE_S * 1000)
            found[name] = time.perf_counter() - started
            _photograph(page, pictures, name)
        browser.close()
    return found


def _photograph(page: Page, folder: Path | None, name: str) -> None:
    if folder is not None:
        page.wait_for_timeout(4000)
        page.screenshot(path=folder / f"{name}.png")


@contextlib.contextmanager
def opened(settings: Settings, url: str) -> Iterator[dg.DagsterInstance]:
    """Yield the instance of Dagster that the system uses."""
    os.environ.update(dagster_environment(settings, url))
    with dg.DagsterInstance.get() as instance:
        yield instance


def measure(n_projects: int, n_days: int, pictures: Path | None) -> dict[str, float]:
    """Return the figures."""
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        home = {"TURRET_HOME": f"{folder}/home", "TURRET_PORT": "18411", "TURRET_DAGSTER_PORT": "18412"}
        settings = Settings.from_environment(home)
        settings.open_lake().make()
        started = time.perf_counter()
        write_lake(settings.open_lake(), n_projects, n_days)
        _say(f"lake of {n_projects} x {n_days} written in {time.perf_counter() - started:.0f} s")
        with system(settings, _say) as whole, opened(settings, whole.database_url) as instance:
            started = time.perf_counter()
            tell_dagster(instance, n_projects, n_days)
            _say(f"Dagster knows of all partitions after {time.perf_counter() - started:.0f} s")
            time.sleep(5 * TICKS)
            of_ticks = ticks(instance)[:TICKS]
            figures = {"projects": n_projects, "days": n_days, "tick_s": max(of_ticks)}
            figures |= pages(whole, pictures)
            figures["eager_condition_s"] = conditions(instance)
            figures |= looks(settings, instance, n_projects)
    return figures


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and print a table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=50)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--pictures", type=Path, help="folder for screenshots of the pages")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = measure(options.projects, options.days, options.pictures)
    if options.json:
        print(json.dumps(report))
        return
    for name, value in report.items():
        print(f"{name:<24} {value:>10.2f}")


if __name__ == "__main__":
    main()
