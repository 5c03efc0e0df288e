"""What `/metrics` says of the pipeline: runs, how far the tables are behind, what failed, what is damaged.

All of it is read where it stands, when somebody scrapes: what waits in the lake and in the spools (`freshness`), runs
in Dagster's tables, rows in the tables' logs, messages of alerts in the accounts. It is the same on every host that
reads one lake, so a query over several takes the greatest. Where a source does not answer, its metrics are left out and
`turret_source_up` is 0 for it.

Labels are bounded: tables are some thirty, and of projects only those that have waited longest are named.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from turret_api.freshness import Freshness
from turret_pipeline.lake import store, waiting
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, EVENTS, FIELD_FAILURES, MESSAGES, Table

KEPT_S = 5.0
"""Seconds for which what was found is told again, to any number of scrapers."""
ROWS_KEPT_S = 60.0
"""The same for numbers of rows, for which logs of tables are opened."""
MOST_PROJECTS = 20
ROWS_OF = (EVENTS, MESSAGES, EMBEDDINGS, FIELD_FAILURES)
QUEUED, UNDER_WAY = "QUEUED", ("NOT_STARTED", "STARTING", "STARTED", "CANCELING")
RESULTS = {"SUCCESS": "success", "FAILURE": "failure", "CANCELED": "canceled"}
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "turret_oldest_wait_seconds": ("Age of the oldest event that is not in all tables; 0 if all are", ()),
    "turret_waiting_projects": ("Projects with events that are not in all tables", ()),
    "turret_late_projects": ("Projects with events that have waited longer than TURRET_LATE_SECONDS", ()),
    "turret_project_oldest_wait_seconds": (
        f"Age of a project's oldest event that is not in all tables; of the {MOST_PROJECTS} longest",
        ("project",),
    ),
    "turret_table_waiting_projects": ("Projects for which a table is not up to date", ("table",)),
    "turret_pipeline_look_timestamp_seconds": (
        "When the pipeline last looked for work, in seconds since 1970; 0 if it never did",
        (),
    ),
    "turret_damaged_files": ("Files that were found damaged, and still are", ()),
    "turret_runs_queued": ("Runs that wait in the queue", ()),
    "turret_runs_under_way": ("Runs that have begun and not ended", ()),
    "turret_runs_finished_last_day": ("Runs that ended within the last 24 hours, by result", ("result",)),
    "turret_runs_last_success_timestamp_seconds": (
        "When the last successful run ended, in seconds since 1970; 0 if none has",
        (),
    ),
    "turret_table_rows": ("Rows of a table, of all projects", ("table",)),
    "turret_field_failures": ("Failures of single fields that still stand", ()),
    "turret_alert_messages": ("Messages of alerts and digests that wait, or are dead letters", ("state",)),
    "turret_source_up": ("Whether a source of these metrics (waiting, runs, tables, messages) answers", ("source",)),
}
"""By name: what it is, and its labels."""
_RUNS = text("""
    SELECT status, count(*) FROM dagster.runs
    WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
        OR update_timestamp > (now() AT TIME ZONE 'utc') - interval '1 day'
    GROUP BY status
