"""Fit and label, embeddings given: Turret beside stock BERTopic on the same vectors, in one run.

    python benchmarks/topics.py GOLD.parquet [--explicit] [--runs 3] [--no-stock] [--hdbscan]
        [--many 200000] [--assign 100000]

GOLD has columns text and gold_topic (and gold_explicit). Prints one JSON object: seconds of both, topics found, and the
adjusted Rand index with the labels over all texts. It times the first fit of a process, as a build makes one; with
`--runs N` the median of N fits, where from the second on nothing is compiled. `--hdbscan` fits with
TURRET_CLUSTERS=hdbscan too. `--many N` also times N distinct texts and vectors (each made of two of the set) and the
memory peak of the process up to there; `--assign N` times assigning N vectors to 500 topics.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import time
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score

from turret_pipeline.analysis.labels.names import Embed
from turret_pipeline.analysis.topics.fit import TopicFit, assign_texts, fit_topics
from turret_pipeline.embedder.embed import open_embedder


def frame_of(texts: list[str], vectors: np.ndarray) -> pl.DataFrame:
    """Return the texts as a fit takes them, one message each; vectors: (n_texts, n_dims), unit rows."""
    ids = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
    flat = pl.Series("vector", vectors.astype(np.float32).ravel()).reshape(vectors.shape).cast(pl.List(pl.Float32))
    return pl.DataFrame({"text_id": ids, "text": texts, "vector": flat, "n_messages": np.ones(len(texts), np.int64)})


def read_gold(path: str | Path, *, explicit: bool) -> pl.DataFrame:
    """Return the labelled texts, each once."""
    gold = pl.read_parquet(path).filter(pl.col("gold_topic").is_not_null())
    if explicit and "gold_explicit" in gold.columns:
        gold = gold.filter(pl.col("gold_explicit"))
    return gold.unique("text", keep="first", maintain_order=True)


def between(texts: list[str], vectors: np.ndarray, n: int) -> pl.DataFrame:
    """Return n distinct texts: the beginning of one and the end of a text near it, with a vector between theirs."""
    draw = np.random.default_rng(0)
    frames = []
    for start in range(0, n, 16_384):
        rows = draw.integers(len(texts), size=min(16_384, n - start))
        others = draw.integers(len(texts), size=(len(rows), 40))
        nearest = np.concatenate(
            [
                np.einsum("ijk,ik->ij", vectors[others[part]], vectors[rows[part]]).argmax(axis=1)
                for part in np.array_split(np.arange(len(rows)), 32)
            ]
        )
        ends = others[np.arange(len(rows)), nearest]
        weight = draw.uniform(0.55, 0.95, size=(len(rows), 1)).astype(np.float32)
        drawn = weight * vectors[rows] + (1 - weight) * vectors[ends]
        drawn += 0.015 * draw.normal(size=drawn.shape).astype(np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        said = []
        for number, (row, end) in enumerate(zip(rows, ends, strict=True)):
            one, other = texts[row].split(), texts[end].split()
            said.append(" ".join([*one[: len(one) // 2 + 1], *other[len(other) // 2 :], str(start + number)]))
        frames.append(frame_of(said, drawn))
    return pl.concat(frames)


def figures_of(
    data: pl.DataFrame, truth: list[str], embed: Embed, clusters: str, runs: int = 1
) -> tuple[TopicFit, list[float]]:
    """Return the fit of `data`, and its median seconds, number of topics and adjusted Rand index with the labels."""
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        fit = fit_topics(data, embed=embed, clusters=clusters)
        took.append(time.perf_counter() - start)
    seconds = median(took)
    found = data.select("text_id").join(fit.assignments, on="text_id", how="left", maintain_order="left")["topic_id"]
    ari = float(adjusted_rand_score(truth, found.fill_null("-1").to_list()))
    return fit, [seconds, fit.topics.filter(pl.col("level") == 0).height, ari]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("--explicit", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-stock", action="store_true")
    parser.add_argument("--hdbscan", action="store_true")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--assign", type=int, default=0)
    args = parser.parse_args()

    gold = read_gold(args.gold, explicit=args.explicit)
    texts, truth = gold["text"].to_list(), gold["gold_topic"].to_list()
    embedder = open_embedder(None)
    vectors = embedder.embed(texts)
    data = frame_of(texts, vectors)
    fit_topics(data.head(200), embed=embedder.embed)  # imports and first calls are not what is timed, here or below

    fit, (seconds, n_topics, ari) = figures_of(data, truth, embedder.embed, "graph", args.runs)
    figures: dict[str, float | int] = {"n": len(texts), "turret_s": round(seconds, 2), "turret_k": n_topics}
    figures["turret_ari"] = round(ari, 3)
    if args.hdbscan:
        fit_topics(data.head(200), clusters="hdbscan", embed=embedder.embed)
        _, (hdbscan_s, n_topics, ari) = figures_of(data, truth, embedder.embed, "hdbscan")
        figures |= {"hdbscan_s": round(hdbscan_s, 2), "hdbscan_k": n_topics, "hdbscan_ari": round(ari, 3)}
    if args.many:
        many = between(texts, vectors, args.many)
        start = time.perf_counter()
        found_many = fit_topics(many, embed=embedder.embed).topics.filter(pl.col("level") == 0).height
        figures |= {"many": args.many, "many_s": round(time.perf_counter() - start, 1), "many_k": found_many}
        figures["many_peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if not args.no_stock:
        from bertopic import BERTopic

        BERTopic().fit_transform(texts[:200], vectors[:200])
        took = []
        for _ in range(args.runs):
            start = time.perf_counter()
            stock, _ = BERTopic().fit_transform(texts, vectors)
            took.append(time.perf_counter() - start)
        stock_s = median(took)
        figures |= {
            "stock_s": round(stock_s, 2),
            "ratio": round(stock_s / seconds, 1),
            "stock_k": len(set(stock) - {-1}),
            "stock_ari": round(float(adjusted_rand_score(truth, stock)), 3),
        }
    if args.assign:
        new = between(texts, vectors, args.assign)
        leaves = fit.topics.filter(pl.col("level") == 0)
        topics = pl.concat([leaves] * (500 // leaves.height + 1)).head(500)
        topics = topics.with_columns(pl.Series("topic_id", [f"t_{number}" for number in range(500)]))
        start = time.perf_counter()
        assign_texts(new, topics)
        figures |= {"assign": args.assign, "assign_s": round(time.perf_counter() - start, 2)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
