"""The executor of the daemon's runs: Dagster's own that runs all steps in one process, holding a lease on the run.

Runs over small projects take no place in the pools: a large fit that goes on for minutes would hold them all up. The
queue limits how many there are at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from turret_pipeline.orchestration.batches import SIZE_TAG, SMALL
from turret_pipeline.orchestration.leases import Leases


class LeasedExecutor(InProcessExecutor):
    """Executes a run in this process, which holds the lease on the run meanwhile."""

    def __init__(self, leases: Leases) -> None:
        super().__init__(retries=RetryMode.ENABLED)
        self._leases = leases

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Yield what happens in the run."""
        with self._leases.held(plan_context.run_id):
            if plan_context.dagster_run.tags.get(SIZE_TAG) != SMALL:
                yield from super().execute(plan_context, execution_plan)
                return
            yield from ExecuteRunWithPlanIterable(
                execution_plan=plan_context.execution_plan,
                iterator=_without_pools,
                execution_context_manager=PlanExecutionContextManager(
                    job=plan_context.job,
                    retry_mode=plan_context.retry_mode,
                    execution_plan=plan_context.execution_plan,
                    run_config=plan_context.run_config,
                    dagster_run=plan_context.dagster_run,
                    instance=plan_context.instance,
                    raise_on_error=plan_context.raise_on_error,
                    output_capture=plan_context.output_capture,
                ),
            )


def _without_pools(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    yield from inner_plan_execution_iterator(job_context, execution_plan)


def leased_executor(leases: Leases) -> dg.ExecutorDefinition:
    """Return the executor, under the name of Dagster's own, so that runs which wait from before find it."""

    @dg.executor(name="in_process")
    def executor(context: dg.InitExecutorContext) -> LeasedExecutor:
        return LeasedExecutor(leases)

    return executor
