"""What the checks say of a table after a run, told to Dagster and, where a check is blocking, to the lake.

Dagster stops what lies downstream of a blocking check that failed, but only within the run: the next one, or a retry,
would find nothing to do in the table, hence nothing to check, and go on. So days that were found wrong are marked so in
the table (`ProjectTable.block`). They are looked at again in every run until they are right, and no run is asked for
over what follows from them (`stages.pending.stopped`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from turret_pipeline.orchestration.batch_run import BatchRun
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.stages.check import Finding, ReceiptDays, wrong_days
from turret_pipeline.stages.stage import Product
from turret_pipeline.stages.work import Work


def check_specs(*products: Product) -> list[dg.AssetCheckSpec]:
    """Return the checks of the tables, as Dagster knows them."""
    return [
        dg.AssetCheckSpec(name, asset=product.table.name, description=check.meaning, blocking=check.blocking)
        for product in products
        for name, check in product.all_checks.items()
    ]


def check_results(
    workshop: Workshop,
    product: Product,
    worked_on: Mapping[str, ReceiptDays],
    say: Callable[[str], None],
    run: BatchRun | None = None,
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the table's checks over the projects' rows, of those days of receipt that were worked on.

    Days that a blocking check found wrong before are looked at too. After the last result the table says which are.
    In a run over many projects a wrong one stops itself alone.
    """
    lake, table, checks = workshop.lake if run is None else run.lake, product.table, product.all_checks
    if run is None and workshop.left.lake is not None:
        lake = workshop.left.lake
    blocked = {project: Work(lake, project).open(table).blocked() for project in worked_on}
    looked_at = {project: _with(days, blocked[project]) for project, days in worked_on.items()}
    suspects = {project for project, days in blocked.items() if days}
    for name, check in checks.items():
        findings: dict[str, Finding] = {}
        for project, days in looked_at.items():
            with contextlib.nullcontext() if run is None else run.failing(project):
                findings[project] = check.find(lake, project, days)
        wrong = {project: finding for project, finding in findings.items() if finding.n_wrong}
        metadata: dict[str, Any] = {
            "looked at": sum(finding.n_seen for finding in findings.values()),
            "wrong": sum(finding.n_wrong for finding in findings.values()),
        }
        if wrong:
            metadata["for example"] = "; ".join(f"{project}: {finding.example}" for project, finding in wrong.items())
        if check.blocking:
            suspects |= set(wrong)
            if run is not None:
                for project, finding in wrong.items():
                    run.fail(project, f"{table.name} failed the check {name}: {finding.example}")
        severity = dg.AssetCheckSeverity.ERROR if run is None else dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(
            passed=not wrong, asset_key=table.name, check_name=name, metadata=metadata, severity=severity
        )
    for project in sorted(suspects):
        with workshop.work(project, False, say) as work:
            opened = work.open(table)
            opened.block(wrong_days(opened, checks.values(), looked_at[project]))


def _with(days: ReceiptDays, blocked: Collection[dt.date | None]) -> ReceiptDays:
    return None if days is None or None in blocked else sorted({*days, *(day for day in blocked if day is not None)})
