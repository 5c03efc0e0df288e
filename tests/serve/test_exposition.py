"""`/metrics` of several processes: each leaves its figures, and whichever is asked gives those of all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from turret_api.collector.metrics import Metrics
from turret_api.serve.exposition import METRICS_FILE, STALE_S, exposition, leave


class Worker:
    """One process's figures, with the spool folder that they are left in."""

    def __init__(self, spools: Path, name: str) -> None:
        self.metrics = Metrics()
        self.folder = spools / name
        self.folder.mkdir(exist_ok=True)

    def leave(self) -> None:
        leave(self.metrics.registry, self.folder)

    def scrape(self) -> dict[tuple[str, str], float]:
        """Return what a scrape of this process says: the values by sample and worker (and bucket, if there is one)."""
        text = exposition(self.metrics.registry, self.folder).decode()
        return {
            (sample.name + sample.labels.get("le", ""), sample.labels["worker"]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def workers(tmp_path: Path) -> tuple[Worker, Worker]:
    return Worker(tmp_path, "0"), Worker(tmp_path, "1")


def test_each_worker_tells_the_figures_of_all_apart(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    first.metrics.accepted.inc(3)
    second.metrics.accepted.inc(4)
    second.metrics.in_flight.set_function(lambda: 7.0)
    for each in workers:
        each.leave()
    for each in workers:
        found = each.scrape()
        assert found["turret_events_accepted_total", "0"] == 3
        assert found["turret_events_accepted_total", "1"] == 4
        assert found["turret_requests_in_flight", "1"] == 7


def test_a_histogram_of_each_worker_stays_whole(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    first.metrics.committed(1, 0.002)
    for n_events in (1, 500):
        second.metrics.committed(n_events, 0.002)
    second.leave()
    found = first.scrape()
    for worker, n, events in (("0", 1, 1), ("1", 2, 501)):
        assert found["turret_commit_events_count", worker] == n
        assert found["turret_commit_events_sum", worker] == events
        assert found["turret_commit_events_bucket+Inf", worker] == n
        assert found["turret_commit_events_bucket1.0", worker] == 1


def test_ones_own_figures_are_those_of_now_and_not_those_left(workers: tuple[Worker, Worker]) -> None:
    first, _ = workers
    first.leave()
    first.metrics.accepted.inc()
    assert first.scrape()["turret_events_accepted_total", "0"] == 1


def test_a_worker_that_is_started_again_counts_once(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    second.metrics.accepted.inc(4)
    second.leave()
    again = Worker(second.folder.parent, "1")
    again.metrics.accepted.inc(1)
    again.leave()
    found = {key: value for key, value in first.scrape().items() if key[0] == "turret_events_accepted_total"}
    assert found == {("turret_events_accepted_total", "0"): 0, ("turret_events_accepted_total", "1"): 1}


@pytest.mark.parametrize("file", ["old", "damaged"])
def test_the_figures_of_a_worker_that_is_gone_are_left_out(workers: tuple[Worker, Worker], file: str) -> None:
    first, second = workers
    second.leave()
    left = second.folder / METRICS_FILE
    if file == "old":
        at = time.time() - STALE_S - 1
        os.utime(left, (at, at))
    else:
        left.write_bytes(left.read_bytes()[:100])
    assert {worker for _, worker in first.scrape()} == {"0"}
