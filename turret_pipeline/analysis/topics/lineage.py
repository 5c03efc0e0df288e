"""What a refit did to the topics: which carried on, were born, ended, split or merged, and how many messages moved."""

from __future__ import annotations

import polars as pl

MOST = 0.5
"""Share of a topic's texts past which they say where it came from, or what it became."""

PART = 0.1
"""Share of a topic's texts below which a move to a new topic is not called a split."""

LINEAGE = pl.Schema(
    {
        "kind": pl.String(),
        "from_topic": pl.String(),
        "to_topic": pl.String(),
        "n_texts": pl.Int64(),
        "share": pl.Float64(),
    }
)


def lineage(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return one row (`LINEAGE`) for each way that topics took from one fit to the next, in order.

    before, after: text_id, topic_id (null: none) of the field's distinct texts. Texts that are not in both say nothing
    but that a topic has them. Each topic of `before` is in a row of carry, merge or end (an end where no topic has most
    of its texts); each new one in rows of split, from those that lost to it at least `PART` of their texts, if most of
    its texts came from them, or else of birth.
    """
    old, new = _sizes(before), _sizes(after)
    known = before.join(after.select("text_id", to_topic="topic_id"), on="text_id")
    moved = (
        known.drop_nulls(["topic_id", "to_topic"])
        .group_by(from_topic="topic_id", to_topic="to_topic")
        .agg(n_texts=pl.len().cast(pl.Int64))
        .join(old.rename({"topic_id": "from_topic", "size": "of_from"}), on="from_topic")
        .join(new.rename({"topic_id": "to_topic", "size": "of_to"}), on="to_topic")
        .with_columns(share=pl.col("n_texts") / pl.col("of_from"))
    )
    same = pl.col("from_topic") == pl.col("to_topic")
    born = ~pl.col("to_topic").is_in(old["topic_id"].implode())
    gone = ~pl.col("from_topic").is_in(new["topic_id"].implode())
    merged = moved.filter(gone, ~born, pl.col("share") > MOST)
    parts = moved.filter(born, pl.col("share") >= PART)
    told = parts.group_by("to_topic").agg(told=pl.col("n_texts").sum() / pl.col("of_to").first())
    parts = parts.join(told.filter(pl.col("told") > MOST), on="to_topic", how="semi")
    had_none = (
        after.join(before.drop_nulls("topic_id"), on="text_id", how="anti")
        .drop_nulls("topic_id")
        .group_by("topic_id")
        .agg(free=pl.len())
    )
    births = (
        new.join(old, on="topic_id", how="anti")
        .join(parts, left_on="topic_id", right_on="to_topic", how="anti")
        .join(had_none, on="topic_id", how="left")
    )
    ends = old.join(new, on="topic_id", how="anti").join(merged, left_on="topic_id", right_on="from_topic", how="anti")
    carried = old.join(new, on="topic_id", how="semi").join(
        moved.filter(same).select(topic_id="from_topic", n_texts="n_texts", share="share"), on="topic_id", how="left"
    )
    nothing = pl.lit(None, pl.String)
    rows = [
        carried.select(
            kind=pl.lit("carry"),
            from_topic="topic_id",
            to_topic="topic_id",
            n_texts=pl.col("n_texts").fill_null(0),
            share=pl.col("share").fill_null(0.0),
        ),
        births.select(
            kind=pl.lit("birth"),
            from_topic=nothing,
            to_topic="topic_id",
            n_texts="size",
            share=pl.col("free").fill_null(0) / pl.col("size"),
        ),
        ends.select(kind=pl.lit("end"), from_topic="topic_id", to_topic=nothing, n_texts="size", share=pl.lit(1.0)),
        parts.with_columns(kind=pl.lit("split")).select(LINEAGE.names()),
        merged.with_columns(kind=pl.lit("merge")).select(LINEAGE.names()),
    ]
    return pl.concat([LINEAGE.to_frame(), *rows]).sort("kind", "from_topic", "to_topic")


def stability(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, float | None]:
    """Return `changed`, `ari` and `kept_ids` of two fits, None where no text was known before.

    before: text_id, topic_id. after: the same, with n_messages. As `changed` counts no topic as a topic, a text that
    gets its first one has changed. `ari` is the adjusted Rand index (Hubert and Arabie 1985) over messages.
    """
    both = after.join(before.select("text_id", before="topic_id"), on="text_id").with_columns(
        pl.col("before", "topic_id").fill_null("")
    )
    if both.is_empty():
        return {"changed": None, "ari": None, "kept_ids": None}
    weight = pl.col("n_messages").cast(pl.Float64)
    total = float(both.select(weight.sum()).item())
    changed = float(both.filter(pl.col("before") != pl.col("topic_id")).select(weight.sum()).item())
    old, new = _sizes(before)["topic_id"], _sizes(after)["topic_id"]

    def pairs(*names: str) -> float:
        sizes = both.group_by(names).agg(n=weight.sum())["n"]
        return float((sizes * (sizes - 1)).sum()) / 2

    together, by_chance = pairs("before", "topic_id"), 0.0
    if total > 1:
        by_chance = pairs("before") * pairs("topic_id") / (total * (total - 1) / 2)
    most = (pairs("before") + pairs("topic_id")) / 2
    ari = 1.0 if most == by_chance else (together - by_chance) / (most - by_chance)
    kept = old.is_in(new.implode()).mean() if len(old) else None
    return {"changed": changed / total, "ari": ari, "kept_ids": None if kept is None else float(kept)}  # type: ignore[arg-type]


def _sizes(assignments: pl.DataFrame) -> pl.DataFrame:
    """Return topic_id and size (distinct texts), by topic_id."""
    counted = assignments.drop_nulls("topic_id").group_by("topic_id").agg(size=pl.len().cast(pl.Int64))
    return counted.sort("topic_id")
