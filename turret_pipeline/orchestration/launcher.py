"""The launcher of runs on one machine: Dagster's own, which has the code server of this host start a process a run.

Until that process takes the run's lease, a lease of the daemon stands for it. Without one, a host that is lost in these
seconds would leave a run that looks as if it were about to start, for as long as any start may take.
"""

from __future__ import annotations

import os

from dagster._core.launcher.base import LaunchRunContext
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from turret_pipeline.orchestration.leases import Leases


class LeasedLauncher(DefaultRunLauncher):
    """`DefaultRunLauncher` that leaves a lease for each run that it launches; `processes.yaml` names it."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """After this call the run's process has been started."""
        leases = Leases(os.environ.get("TURRET_DATABASE_URL"))
        leases.launching(context.dagster_run.run_id)
        try:
            super().launch_run(context)
        except BaseException:
            if leases.database_url is not None:
                leases.drop(context.dagster_run.run_id)
            raise
