"""The launcher of runs on one machine: Dagster's own, which has the code server of this host start a process a run.

Until that process takes the run's lease, a lease of the daemon stands for it. Without one, a host that is lost in these
seconds would leave a run that looks as if it were about to start, for as long as any start may take.

A run is cancelled through its lease where this host's code server did not start it: Dagster's own launcher would look
on this host for the code server of another. So the UI of any host cancels the runs of all, `turret build` among them.
"""

from __future__ import annotations

import os

from dagster._core.launcher.base import LaunchRunContext
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG

from turret_pipeline.orchestration.leases import Leases, machine


class LeasedLauncher(DefaultRunLauncher):
    """`DefaultRunLauncher` that leaves a lease for each run that it launches; `processes.yaml` names it."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """After this call the run's process has been started."""
        leases = _leases()
        leases.launching(context.dagster_run.run_id)
        try:
            super().launch_run(context)
        except BaseException:
            if leases.database_url is not None:
                leases.drop(context.dagster_run.run_id)
            raise

    def terminate(self, run_id: str) -> bool:
        """Ask the run's process to end, on whichever host it is; return whether it was asked."""
        leases, run = _leases(), self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        where = leases.machine_of(run_id)
        if where is None or (where == machine() and GRPC_INFO_TAG in run.tags):
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run, message=f"Its process is asked to end, on {where.partition(' ')[0]}.")
        return leases.cancel(run_id)


def _leases() -> Leases:
    return Leases(os.environ.get("TURRET_DATABASE_URL"))
