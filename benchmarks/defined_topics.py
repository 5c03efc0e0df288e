"""Topics that people define by examples: what they take, beside what people labelled, and what is stated of them.

    python benchmarks/defined_topics.py GOLD.parquet [--examples 5] [--topics 20] [--seeds 1] [--counter 0]

GOLD has columns text and gold_topic (and gold_explicit: rows of other turns are around, but are not judged). Topics are
found over all texts as a build does. Then random labels are defined, each by random examples of it (`--counter N`: and
then again with the first N wrong texts of the preview as counter-examples). Prints one JSON object: means over the
definitions of precision, recall and their F1 beside those of the best found topic for the label, and how the stated
precision meets the true one: its bias, its mean distance, its correlation, and the share of intervals that hold it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import numpy as np
import polars as pl
from topics import frame_of

from turret_pipeline.analysis.topics.fit import fit_topics, unit_matrix
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.semantics.defined_precision import stated_precision
from turret_pipeline.semantics.defined_topics import Rule, sample_members, surroundings, unit_rows
from turret_pipeline.semantics.vectors import quantize

MOST_SHOWN = 20
"""Texts nearest to the border, on its inner side, and in the middle, among which wrong ones are marked."""


class Field:
    """All texts of a set, with the found topics around the definitions."""

    def __init__(self, texts: Sequence[str], vectors: np.ndarray, labels: Sequence[str | None]) -> None:
        data = frame_of(list(texts), vectors)
        fit = fit_topics(data)
        rows = data.select("text_id").join(fit.assignments, on="text_id", how="left", maintain_order="left")
        self.found = rows["topic_id"]
        self.labels = np.array([label or "" for label in labels])
        self.vectors = unit_rows(quantize(unit_matrix(data["vector"])))
        self.around = surroundings(fit.topics)
        self.ids = fit.topics.filter(pl.col("level") == 0).sort("topic_id")["topic_id"]
        place = {name: row for row, name in enumerate(data["text_id"])}
        self.members = [
            self.vectors[[place[name] for name in part["text_id"]]]
            for part in sample_members(rows).partition_by("topic_id", maintain_order=True)
        ]

    def rule(self, examples: np.ndarray, refused: np.ndarray) -> Rule:
        """Return the rule for texts by their numbers."""
        return Rule.of(self.around, self.vectors[examples], self.vectors[refused], self.members)


def judged(field: Field, label: str, examples: np.ndarray, refused: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Return the figures of one definition, and the wrong texts that its preview shows."""
    rule = field.rule(examples, refused)
    margins = rule.margins(field.vectors)
    taken, known = margins >= 1, field.labels != ""
    known[examples] = known[refused] = False
    right = field.labels == label
    hits, n_taken, n_right = (int(each.sum()) for each in (taken & right & known, taken & known, right & known))
    homes = field.found.is_in(field.ids.gather(field.around.holding(rule.examples)).implode()).fill_null(False)
    stated = stated_precision(rule, field.vectors[taken], homes.to_numpy()[taken])
    best = 0.0
    for _, part in pl.DataFrame({"topic": field.found, "right": right, "known": known}).drop_nulls().group_by("topic"):
        both = int((part["right"] & part["known"]).sum())
        best = max(best, 2 * both / max(int(part["known"].sum()) + n_right, 1))
    figures = {
        "precision": hits / n_taken if n_taken else float("nan"),
        "recall": hits / n_right,
        "f1": 2 * hits / (n_taken + n_right),
        "f1_of_best_found": best,
        "stated": stated.estimate if stated.estimate is not None else float("nan"),
        "low": stated.low if stated.low is not None else float("nan"),
        "high": stated.high if stated.high is not None else float("nan"),
    }
    order = np.flatnonzero(taken & known)[np.argsort(margins[taken & known])]
    shown = np.concatenate([order[:MOST_SHOWN], order[::-1][:MOST_SHOWN]])
    return figures, shown[~right[shown]]


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the means of the figures of many definitions, and how stated and true precision meet."""
    table = pl.DataFrame(rows)
    means = {name: table[name].drop_nans().mean() for name in table.columns if name not in ("low", "high")}
    there = table.filter(~pl.col("precision").is_nan(), ~pl.col("stated").is_nan())
    apart = there["stated"] - there["precision"]
    within = (there["low"] <= there["precision"]) & (there["precision"] <= there["high"])
    told = {
        "bias": apart.mean(),
        "mean_distance": apart.abs().mean(),
        "correlation": there.select(pl.corr("stated", "precision")).item(),
        "within_interval": within.mean(),
        "n": there.height,
    }
    return {name: round(float(value), 3) for name, value in (means | told).items()}  # type: ignore[arg-type]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("--examples", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--topics", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--counter", type=int, default=0)
    parser.add_argument("--vectors", help="a file of numpy with the vectors of the distinct texts, in their order")
    args = parser.parse_args()
    rows = pl.read_parquet(args.gold)
    explicit = pl.col("gold_explicit").fill_null(False) if "gold_explicit" in rows.columns else pl.lit(True)
    # A text that is said in several ways counts for the turn that states its topic.
    told = rows.with_columns(gold_topic=pl.when(explicit).then("gold_topic"))
    labels = told.drop_nulls("gold_topic").unique("text", keep="first").select("text", "gold_topic")
    texts = told.select("text").unique(maintain_order=True).join(labels, on="text", how="left", maintain_order="left")
    vectors = np.load(args.vectors) if args.vectors else open_embedder(None).embed(texts["text"].to_list())
    field = Field(texts["text"].to_list(), vectors, texts["gold_topic"].to_list())
    names = sorted(set(field.labels) - {""})
    found: dict[str, dict[str, float]] = {}
    for n_examples in args.examples:
        plain, marked = [], []
        for seed in range(args.seeds):
            draw = np.random.default_rng(seed)
            for label in draw.permutation(names)[: args.topics]:
                examples = draw.choice(np.flatnonzero(field.labels == label), n_examples, replace=False)
                figures, wrong = judged(field, label, examples, np.zeros(0, dtype=np.int64))
                plain.append(figures)
                if args.counter:
                    marked.append(judged(field, label, examples, draw.permutation(wrong)[: args.counter])[0])
        found[f"{n_examples} examples"] = summary(plain)
        if marked:
            found[f"{n_examples} examples, up to {args.counter} counter-examples"] = summary(marked)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