""")
_MESSAGES = text(
    "SELECT state, count(*) FROM turret.alert_deliveries WHERE state IN ('waiting', 'dead') GROUP BY state"
)
_LAST_SUCCESS = text("SELECT end_time FROM dagster.runs WHERE status = 'SUCCESS' ORDER BY id DESC LIMIT 1")


class PipelineMetrics:
    """The pipeline's metrics, for any number of threads.

    Args:
        lake: what the tables lie in.
        freshness: what waits, and what is damaged.
        engine: of the database with Dagster's schema.
    """

    def __init__(self, lake: Lake, freshness: Freshness, engine: Engine) -> None:
        self._lake = lake
        self._freshness = freshness
        self._engine = engine
        self._lock = threading.Lock()
        self._text, self._made_at = b"", float("-inf")
        self._rows: dict[str, int] = {}
        self._rows_at = float("-inf")
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus's text format, at most `KEPT_S` old."""
        with self._lock:
            if time.monotonic() - self._made_at >= KEPT_S:
                self._text, self._made_at = generate_latest(self._registry), time.monotonic()
            return self._text

    def describe(self) -> Iterator[Metric]:
        """Yield each metric without a value, which reads nothing."""
        yield from map(_family, METRICS)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric whose source answers, then which do."""
        up: dict[str, float] = {}
        of_sources: dict[str, Callable[[], list[Metric]]] = {
            "waiting": self._waiting,
            "runs": self._runs,
            "tables": self._tables,
            "messages": self._messages,
        }
        for source, read in of_sources.items():
            try:
                yield from read()
                up[source] = 1
            except (OSError, SQLAlchemyError, DamageError):
                up[source] = 0
        yield _by_label("turret_source_up", up)

    def _waiting(self) -> list[Metric]:
        seen, now = waiting.read(self._lake), time.time()
        waits, late = self._freshness.waits(), self._freshness.late()
        oldest: dict[str, float] = {}
        for each in waits:
            if each.project_id is not None:
                oldest[each.project_id] = max(oldest.get(each.project_id, 0.0), now - each.since)
        longest = sorted(oldest, key=lambda project: -oldest[project])[:MOST_PROJECTS]
        tables = Counter(table for of in ({} if seen is None else seen.waiting).values() for table in of)
        return [
            _gauge("turret_oldest_wait_seconds", max((now - each.since for each in waits), default=0.0)),
            _gauge("turret_waiting_projects", len(oldest)),
            _gauge("turret_late_projects", len({each.project_id for each in late} - {None})),
            _by_label("turret_project_oldest_wait_seconds", {project: oldest[project] for project in longest}),
            _by_label("turret_table_waiting_projects", tables),
            _gauge("turret_pipeline_look_timestamp_seconds", 0.0 if seen is None else seen.at),
            _gauge("turret_damaged_files", len(self._freshness.damage())),
        ]

    def _runs(self) -> list[Metric]:
        try:
            with self._engine.connect() as connection:
                by_status: dict[str, int] = {row[0]: row[1] for row in connection.execute(_RUNS)}
                last = connection.scalar(_LAST_SUCCESS)
        except ProgrammingError:  # Dagster has never run on this database
            by_status, last = {}, None
        finished = {result: by_status.get(status, 0) for status, result in RESULTS.items()}
        return [
            _gauge("turret_runs_queued", by_status.get(QUEUED, 0)),
            _gauge("turret_runs_under_way", sum(by_status.get(each, 0) for each in UNDER_WAY)),
            _by_label("turret_runs_finished_last_day", finished),
            _gauge("turret_runs_last_success_timestamp_seconds", float(last or 0.0)),
        ]

    def _messages(self) -> list[Metric]:
        with self._engine.connect() as connection:
            by_state: dict[str, float] = {row[0]: row[1] for row in connection.execute(_MESSAGES)}
        return [_by_label("turret_alert_messages", {"waiting": 0, "dead": 0} | by_state)]

    def _tables(self) -> list[Metric]:
        if time.monotonic() - self._rows_at >= ROWS_KEPT_S:
            self._rows = {table.name: self._n_rows(table) for table in ROWS_OF}
            self._rows_at = time.monotonic()
        failures = self._rows[FIELD_FAILURES.name]
        return [_by_label("turret_table_rows", self._rows), _gauge("turret_field_failures", failures)]

    def _n_rows(self, table: Table) -> int:
        opened = store.open_table(self._lake, table)
        # By the log's statistics, in deltalake: with polars the process would grow by 50 MiB at the first scrape.
        return 0 if opened is None else int(opened.count())


def _family(name: str) -> GaugeMetricFamily:
    about, labels = METRICS[name]
    return GaugeMetricFamily(name, about, labels=labels)


def _gauge(name: str, value: float) -> Metric:
    family = _family(name)
    family.add_metric([], value)
    return family


def _by_label(name: str, values: Mapping[str, float]) -> Metric:
    family = _family(name)
    for label, value in sorted(values.items()):
        family.add_metric([label], value)
    return family
