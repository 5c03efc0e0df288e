"""Where topics came from and what they became, and how many messages moved."""

from __future__ import annotations

import polars as pl
import pytest

from turret_pipeline.analysis.topics.drift import drift_reason
from turret_pipeline.analysis.topics.lineage import lineage, stability


def assigned(topics: str, start: int = 0) -> pl.DataFrame:
    """Return one text a letter, whose topic it is; `.` for none."""
    return pl.DataFrame(
        {
            "text_id": [f"x{number}" for number in range(start, start + len(topics))],
            "topic_id": [None if topic == "." else topic for topic in topics],
        },
        schema={"text_id": pl.String, "topic_id": pl.String},
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "aaabb", {("birth", None, "a", 3, 1.0), ("birth", None, "b", 2, 1.0)}),
        ("aaaabbbb", "aaaabbbb", {("carry", "a", "a", 4, 1.0), ("carry", "b", "b", 4, 1.0)}),
        ("aaaa....", "aaaacccc", {("carry", "a", "a", 4, 1.0), ("birth", None, "c", 4, 1.0)}),
        ("aaaabbbb", "aaaaaaa.", {("carry", "a", "a", 4, 1.0), ("merge", "b", "a", 3, 0.75)}),
        ("aaaaaaaa", "aaaaacc.", {("carry", "a", "a", 5, 0.625), ("split", "a", "c", 2, 0.25)}),
        (
            "aaaaaaaa",
            "ccccdddd",
            {("end", "a", None, 8, 1.0), ("split", "a", "c", 4, 0.5), ("split", "a", "d", 4, 0.5)},
        ),
        ("aaaabbbb", "aaaa....", {("carry", "a", "a", 4, 1.0), ("end", "b", None, 4, 1.0)}),
        (
            "aaaabbbb..",
            "aaacbbbccc",
            {("carry", "a", "a", 3, 0.75), ("carry", "b", "b", 3, 0.75), ("birth", None, "c", 4, 0.5)},
        ),
        ("aabb", "....", {("end", "a", None, 2, 1.0), ("end", "b", None, 2, 1.0)}),
    ],
)
def test_every_topic_has_a_way(before: str, after: str, expected: set[tuple[object, ...]]) -> None:
    assert set(lineage(assigned(before), assigned(after)).rows()) == expected


def test_texts_that_only_one_fit_knew_make_neither_births_nor_ends() -> None:
    found = lineage(assigned("aaaabb"), assigned("aabbbb", start=2))
    assert found.rows() == [("carry", "a", "a", 2, 0.5), ("carry", "b", "b", 2, 1.0)]


def test_stability_weighs_texts_by_their_messages_and_agrees_with_the_index_over_messages() -> None:
    # Here, not at the top: scikit-learn takes a second to import.
    from sklearn.metrics import adjusted_rand_score

    before, after, counts = "aaabbb.c", "aabbbbdd", [5, 1, 2, 3, 1, 1, 4, 2]
    found = stability(assigned(before), assigned(after).with_columns(n_messages=pl.Series(counts)))
    spread = [[topics[i] for i, count in enumerate(counts) for _ in range(count)] for topics in (before, after)]
    assert found["changed"] == pytest.approx((2 + 4 + 2) / sum(counts))
    assert found["ari"] == pytest.approx(adjusted_rand_score(*spread))
    assert found["kept_ids"] == pytest.approx(2 / 3)


def test_before_the_first_fit_nothing_can_have_changed() -> None:
    found = stability(assigned(""), assigned("aab").with_columns(n_messages=pl.lit(1)))
    assert found == {"changed": None, "ari": None, "kept_ids": None}


@pytest.mark.parametrize(
    ("n_new", "mean_new", "due"), [(100, 0.40, True), (100, 0.60, False), (100, 0.50, False), (19, 0.1, False)]
)
def test_drift_is_many_new_texts_that_are_clearly_less_like_their_topics(
    n_new: int, mean_new: float, due: bool
) -> None:
    assert (drift_reason(n_new, mean_new, 1000, 0.60, 0.12) is not None) == due
    assert drift_reason(n_new, mean_new, 10_000, 0.60, 0.12) is None
