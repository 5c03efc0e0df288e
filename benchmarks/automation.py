"""What a tick of the sensor costs with many projects and days, and how long Dagster's pages take.

A lake of `--projects` times `--days` is written as if all of it had been built. A whole system is started on it, and
every partition is reported to its Dagster. Then four things are measured on that system:

- ticks of the daemon with nothing to do (from Dagster's record of ticks, without the start of the code server);
- one look of the sensor in this process, with nothing new and with a new part in every project;
- the yardstick: one evaluation of Dagster's own `AutomationCondition.eager()` over the two assets by day and project;
- chromium on the assets' pages: seconds from opening the address to the asset's text and numbers.

    python benchmarks/automation.py [--projects 50] [--days 60] [--pictures FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import itertools
import logging
import os
import re
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import deltalake
import polars as pl
import pyarrow as pa
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID
from playwright.sync_api import Page, sync_playwright
from report import say, show

from turret_api.command.system import System, system
from turret_api.home.dagster_home import dagster_environment
from turret_pipeline.lake.commits import open_or_make
from turret_pipeline.lake.marks import mark_id
from turret_pipeline.lake.parts import PART_SCHEMA, list_parts, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS, EVENTS, FIELD_PROFILES, TABLES, Table
from turret_pipeline.orchestration.partitions import DAYS_BY_PROJECT, PROJECT, day_key
from turret_pipeline.orchestration.sensor import LastRequests, look
from turret_pipeline.settings import Settings
from turret_pipeline.stages import BY_DAY, STAGE_OF
from turret_pipeline.stages.pending import LakeNow, pending_stages
from turret_pipeline.stages.work import recorded_mark

TODAY = dt.datetime.now(dt.UTC).date()
EVENTS_A_DAY = 20
TICKS = 4
PAGE_S = 120.0


def project_name(number: int) -> str:
    """Return the id of a project of the generated lake."""
    return f"project-{number:03d}"


def write_lake(lake: Lake, n_projects: int, n_days: int) -> None:
    """Write parts of every day of every project, and mark all stages as built from them.

    Rows and marks are those that a build would write, but all projects' go into one commit a table, and the parts of a
    day are copies of one: what takes time in making them is not what is measured here.
    """
    days = [TODAY - dt.timedelta(days=age) for age in range(n_days)]
    projects = [project_name(number) for number in range(n_projects)]
    for day in days:
        write_part(lake, projects[0], day, "a.parquet", _events(day))
        for project in projects[1:]:
            folder = Path(lake.events_folder(project, day))
            folder.mkdir(parents=True)
            shutil.copy(Path(lake.events_folder(projects[0], day)) / "a.parquet", folder)
    _mark_events(lake, projects, days)
    parts = list_parts(lake)
    # Each stage follows from those before it, so they are marked one after the other until none has anything to do.
    for table in (TABLES[name] for name in STAGE_OF):
        pending = pending_stages(lake, None, parts=parts)
        wanted = {project: names[table.name] for project, names in pending.items()}
        state = {mark_id(project, "state"): 1 for project in projects}
        inputs = {mark_id(project, "inputs"): of for project, of in wanted.items()}
        recorded = {mark_id(project, recorded_mark(table.name)): of for project, of in wanted.items()}
        _commit(lake, table, table.empty(), inputs | ({} if table is EVENTS else state))
        _commit(lake, BUILDS, BUILDS.empty(), recorded)
    assert not any(pending_stages(lake, None, parts=parts).values())


def _events(day: dt.date, first: int = 0) -> pl.DataFrame:
    at = dt.datetime.combine(day, dt.time(12), dt.UTC)
    ids = [f"e-{day}-{first + each}" for each in range(EVENTS_A_DAY)]
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


def _mark_events(lake: Lake, projects: list[str], days: list[dt.date]) -> None:
    """Write the events of all days, and mark each day of events and profiles as made from what there is."""
    sent = pl.concat(
        _events(day).with_columns(received_date=pl.lit(day, dtype=pl.Date), part=pl.lit("a.parquet")) for day in days
    )
    rows = pl.concat(sent.with_columns(project_id=pl.lit(project)) for project in projects)
    marks = {mark_id(project, "state"): 1 for project in projects}
    # Every project has the same parts, so the fingerprints are those of the first.
    came = LakeNow(lake).project(projects[0])
    for project, day in itertools.product(projects, days):
        marks |= {mark_id(project, "inputs", day): STAGE_OF["events"].inputs(came, day)}
        marks[mark_id(project, "state", day)] = 1
    _commit(lake, EVENTS, rows.select(EVENTS.schema.names()), marks)
    there = LakeNow(lake).project(projects[0])
    profiled = {day: STAGE_OF["field_profiles"].inputs(there, day) for day in days}
    inputs = {mark_id(project, "inputs", day): profiled[day] for project, day in itertools.product(projects, days)}
    _commit(lake, FIELD_PROFILES, FIELD_PROFILES.empty(), inputs)


def _commit(lake: Lake, table: Table, rows: pl.DataFrame, marks: dict[str, int]) -> None:
    transactions = [deltalake.Transaction(name, value) for name, value in marks.items()]
    deltalake.write_deltalake(
        open_or_make(lake, table),
        pa.table(rows.to_arrow(compat_level=pl.CompatLevel.oldest())),
        mode="append",
        commit_properties=deltalake.CommitProperties(app_transactions=transactions),
    )


def tell_dagster(instance: dg.DagsterInstance, n_projects: int, n_days: int) -> None:
    """Record a materialization of every partition of every asset, an asset at a time."""
    projects = [project_name(number) for number in range(n_projects)]
    days = [TODAY - dt.timedelta(days=age) for age in range(n_days)]
    instance.add_dynamic_partitions(PROJECT, projects)
    for name in STAGE_OF:
        by_day = [day_key(day, project) for project in projects for day in days]
        keys = by_day if name in BY_DAY else projects
        instance.event_log_storage.store_event_batch([_materialized(name, key) for key in keys])


def _materialized(asset: str, partition: str) -> EventLogEntry:
    """Return the entry in Dagster's log that `report_runless_asset_event` would make."""
    seen = {"dagster/partition_row_count": EVENTS_A_DAY, "rows written": EVENTS_A_DAY}
    made = dg.AssetMaterialization(asset, metadata=seen, partition=partition)
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION.value
    event = DagsterEvent(kind, RUNLESS_JOB_NAME, event_specific_data=StepMaterializationData(made))
    return EventLogEntry(
        user_message="",
        level=logging.INFO,
        job_name=RUNLESS_JOB_NAME,
        run_id=RUNLESS_RUN_ID,
        error_info=None,
        timestamp=time.time(),
        dagster_event=event,
    )


