"""Rules on many topics, looked at day after day where nothing changes, hardly ever tell anything."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
import polars as pl
import pytest

from tests.alerts.conftest import DAY, Shop
from turret_api.alerts.look import Looking
from turret_api.alerts.rules import KINDS, Filters
from turret_api.freshness import Freshness
from turret_pipeline.lake.tables import BUILDS

N_STREAMS, N_DAYS, N_TOPICS = 6, 8, 60


@pytest.fixture(scope="module")
def streams() -> Iterator[Any]:
    """The benchmark's streams, in which nothing changes."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    import changes

    yield changes
    sys.path.pop(0)


def walks() -> list[list[str]]:
    draw = np.random.default_rng(2)
    weights = 1 / np.arange(1, N_TOPICS + 1) ** 0.8
    return [
        [f"t{topic:02d}" for topic in draw.choice(N_TOPICS, int(draw.geometric(0.3)), p=weights / weights.sum())]
        for _ in range(600)
    ]


class Until:
    """An engine that answers from those rows of a stream that came by the end of a day."""

    def __init__(self, streams: Any, whole: Any, day: dt.date, lake: Any) -> None:
        frames = {
            name: rows.filter(pl.col("message_date") <= day) if "message_date" in rows.columns else rows
            for name, rows in whole._frames.items()
        }
        at = dt.datetime.combine(day, dt.time(), dt.UTC)
        frames["builds"] = pl.DataFrame([("p", "topics", None, at, "1", 1, 0.1)], schema=BUILDS.schema, orient="row")
        self._snapshot = type(whole)(frames)
        self.library = SimpleNamespace(snapshot=lambda project_id: self._snapshot, lake=lake)

    def ask(self, project_id: str, question: Any) -> Any:
        return SimpleNamespace(content=orjson.dumps(question.answer(self._snapshot)))


@pytest.mark.slow
def test_where_nothing_changes_rules_of_all_kinds_tell_something_on_hardly_any_day(shop: Shop, streams: Any) -> None:
    days_told = 0
    for seed in range(N_STREAMS):
        for rule in shop.store.rules(shop.project_id):
            shop.store.remove_rule(shop.project_id, rule.rule_id)
        for kind, of in KINDS.items():
            if of.findings:
                shop.store.add_rule(shop.project_id, kind, kind, Filters(), None, urgent=False)
        whole = streams.stream(walks(), 100 + seed, per_day=60)
        last = whole._frames["journey_steps"]["message_date"].max()
        for n in range(N_DAYS):
            day = last - (N_DAYS - 1 - n) * DAY
            engine = cast(Any, Until(streams, whole, day, shop.lake))
            looking = Looking(shop.store, shop.book, engine, cast(Freshness, None))
            found = looking.look(shop.project_id, shop.now + n * DAY)
            assert found.problems == []
            days_told += bool(found.new)
    # At one look in twenty, more than 7 of 48 have a probability of 0.5%.
    assert days_told <= 7
