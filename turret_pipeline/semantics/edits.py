"""What people decided about topics and have not taken back: the API shows it, and fits keep to it."""

from __future__ import annotations

import polars as pl


def in_force(edits: pl.DataFrame) -> pl.DataFrame:
    """Return those rows of `TOPIC_EDITS` that count: the latest of each topic and action, unless it takes back."""
    latest = edits.sort("decided_at").unique(["field", "topic_id", "action"], keep="last", maintain_order=True)
    return latest.drop_nulls("value")


def held_topics(decisions: pl.DataFrame) -> list[str]:
    """Return the topics that no fit may end: those that decisions in force are about, and targets of merges; sorted."""
    targets = decisions.filter(pl.col("action") == "merge")["value"]
    return sorted({*decisions["topic_id"], *targets})


def given_labels(decisions: pl.DataFrame) -> list[str]:
    """Return the labels that people gave; sorted."""
    return sorted(decisions.filter(pl.col("action") == "rename")["value"])
