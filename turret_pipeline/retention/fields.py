"""What is known of fields, without examples of what is gone: `field_totals` and `field_types` follow the profiles."""

from __future__ import annotations

from collections.abc import Collection

import orjson
import polars as pl

from turret_pipeline.analysis.fields.detect import MARKS, TOTALS, add_up, summarise
from turret_pipeline.analysis.fields.evidence import Evidence, merge
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_PROFILES, FIELD_TOTALS, FIELD_TYPES
from turret_pipeline.stages.field_types import DAYS


def rewrite_fields(lake: Lake, project_id: str, without: Collection[str]) -> None:
    """After this call sums and summaries of all fields but those are those of the profiles."""
    profiles = ProjectTable(lake, FIELD_PROFILES, project_id)
    totals, types = (ProjectTable(lake, table, project_id) for table in (FIELD_TOTALS, FIELD_TYPES))
    known, rows = totals.read().sort("field"), types.read().sort("field")
    wanted = set(rows["field"]).difference(without)
    is_wanted = pl.col("field").is_in(sorted(wanted))
    days = profiles.days()
    summed = days[: totals.mark(DAYS) or 0]
    sums = pl.DataFrame(schema=TOTALS)
    for day in summed:  # one day in memory at a time
        of_day = profiles.scan().filter(pl.col("received_date") == day, is_wanted).select("field", "evidence").collect()
        sums = add_up(sums, of_day)
    others = known.filter(~is_wanted | ~pl.col("field").is_in(sums["field"].implode()))
    after = pl.concat([others, sums.with_columns(project_id=pl.lit(project_id)).select(known.columns)]).sort("field")
    if not after.equals(known):
        totals.rewrite(after)
    left = [day for day in days if day not in set(summed)]
    newest = (
        profiles.scan().filter(pl.col("received_date").is_in(left), is_wanted).select("field", "evidence").collect()
    )
    evidence: dict[str, list[str]] = {}
    for field, seen in pl.concat([sums.select("field", "evidence"), newest]).iter_rows():
        evidence.setdefault(field, []).append(seen)
    told = [_told(row, evidence[row["field"]]) if row["field"] in evidence else row for row in rows.to_dicts()]
    types_after = pl.DataFrame(told, schema=rows.schema)
    if not types_after.equals(rows):
        types.rewrite(types_after)


def _told(row: dict[str, object], evidence: Collection[str]) -> dict[str, object]:
    """Return a field's row of `FIELD_TYPES` with the summary of this evidence."""
    whole, before = merge(Evidence.from_json(each) for each in evidence), orjson.loads(str(row["summary"]))
    summary = summarise(str(row["type"]), whole) | {mark: before[mark] for mark in MARKS if mark in before}
    return row | {"summary": orjson.dumps(summary).decode(), "n_distinct": whole.n_distinct}
