"""The graph beside that of pm4py, which is AGPL: a part of no product, at hand for this test alone (extra `long`)."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from turret_pipeline.semantics.visits import END, START, journey_edges, visits

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_edges_starts_and_ends_are_those_of_the_directly_follows_graph(seed: int) -> None:
    import pm4py

    random = np.random.default_rng(seed)
    n, topics = 20_000, ["t1", "t2", "t3", "t4", None]
    at = pl.Series(random.permutation(n) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    messages = pl.DataFrame(
        {
            "session_id": [f"s{i}" for i in random.integers(0, 3_000, n)],
            "topic_id": [topics[i] for i in random.integers(0, len(topics), n)],
            "timestamp": at,
            "event_id": [f"e{i}" for i in range(n)],
        }
    )
    seen = visits(messages)
    keys = {"activity_key": "topic_id", "timestamp_key": "started_at"}
    log = pm4py.format_dataframe(seen.to_pandas(), case_id="session_id", **keys)
    graph, starts, ends = pm4py.discover_dfg(log, case_id_key="session_id", **keys)
    expected = {
        **graph,
        **{(START, topic): count for topic, count in starts.items()},
        **{(topic, END): count for topic, count in ends.items()},
    }
    assert {
        (a, b): count for a, b, count in journey_edges(seen).select("from_topic", "to_topic", "count").rows()
    } == expected
