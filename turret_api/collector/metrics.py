"""What the collector counts, for Prometheus. One registry a process; the state of spools is read when asked for."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_EVENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Metrics:
    """The collector's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        given: dict[str, Any] = {"registry": self.registry}
        self.accepted = Counter("turret_events_accepted", "Events stored and acknowledged", **given)
        self.duplicates = Counter("turret_events_duplicate", "Events acknowledged that were stored before", **given)
        self.refused = Counter("turret_events_refused", "Events refused, by code", ["code"], **given)
        self.spans_left_out = Counter(
            "turret_spans_left_out",
            "Spans and log records taken that are no event: no call of a model, no text",
            **given,
        )
        self.commit_seconds = Histogram(
            "turret_commit_seconds", "Time of one commit to the spool, fsync included", buckets=_SECONDS, **given
        )
        self.commit_events = Histogram("turret_commit_events", "Events in one commit", buckets=_EVENTS, **given)
        self.roll_seconds = Histogram("turret_roll_seconds", "Time to write one range to the lake", **given)
        self.roll_failures = Counter("turret_roll_failures", "Rolls that failed and are tried again", **given)
        self.roll_lag = Gauge("turret_roll_lag_seconds", "Age of the oldest event that is not in the lake", **given)
        self.spool_rows = Gauge("turret_spool_rows", "Events in the spool", **given)
        self.spool_bytes = Gauge("turret_spool_bytes", "Bytes of events in the spool", **given)
        self.disk_free = Gauge("turret_disk_free_bytes", "Free bytes, by place", ["place"], **given)
        self.in_flight = Gauge("turret_requests_in_flight", "Requests being taken", **given)
        self.in_flight_bytes = Gauge("turret_request_bytes_in_flight", "Bytes of requests being taken", **given)

    def committed(self, n_events: int, seconds: float) -> None:
        """Count one commit."""
        self.commit_seconds.observe(seconds)
        self.commit_events.observe(n_events)
