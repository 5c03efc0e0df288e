"""The SQL of what changed counts what is tested, kind by kind, under filters, levels and edits."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.duck import Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_totals
from turret_api.read.engine.library import Library
from turret_api.read.questions.changes import kinds, scene
from turret_api.read.questions.changes.scene import CANDIDATES, Scene
from turret_api.read.views.filters import Filters
from turret_api.read.views.windows import whole_days_of
from turret_pipeline.semantics.changes import last_windows

N_DAYS = 5
OF_ROW = [name for name in CANDIDATES.names() if name != "p_value"]
ABOUT = OF_ROW[:6]

ASKED = {
    "all": Filters(),
    "moves too": Filters(kinds="all"),
    "themes": Filters(),
    "a segment": Filters(segments=(("plan", ("pro",)),)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edited", "filters"),
    [("none", "all"), ("none", "moves too"), ("none", "a segment"), ("merged", "themes")],
    indirect=["edited"],
)
def test_all_that_is_tested_is_counted_alike(
    edited: Api, run_sql: Run, filters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kinds, scene):
        monkeypatch.setattr(module, "LEAST_SESSIONS", 1)
    answer, parts = asked_both(edited, run_sql, f"/v1/changes?days={N_DAYS}", FILTERS[filters])
    check_totals(answer, parts["totals"])
    counted = {tuple(row[name] for name in ABOUT): row for row in parts["data"]}
    assert len(counted) == len(parts["data"])
    tested = candidates(edited, filters)
    for row in tested.select(OF_ROW).iter_rows(named=True):
        mine = counted[tuple(row[name] for name in ABOUT)]
        assert {name: mine[name] for name in OF_ROW} == row
    least = {"topic", "topic_of_segment", "sentiment_of_topic", "outcome", "outcome_of_topic"}
    assert set(tested["kind"]) >= (least if filters == "all" else {"topic"})


def candidates(api: Api, filters: str) -> pl.DataFrame:
    snapshot = Library(api.lake).snapshot("shop")
    asked, level = ASKED[filters], FILTERS[filters].get("level", 0)
    days: Any = whole_days_of(snapshot, "prompt", asked)
    windows: Any = last_windows(days, N_DAYS)
    here = Scene(snapshot, "prompt", asked, level, days, *windows)
    return pl.concat(
        [CANDIDATES.to_frame(), *(of_kind(here) for of_kind in kinds.KINDS if of_kind is not kinds.volume)]
    )