def looks(settings: Settings, instance: dg.DagsterInstance, n_projects: int) -> dict[str, float]:
    """Return the seconds of one look with nothing new, and with a new part in every project."""
    found = {}
    look(instance, settings, {}, time.time())
    for name in ("look_idle_s", "look_new_s"):
        if name == "look_new_s":
            for number in range(n_projects):
                write_part(settings.open_lake(), project_name(number), TODAY, "b.parquet", _events(TODAY, 100))
        times, memory = [], LastRequests()
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
        say(f"lake of {n_projects} x {n_days} written in {time.perf_counter() - started:.0f} s")
        with system(settings, say) as whole, opened(settings, whole.database_url) as instance:
            started = time.perf_counter()
            tell_dagster(instance, n_projects, n_days)
            say(f"Dagster knows of all partitions after {time.perf_counter() - started:.0f} s")
            time.sleep(5 * TICKS)
            of_ticks = ticks(instance)[:TICKS]
            figures = {"projects": n_projects, "days": n_days}
            figures |= {"tick_median_s": statistics.median(of_ticks), "tick_max_s": max(of_ticks)}
            figures |= pages(whole, pictures)
            figures["eager_condition_s"] = conditions(instance)
            figures |= looks(settings, instance, n_projects)
    return figures


def main() -> None:
    """Measure, and print a table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=50)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--pictures", type=Path, help="folder for screenshots of the pages")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    show(measure(options.projects, options.days, options.pictures), options.json)


if __name__ == "__main__":
    main()
