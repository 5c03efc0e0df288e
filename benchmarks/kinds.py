"""How well moves of a conversation and follow-ups are told, on labelled sets.

    python benchmarks/kinds.py DATA [--model MODEL] [--held tests/cases/kinds.tsv] [--orders 3]

DATA is the folder with sgd_train, taskmaster4, banking77, xsid_valid and arena_hard as Parquet files (columns text,
session_id, ts, gold_topic, gold_explicit, extra_json, as far as a set has them). Prints one JSON object a measure:

- moves: precision, recall and F1 over the messages of sgd_train, by its dialogue acts: THANK_YOU, AFFIRM, NEGATE and
  NEGATE_INTENT are moves, INFORM, INFORM_INTENT, REQUEST and REQUEST_ALTS are none. SELECT and AFFIRM_INTENT are left
  out: some of them only say yes, others what to buy;
- kinds: by act, the share of the kinds given;
- requests: the share of the other sets' texts that is taken for a move, or for slight;
- held: F1 on phrases in 30 languages that are no examples, and the share of moves with the right name;
- context: for some orders of the rows, the share of turns with their gold topic, with and without context: of those
  that do not state it ("implied") and of those that do ("stated"). A topic counts as the label that most of its turns
  that state their topic have. A move counts as part of the visit before it. And how many of the turns that state their
  topic are called a follow-up, and a move;
- sample: the same of the sample that `turret demo` tracks, whose messages all state their topic; those whose planted
  topic is to say goodbye are left out.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from turret_api.command.sample import FIELD, make_sample
from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.analysis.kinds.texts import for_fit, text_kinds
from turret_pipeline.analysis.topics.fit import assign_texts, fit_topics
from turret_pipeline.embedder.embed import Embedder, open_embedder
from turret_pipeline.semantics.kinds import (
    FOLLOW_UP,
    MOVES,
    REQUEST,
    SLIGHT,
    kinds,
    least_similarities,
    topics_in_context,
)

ARE_MOVES = ("THANK_YOU", "AFFIRM", "NEGATE", "NEGATE_INTENT")
ARE_NONE = ("INFORM", "INFORM_INTENT", "REQUEST", "REQUEST_ALTS")
OTHERS = ("taskmaster4", "banking77", "xsid_valid", "arena_hard")


def embedded(texts: Sequence[str], embedder: Embedder) -> pl.DataFrame:
    """Return the distinct texts as `text_kinds` takes them."""
    distinct = list(dict.fromkeys(texts))
    vectors = embedder.embed(distinct)
    flat = pl.Series("vector", vectors.ravel()).reshape(vectors.shape).cast(pl.List(pl.Float32))
    return pl.DataFrame({"text_id": _ids(distinct, 0), "text": distinct, "vector": flat})


def f1(found: pl.Series, true: pl.Series) -> dict[str, float]:
    """Return precision, recall and F1 of `found` (Boolean), rounded."""
    both = int((found & true).sum())
    figures = {
        "precision": both / found.sum(),
        "recall": both / true.sum(),
        "f1": 2 * both / (found.sum() + true.sum()),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def in_context(turns: pl.DataFrame, texts: pl.DataFrame, told: pl.DataFrame, order: int) -> dict[str, object]:
    """Return the figures of one fit of the requests, whose rows come in an order of their own."""
    ids = pl.Series("text_id", _ids(texts["text"].to_list(), order))
    texts, told = texts.with_columns(ids), told.with_columns(ids)
    counted = texts.join(
        turns.group_by("text").agg(n_messages=pl.len().cast(pl.Int64)), on="text", maintain_order="left"
    )
    fit = fit_topics(counted.filter(for_fit(told)))
    rest = assign_texts(counted.filter(~for_fit(told)), fit.topics)
    given = pl.concat([fit.assignments, rest.select(fit.assignments.columns)]).select(
        "text_id", "topic_id", "similarity"
    )
    of_text = texts.select("text", "text_id").join(told, on="text_id").join(given, on="text_id", how="left")
    least = least_similarities(of_text.lazy().with_columns(field=pl.lit("text"))).drop("field")
    of_text = of_text.join(least, on="topic_id", how="left")
    steps = turns.join(of_text, on="text", maintain_order="left").sort("session_id", "ts", maintain_order=True)
    steps = steps.with_columns(kinds(steps).alias("kind"))
    context = topics_in_context(steps).alias("context")
    steps = steps.with_columns(context).with_columns(pl.col("context").forward_fill().over("session_id").alias("visit"))
    is_move = pl.col("kind").is_in(MOVES)
    steps = steps.with_columns(pl.when(is_move).then("visit").otherwise("context").alias("context"))
    stated = steps.filter(pl.col("gold_explicit") & pl.col("topic_id").is_not_null())
    label = stated.group_by("topic_id").agg(pl.col("gold_topic").mode().sort().first().alias("label"))
    names = dict(label.iter_rows())
    figures: dict[str, object] = {"order": order, "topics": fit.topics.filter(pl.col("level") == 0).height}
    for name, chosen in (("implied", ~pl.col("gold_explicit")), ("stated", pl.col("gold_explicit"))):
        rows = steps.filter(chosen)
        if rows.is_empty():
            continue
        for how, column in (("alone", "topic_id"), ("in_context", "context")):
            right = rows[column].replace_strict(names, default=None) == rows["gold_topic"]
            figures[f"{name}_{how}"] = round(float(right.fill_null(False).mean() or 0), 4)
    kind = steps.filter("gold_explicit")["kind"]
    figures |= {"stated": kind.len(), "follow_ups": (kind == FOLLOW_UP).sum(), "moves": kind.is_in(MOVES).sum()}
    return figures


def sample() -> pl.DataFrame:
    """Return the messages of the demo's sample, but for goodbyes, as turns of sgd_train are given."""
    said = [message for message in make_sample(dt.datetime(2026, 11, 1, tzinfo=dt.UTC)) if message.topic != "goodbye"]
    rows = [
        (each.event["session_id"], each.event["timestamp"], each.event["metadata"][FIELD], each.topic) for each in said
    ]
    turns = pl.DataFrame(rows, schema=["session_id", "ts", "text", "gold_topic"], orient="row")
    return turns.with_columns(gold_explicit=pl.lit(True))


