"""The executor of the daemon's runs: Dagster's own that runs all steps in one process, holding a lease on the run."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from turret_pipeline.orchestration.leases import Leases


class LeasedExecutor(InProcessExecutor):
    """Executes a run in this process, which holds the lease on the run meanwhile."""

    def __init__(self, leases: Leases) -> None:
        super().__init__(retries=RetryMode.ENABLED)
        self._leases = leases

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Yield what happens in the run."""
        with self._leases.held(plan_context.run_id):
            yield from super().execute(plan_context, execution_plan)


def leased_executor(leases: Leases) -> dg.ExecutorDefinition:
    """Return the executor, under the name of Dagster's own, so that runs which wait from before find it."""

    @dg.executor(name="in_process")
    def executor(context: dg.InitExecutorContext) -> LeasedExecutor:
        return LeasedExecutor(leases)

    return executor
