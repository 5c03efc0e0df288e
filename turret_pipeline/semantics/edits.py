"""What people decided about topics and have not taken back: the API shows it, and fits keep to it."""

from __future__ import annotations

import polars as pl


def in_force(edits: pl.DataFrame) -> pl.DataFrame:
    """Return those rows of `TOPIC_EDITS` that count: the latest of each topic and action, unless it takes back."""
    latest = edits.sort("decided_at").unique(["field", "topic_id", "action"], keep="last", maintain_order=True)
    return latest.drop_nulls("value")


def held_topics(edits: pl.DataFrame) -> list[str]:
    """Return the topics that no fit may end: those that edits in force are about, and targets of merges; sorted."""
    targets = edits.filter(pl.col("action") == "merge")["value"]
    return sorted({*edits["topic_id"], *targets})


def labels_given(edits: pl.DataFrame) -> dict[str, str]:
    """Return the labels that people gave in edits in force, by topic or theme."""
    return dict(edits.filter(pl.col("action") == "rename").sort("topic_id").select("topic_id", "value").iter_rows())


def merged_topics(edits: pl.DataFrame) -> dict[str, str]:
    """Return the topics that edits in force merge away, each with the topic that has its messages now."""
    merged = dict(edits.filter(pl.col("action") == "merge").select("topic_id", "value").iter_rows())
    ends = {topic: _end(merged, topic) for topic in merged}
    return {topic: end for topic, end in ends.items() if end != topic}


def _end(merged: dict[str, str], topic: str) -> str:
    """Return the topic at the end of a chain of merges.

    Two people at once may merge topics into each other; of such a ring the topic with the least id keeps the messages.
    """
    way = [topic]
    while (following := merged.get(way[-1])) is not None:
        if following in way:
            return min(way[way.index(following) :])
        way.append(following)
    return way[-1]
