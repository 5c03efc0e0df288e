"""Dagster's daemons as Turret runs them: each rests while there is nothing for it to do.

    sensor       looks when a local lake has changed, something waits or a run is under way, and every `REST_S`
    queue        looks when a run is queued
    monitoring   looks when a run is under way
    retries      look when a run has left an event, and every `REST_S`
    the rest     as Dagster has them: schedules once a minute, backfills twice

A change is seen within a second, which is sooner than Dagster would. A lake on S3 costs one request a look, so there
the sensor looks as often as ever.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from dagster import DagsterInstance
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.controller import DagsterDaemonController, create_daemon_of_type
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, MonitoringDaemon, SensorDaemon
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._grpc import server_watcher
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers
from dagster._utils.log import configure_loggers

from turret_pipeline.orchestration.pulse import Pulse
from turret_pipeline.orchestration.rest import REST_S, Rest
from turret_pipeline.orchestration.server_watch import WATCH_S

LOOK_S = 1.0


class QuietSensors(SensorDaemon):
    """Dagster's, whose loop is `execute_sensor_iteration_loop` with a rest."""

    def __init__(self, settings: Any, rest: Rest) -> None:
        super().__init__(settings)
        self._rest = rest

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
    ) -> DaemonIterator:
        """Look whenever the rest is over, until the daemon ends."""
        futures: dict[str, Any] = {}
        while True:
            if self._rest.is_over(time.monotonic()):
                yield from execute_sensor_iteration(
                    workspace_process_context,
                    self._logger,
                    self._threadpool_executor,
                    self._submit_threadpool_executor,
                    futures,
                    instrument_elapsed=self.instrument_elapsed,
                )
            yield None
            shutdown_event.wait(LOOK_S)


class QuietQueue(QueuedRunCoordinatorDaemon):
    """Dagster's, which looks through the queue when there is one."""

    def __init__(self, interval_s: float, pulse: Pulse) -> None:
        super().__init__(interval_s)
        self._pulse = pulse

    def run_iteration(
        self, workspace_process_context: IWorkspaceProcessContext[Any], fixed_iteration_time: float | None = None
    ) -> DaemonIterator:
        """Launch what may be launched, if anything is queued."""
        if self._pulse.beat().is_queued:
            yield from super().run_iteration(workspace_process_context, fixed_iteration_time)


class QuietMonitoring(MonitoringDaemon):
    """Dagster's, which looks after runs when there are some."""

    def __init__(self, interval_s: float, pulse: Pulse) -> None:
        super().__init__(interval_seconds=interval_s)
        self._pulse = pulse

    def run_iteration(self, workspace_process_context: IWorkspaceProcessContext[Any]) -> DaemonIterator:
        """Look after what is under way, if anything is."""
        if self._pulse.beat().is_under_way:
            yield from super().run_iteration(workspace_process_context)


class QuietRetries(EventLogConsumerDaemon):
    """Dagster's, which reads the events of runs when there are new ones."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__()
        self._pulse = pulse
        self._read_to = -1
        self._read_at = float("-inf")

    def run_iteration(self, workspace_process_context: IWorkspaceProcessContext[Any]) -> DaemonIterator:
        """Start a run again for each that has failed since the last look."""
        last, now = self._pulse.beat().last_event, time.monotonic()
        # Numbers are given out before their events can be seen, so one may come late, behind a greater one.
        if last < 0 or last != self._read_to or now - self._read_at >= REST_S:
            yield from super().run_iteration(workspace_process_context)
            self._read_to, self._read_at = last, now


def quiet_daemons(instance: DagsterInstance, lake: str, pulse: Pulse) -> list[DagsterDaemon[Any]]:
    """Return the daemons that the instance needs."""
    made: dict[str, Any] = {
        SensorDaemon.daemon_type(): lambda: QuietSensors(instance.get_sensor_settings(), Rest(lake, pulse)),
        QueuedRunCoordinatorDaemon.daemon_type(): lambda: QuietQueue(
            instance.run_coordinator.dequeue_interval_seconds,  # type: ignore[attr-defined]
            pulse,
        ),
        MonitoringDaemon.daemon_type(): lambda: QuietMonitoring(instance.run_monitoring_poll_interval_seconds, pulse),
        EventLogConsumerDaemon.daemon_type(): lambda: QuietRetries(pulse),
    }
    return [
        made[each]() if each in made else create_daemon_of_type(each, instance)
        for each in instance.get_required_daemon_types()
    ]


def run(workspace: str, lake: str, database_url: str) -> None:
    """Run the daemons of the instance of DAGSTER_HOME until a signal ends them, as `dagster-daemon run` does.

    Args:
        workspace: file that says where the code server is.
        lake: address of the lake.
        database_url: of the database with Dagster's schema, as SQLAlchemy takes it.
    """
    setup_interrupt_handlers()
    server_watcher.WATCH_INTERVAL = WATCH_S  # type: ignore[assignment]
    with (
        contextlib.suppress(KeyboardInterrupt),
        capture_interrupts(),
        DagsterInstance.get() as instance,
        contextlib.ExitStack() as stack,
    ):
        daemons = [stack.enter_context(each) for each in quiet_daemons(instance, lake, Pulse(database_url))]
        context = stack.enter_context(WorkspaceProcessContext(instance, WorkspaceFileTarget([workspace])))
        configure_loggers(formatter="json")
        stack.enter_context(DagsterDaemonController(context, daemons)).check_daemon_loop()
