"""Laws of a topic's segments as a viewer sees them: they add up, and nothing of few users follows from them."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_api.read.questions.topics.segments import of_enough
from turret_api.read.views.units import how_many

LEAST = 3
Sent = list[tuple[int, bool, str | None]]
"""Messages: of a user, whether they have the topic, and the field's value."""
sent = st.lists(
    st.tuples(st.integers(0, 7), st.booleans(), st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=60
)


@settings(max_examples=300, deadline=None)
@given(sent)
def test_what_is_listed_and_what_follows_from_its_shares_is_of_enough_users_or_of_none(messages: Sent) -> None:
    steps = pl.DataFrame(messages, schema={"person": pl.Int64, "is_this": pl.Boolean, "value": pl.String}, orient="row")
    segment = of_enough("plan", steps, LEAST, how_many("messages"))
    if segment is None:
        return
    here = [each for each in messages if each[1]]
    listed = {row["value"]: row for row in segment["values"]}
    assert sum(row["size"] for row in listed.values()) + segment["n_rest"] + segment["n_none"] == len(here)
    one = next(iter(listed.values()))
    n_of_value = sum(each[2] == one["value"] for each in messages)  # `/v1/topics?segment.plan=…` tells it
    n_mine, n_all = round(one["size"] / one["share"]), round(n_of_value / one["share_of_all"])
    has_none = [each for each in messages if each[2] is None]
    told_apart = n_mine < len(here) or n_all < len(messages)
    without = has_none if told_apart else []
    assert (n_mine, n_all) == (len(here) - sum(each[1] for each in without), len(messages) - len(without))
    rest = [each for each in messages if each[2] not in listed and each not in without]
    cells = [without, rest, *([each for each in messages if each[2] == value] for value in listed)]
    for cell in cells:
        for side in (True, False):
            assert len({user for user, is_this, _ in cell if is_this == side}) not in range(1, LEAST)
