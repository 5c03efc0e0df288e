"""How much labelled texts move between topics: refits on the same texts, on 10 % more, and with a new theme.

    python benchmarks/topics_stability.py GOLD.parquet [--explicit]

GOLD has columns text and gold_topic (and gold_explicit). The label of middle size is left out of the first fit, which
sees 10 of 11 of the other texts. Prints one JSON object: by refit the share of texts that both fits saw whose topic
changed (0 to 1) and the adjusted Rand index of both; of the planted label's texts, the share in its largest topic, and
whether that topic is new. Then births: how many there are from 10 % more texts, and from noise (texts mixed of three,
and vectors between theirs); and over five labels, each left out and planted among 10 % more texts, the mean share of
the label's texts that are in new topics, and of the texts in new topics that are the label's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score
from topics import frame_of, read_gold

from turret_pipeline.analysis.topics.fit import TopicFit, fit_topics, unit_matrix
from turret_pipeline.embedder.embed import open_embedder


def moved(before: TopicFit, after: TopicFit) -> tuple[float, float]:
    """Return (share of the texts of both whose topic differs, adjusted Rand index of the two)."""
    both = before.assignments.select("text_id", "topic_id").join(after.assignments, on="text_id")
    old, new = both["topic_id"].fill_null("-"), both["topic_id_right"].fill_null("-")
    ari = float(adjusted_rand_score(old.to_list(), new.to_list()))
    return round(float((old != new).mean() or 0.0), 4), round(ari, 4)  # type: ignore[arg-type]


def noise_of(texts: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return n texts of words of three texts each, with vectors between theirs."""
    draw = np.random.default_rng(0)
    rows = draw.integers(texts.height, size=(n, 3))
    vectors = unit_matrix(texts["vector"])
    mixed = vectors[rows].sum(axis=1) + draw.normal(size=(n, vectors.shape[1])) * 0.85 / np.sqrt(vectors.shape[1])
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    words = [" ".join(texts["text"].gather(three)).split() for three in rows]
    said = [" ".join([*draw.permutation(each)[:8], str(number)]) for number, each in enumerate(words)]
    return frame_of(said, mixed)


def main() -> None:
    """Fit, refit in each way, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--explicit", action="store_true")
    args = parser.parse_args()
    gold = read_gold(args.gold, explicit=args.explicit)
    embedder = open_embedder(None)
    data = frame_of(gold["text"].to_list(), embedder.embed(gold["text"].to_list()))
    data = data.with_columns(gold["gold_topic"], late=data["text_id"].str.slice(0, 4).str.to_integer(base=16) % 11 == 0)
    by_size = data.group_by("gold_topic").len().sort("len", "gold_topic")["gold_topic"]
    planted = pl.col("gold_topic") == by_size[len(by_size) // 2]
    first = data.filter(~planted & ~pl.col("late"))
    before = fit_topics(first, embed=embedder.embed)

    def refit(texts: pl.DataFrame, before: TopicFit = before) -> TopicFit:
        known = {"previous_topics": before.topics, "previous_assignments": before.assignments}
        return fit_topics(texts, embed=embedder.embed, **known)

    def born(before: TopicFit, after: TopicFit) -> pl.DataFrame:
        """Return the assignments to topics that are new."""
        return after.assignments.join(before.topics, on="topic_id", how="anti").drop_nulls("topic_id")

    figures: dict[str, float | bool] = {}
    for name, texts in (
        ("same", first),
        ("grown", data.filter(~planted)),
        ("planted", data.filter(planted | ~pl.col("late"))),
    ):
        after = refit(texts)
        figures[f"{name}_changed"], figures[f"{name}_ari"] = moved(before, after)
    own = after.assignments.join(data.filter(planted), on="text_id", how="semi").drop_nulls("topic_id")
    counts = own.group_by("topic_id").len().sort("len", descending=True)
    figures["planted_share"] = round(float(counts["len"][0]) / float(data.filter(planted).height), 3)
    figures["planted_is_new"] = counts["topic_id"][0] not in before.topics["topic_id"].to_list()
    names = ["text_id", "text", "vector", "n_messages"]
    noisy = pl.concat([first.select(names), noise_of(first, 150).select(names)])
    for name, texts in (("grown", data.filter(~planted)), ("noise", noisy)):
        figures[f"{name}_births"] = born(before, refit(texts))["topic_id"].n_unique()
    recall, precision = [], []
    for place in (1, 2, 4, 6, 7):
        label = data.filter(pl.col("gold_topic") == by_size[place * len(by_size) // 8]).select("text_id")
        without = fit_topics(data.filter(~pl.col("late")).join(label, on="text_id", how="anti"), embed=embedder.embed)
        new = born(without, refit(data, without))
        right = new.join(label, on="text_id", how="semi").height
        recall.append(right / label.height)
        precision += [right / new.height] if new.height else []
    figures["born_recall"] = round(sum(recall) / len(recall), 3)
    figures["born_precision"] = round(sum(precision) / max(len(precision), 1), 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
