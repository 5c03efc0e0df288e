"""What is over goes from a lake on S3 too, while the server that reads it runs, and counts stay."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from tests.s3.conftest import Story
from tests.s3.test_oblivion import holding
from turret_pipeline.lake import heads, store
from turret_pipeline.lake.tables import MESSAGES, RETENTION_RULES, TOPIC_DAYS
from turret_pipeline.retention.run import retain
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work


@pytest.mark.long
def test_no_object_holds_a_text_that_is_over_and_answers_count_as_before(story: Story) -> None:
    lake, project = story.lake, story.project.project_id
    (text,) = store.read(lake, MESSAGES, project, "text").sample(1, seed=1)["text"]
    before = (story.read.get("/v1/topics").json()["data"], store.read(lake, TOPIC_DAYS, project))
    assert len(holding(lake, text)) > 2
    row = {"project_id": project, "field": None, "decided_at": dt.datetime.now(dt.UTC), "days": 1, "author": None}
    store.append(lake, RETENTION_RULES, pl.DataFrame([row], schema=RETENTION_RULES.schema))
    retain(Work(heads.look(lake), project), dt.datetime.now(dt.UTC) + dt.timedelta(days=3))
    assert holding(lake, text) == []
    assert not pending_stages(story.lake, None)[project]
    rows = story.read.get("/v1/messages").json()["data"]
    assert rows and {row["text"] for row in rows} == {None}
    topics = story.read.get("/v1/topics").json()["data"]
    assert [(row["topic_id"], row["size"]) for row in topics] == [(row["topic_id"], row["size"]) for row in before[0]]
    assert store.read(story.lake, TOPIC_DAYS, project).equals(before[1])
    story.send("later")
    assert story.turret("build", "--project", project)[0] == 0
