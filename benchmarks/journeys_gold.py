"""Journeys over our topics beside those of labelled conversations.

    python benchmarks/journeys_gold.py EVENTS.parquet TRANSITIONS.parquet [--vectors VECTORS.npy]

EVENTS has columns session_id, ts, text and gold_topic, TRANSITIONS from_topic, to_topic, count: in each session, turns
without gold skipped and repeats in a row one step, each step to the next. Topics are found by Turret on all texts; each
is then taken for the label that most of its messages carry, and the same is counted. A text without a topic is skipped
as a turn without gold is. Prints one JSON object: cosine of the two counts over all hops, and which of the 20 largest
gold hops are among ours at all, and among our 20 largest. The yardstick is the same with the vectors cut into as many
clusters by k-means. `--vectors` spares the embedding: float32, one row a distinct text, in order of first occurrence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.cluster import KMeans

from turret_pipeline.analysis.topics.fit import fit_topics
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.semantics.visits import END, START, journey_edges, visits

TOP = 20


def hops(events: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return from_topic, to_topic, count of `events`; `topics` (text, topic_id) are taken for their commonest label."""
    said = events.join(topics.drop_nulls(), on="text", how="inner")
    votes = said.drop_nulls("gold_topic").group_by("topic_id", "gold_topic").len()
    label = votes.sort("len", "gold_topic", descending=[True, False]).unique("topic_id", keep="first")
    named = said.drop("gold_topic").join(label.select("topic_id", label="gold_topic"), on="topic_id")
    # Turns without gold are skipped on both sides: of them it is not known where they belong.
    labelled = events.select("event_id", "gold_topic").drop_nulls()
    steps = named.join(labelled, on="event_id", how="semi").select(
        "session_id", pl.col("ts").alias("timestamp"), "event_id", topic_id="label"
    )
    edges = journey_edges(visits(steps)).filter(pl.col("from_topic") != START, pl.col("to_topic") != END)
    return edges.select("from_topic", "to_topic", "count")


def compare(found: pl.DataFrame, gold: pl.DataFrame, prefix: str) -> dict[str, float | int]:
    """Return how near the counts of `found` come to those of `gold`."""
    met = gold.join(found, on=["from_topic", "to_topic"], how="full", coalesce=True, suffix="_ours").fill_null(0)
    theirs, ours = met["count"].to_numpy(), met["count_ours"].to_numpy()
    largest = set(gold.top_k(TOP, by="count").select("from_topic", "to_topic").rows())
    our_largest = set(found.top_k(TOP, by="count").select("from_topic", "to_topic").rows())
    return {
        f"{prefix}_cosine": float(theirs @ ours / (np.linalg.norm(theirs) * np.linalg.norm(ours))),
        f"{prefix}_transitions": int(ours.sum()),
        f"{prefix}_of_{TOP}_found": len(largest & set(found.select("from_topic", "to_topic").rows())),
        f"{prefix}_of_{TOP}_largest": len(largest & our_largest),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events")
    parser.add_argument("transitions")
    parser.add_argument("--vectors", type=Path)
    options = parser.parse_args()
    events = pl.read_parquet(options.events).with_row_index("event_id")
    gold = pl.read_parquet(options.transitions)
    counts = events["text"].value_counts(sort=False)
    texts = events["text"].unique(maintain_order=True)
    vectors = np.load(options.vectors) if options.vectors else open_embedder(None).embed(texts.to_list())
    n_messages = texts.to_frame().join(counts, on="text", how="left", maintain_order="left")["count"].cast(pl.Int64)
    ids = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
    flat = pl.Series(vectors.astype(np.float32).ravel()).reshape(vectors.shape).cast(pl.List(pl.Float32))
    data = pl.DataFrame({"text_id": ids, "text": texts, "vector": flat, "n_messages": n_messages})
    fit = fit_topics(data)
    topics = data.select("text_id", "text").join(fit.assignments, on="text_id").select("text", "topic_id")
    n_topics = fit.topics.filter(pl.col("level") == 0).height
    kmeans = KMeans(n_topics, random_state=0).fit_predict(vectors)
    itself = pl.DataFrame({"text": texts, "topic_id": kmeans.astype(str)})
    figures = {
        "texts": texts.len(),
        "topics": n_topics,
        "messages_without_topic": events.join(topics, on="text")["topic_id"].null_count() / events.height,
        "gold_transitions": int(gold["count"].sum()),
        **compare(hops(events, topics), gold, "turret"),
        **compare(hops(events, itself), gold, "kmeans"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