def _ids(texts: Sequence[str], order: int) -> list[str]:
    return [hashlib.blake2b(f"{order} {text}".encode(), digest_size=16).hexdigest() for text in texts]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--held", type=Path, default=Path("tests/cases/kinds.tsv"))
    parser.add_argument("--orders", type=int, default=3)
    args = parser.parse_args()
    embedder = open_embedder(args.model)
    examples = Examples.of(embedder.embed)

    turns = pl.read_parquet(args.data / "sgd_train.parquet")
    turns = turns.with_columns(act=pl.col("extra_json").str.json_path_match("$.act"))
    texts = embedded(turns["text"].to_list(), embedder)
    told = text_kinds(texts, examples)
    move = turns.join(texts.select("text", told["move"]), on="text", maintain_order="left")["move"]
    judged = turns["act"].is_in([*ARE_MOVES, *ARE_NONE])
    print(json.dumps({"moves": f1(move.filter(judged).is_not_null(), turns["act"].filter(judged).is_in(ARE_MOVES))}))
    for act in (*ARE_MOVES, "SELECT", "AFFIRM_INTENT"):
        counts = move.filter(turns["act"] == act).fill_null(REQUEST).value_counts(normalize=True, sort=True)
        print(json.dumps({"kinds": act, **{kind: round(share, 3) for kind, share in counts.iter_rows()}}))

    for name in OTHERS:
        found = text_kinds(
            embedded(pl.read_parquet(args.data / f"{name}.parquet")["text"].to_list(), embedder), examples
        )
        slight = (found["move"].is_null() & (found["weight"] < SLIGHT)).mean()
        figures = {"texts": found.height, "moves": found["move"].count() / found.height, "slight": slight}
        print(json.dumps({"requests": name, **{key: round(float(value or 0), 4) for key, value in figures.items()}}))

    held = [line.split("\t") for line in args.held.read_text(encoding="utf-8").splitlines()]
    found = text_kinds(embedded([phrase for *_, phrase in held], embedder), examples)
    kind = pl.Series([kind for kind, *_ in held])
    right = (found["move"] == kind).filter(kind != REQUEST).fill_null(False).mean()
    figures = f1(found["move"].is_not_null(), kind != REQUEST)
    print(json.dumps({"held": {**figures, "named_right": round(float(right or 0), 3)}}))

    for order in range(args.orders):
        print(json.dumps({"context": in_context(turns, texts, told, order)}), flush=True)
    turns = sample()
    texts = embedded(turns["text"].to_list(), embedder)
    print(json.dumps({"sample": in_context(turns, texts, text_kinds(texts, examples), 0)}))


if __name__ == "__main__":
    main()
