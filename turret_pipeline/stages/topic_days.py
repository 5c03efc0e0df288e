"""`topic_days`: how often each topic comes up by day, brought up to date a day of receipt after the other."""

from __future__ import annotations

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import FIELD_TYPES, MESSAGES, TOPIC_ASSIGNMENTS, TOPIC_DAYS
from turret_pipeline.semantics.topic_days import topic_days
from turret_pipeline.stages.inputs import TEXT_FIELDS, topic_days_inputs
from turret_pipeline.stages.messages import text_fields
from turret_pipeline.stages.topics_field import fit_marks
from turret_pipeline.stages.work import Outcome, Work

DAYS_AT_ONCE = 30
"""Days whose messages are in memory at once."""


def bring_topic_days(work: Work) -> Outcome:
    """After this call the counts follow from all messages and their topics; one commit.

    New messages are counted by their day of receipt alone: texts that were known before keep their topic until a fit,
    and after a fit all days are counted again.
    """
    outcome = Outcome("topic_days")
    messages, assignments, table = work.open(MESSAGES), work.open(TOPIC_ASSIGNMENTS), work.open(TOPIC_DAYS)
    types = work.open(FIELD_TYPES)
    wanted = topic_days_inputs(messages.state(), assignments.state(), types.mark(TEXT_FIELDS))
    if work.full_refresh or table.inputs() != wanted:
        fields = text_fields(types)
        of_fits = fingerprint(fit_marks(assignments, fields))
        # Days whose texts were not all looked at when they were counted are counted again.
        days = {day: fingerprint(assignments.inputs(day), messages.state(day), of_fits) for day in messages.days()}
        todo = [day for day in days if work.full_refresh or table.inputs(day) != days[day]]
        gone = [day for day in table.days() if day not in days]
        frames = [TOPIC_DAYS.empty()]
        for start in range(0, len(todo), DAYS_AT_ONCE):
            frames.append(_count(work, messages, assignments, todo[start : start + DAYS_AT_ONCE], fields))
            work.tell("topic_days", min(start + DAYS_AT_ONCE, len(todo)), len(todo))
        failpoint.reached("topic_days.after_analysis")
        rows = pl.concat(frames)
        if todo or gone:
            table.replace(rows, [*todo, *gone], inputs=wanted, days={day: days[day] for day in todo})
        outcome.n_rows, outcome.looked_at = rows.height, todo
        failpoint.reached("topic_days.after_commit")
    return outcome.finish(work, table, wanted)


def _count(
    work: Work, messages: ProjectTable, assignments: ProjectTable, days: list, fields: list[str]
) -> pl.DataFrame:
    said = messages.scan().filter(pl.col("received_date").is_in(days), pl.col("field").is_in(fields))
    topics = assignments.scan().select("field", "text_id", "topic_id")
    spoken = said.select("received_date", "field", "text_id", "session_id", "timestamp")
    counted = topic_days(spoken.join(topics, on=["field", "text_id"], how="left"))
    return counted.with_columns(project_id=pl.lit(work.project_id)).select(TOPIC_DAYS.schema.names()).collect()
