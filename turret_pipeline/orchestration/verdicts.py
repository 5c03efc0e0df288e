"""What the checks say of a table after a run, told to Dagster and, where a check is blocking, to the lake.

Dagster stops what lies downstream of a blocking check that failed, but only within the run: the next one, or a retry,
would find nothing to do in the table, hence nothing to check, and go on. So days that were found wrong are marked so in
the table (`ProjectTable.block`). They are looked at again in every run until they are right, and no run is asked for
over what follows from them (`stages.pending.stopped`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from turret_pipeline.lake.tables import TABLES, Table
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.stages.checks import CHECKS, Finding, spoilt
from turret_pipeline.stages.work import Work

Days = Collection[dt.date] | None


def check_specs(*tables: Table) -> list[dg.AssetCheckSpec]:
    """Return the checks that `checks` has for the tables."""
    return [
        dg.AssetCheckSpec(name, asset=table.name, description=check.meaning, blocking=check.blocking)
        for table in tables
        for name, check in CHECKS[table.name].items()
    ]


def check_results(
    workshop: Workshop, name: str, worked_on: Mapping[str, Days], say: Callable[[str], None]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the table's checks over the projects' rows, of those days of receipt that were worked on.

    Days that a blocking check found wrong before are looked at too. After the last result the table says which are.
    """
    lake, table = workshop.lake, TABLES[name]
    blocked = {project: Work(lake, project).open(table).blocked() for project in worked_on}
    looked_at = {project: _with(days, blocked[project]) for project, days in worked_on.items()}
    suspects = {project for project, days in blocked.items() if days}
    for check_name, check in CHECKS[name].items():
        findings: dict[str, Finding] = {p: check.find(lake, p, days) for p, days in looked_at.items()}
        wrong = {project: finding for project, finding in findings.items() if finding.n_wrong}
        metadata: dict[str, Any] = {
            "looked at": sum(finding.n_seen for finding in findings.values()),
            "wrong": sum(finding.n_wrong for finding in findings.values()),
        }
        if wrong:
            metadata["for example"] = "; ".join(f"{project}: {finding.example}" for project, finding in wrong.items())
        if check.blocking:
            suspects |= set(wrong)
        yield dg.AssetCheckResult(passed=not wrong, asset_key=name, check_name=check_name, metadata=metadata)
    for project in sorted(suspects):
        with workshop.work(project, False, say) as work:
            opened = work.open(table)
            opened.block(spoilt(opened, looked_at[project]))


def _with(days: Days, blocked: Collection[dt.date | None]) -> Days:
    return None if days is None or None in blocked else sorted({*days, *(day for day in blocked if day is not None)})
