"""How well rephrasings are told from new requests: planted in labelled conversations, cosine alone beside it.

    python benchmarks/friction.py DATA [--model MODEL] [--cache FOLDER] [--learn]

DATA is the folder with sgd_train, taskmaster4, banking77 and xsid_valid as Parquet files (columns text, session_id, ts,
gold_topic, gold_explicit, extra_json, as far as a set has them). Right behind half of the requests that state their
topic another such message with the same label is planted, of another session and the same service if there is one.
banking77 and xsid_valid have no sessions: there one is made of `DRAWN` requests in one language, each of another label.

Each message past its session's first is scored by its surest pair with an earlier one. Prints one JSON object a set:
the area under the curve of planted messages against the real ones (`all`; against those that state their topic,
`stated`; against those that are no moves, `no_moves`), the same with the cosine of the nearest earlier message alone,
and with that of the message before (`cosine_next`), then which share of the planted messages counts as a rephrasing,
and which share of the real ones where none is planted. Of sgd_train only those conversations count that nothing was
learnt from. Last comes the mean of the sets.

`--learn` learns the weights of `semantics.rephrasing`, and prints how each set does with those that the others teach.
There some are planted up to three requests later, or only what stands side by side would count.
`--cache` keeps vectors, kinds and topics of the sets in a folder, or takes them from there.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from kinds import embedded
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.analysis.kinds.texts import for_fit, text_kinds
from turret_pipeline.analysis.topics.fit import assign_texts, fit_topics
from turret_pipeline.embedder.embed import Embedder, open_embedder
from turret_pipeline.semantics.kinds import kinds, least_similarities
from turret_pipeline.semantics.rephrasing import LEAST, WEIGHTS, pairs, strength

SETS = ("sgd_train", "banking77", "xsid_valid", "taskmaster4")
LEARNT_FROM = SETS[:3]
SET_BY_HAND = ("agreed", "objected")
NO_REQUESTS = ("finish_order",)
"""Labels of turns that ask for nothing: "The details are right." """
DRAWN = 6
LATER = 0.15
"""Of the messages planted to learn from, the share that comes up to three requests later."""

Said = tuple[str, str, str, bool, bool]
"""Session, text, label, whether it is planted, whether it states its topic."""


def texts_of(turns: pl.DataFrame, embedder: Embedder) -> pl.DataFrame:
    """Return the distinct texts with vector, kind, topic, `similarity` and `least`, as `as_steps` takes them."""
    texts = embedded(turns["text"].to_list(), embedder)
    told = text_kinds(texts, Examples.of(embedder.embed))
    counted = texts.join(turns.group_by("text").agg(n_messages=pl.len().cast(pl.Int64)), on="text")
    counted = texts.select("text_id").join(counted, on="text_id", maintain_order="left")
    fit = fit_topics(counted.filter(for_fit(told)))
    rest = assign_texts(counted.filter(~for_fit(told)), fit.topics)
    given = pl.concat([each.select("text_id", "topic_id", "similarity") for each in (fit.assignments, rest)])
    found = texts.join(told, on="text_id", maintain_order="left").join(given, on="text_id", how="left")
    least = least_similarities(found.lazy().with_columns(field=pl.lit("text"))).drop("field")
    return found.join(least, on="topic_id", how="left").rename({"topic_id": "text_topic_id"})


def conversations(turns: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the labelled turns in order: `session`, `text`, `gold_topic`, `service`, `states`."""
    service = pl.coalesce(pl.col("extra_json").str.json_path_match("$.service"), pl.lit(""))
    turns = turns.filter(pl.col("gold_topic").is_not_null()).with_columns(service=service)
    if not turns["session_id"].null_count():
        ordered = turns.sort("session_id", "ts", maintain_order=True)
        return ordered.select("text", "gold_topic", "service", session="session_id", states="gold_explicit")
    language = pl.coalesce(pl.col("extra_json").str.json_path_match("$.language"), pl.lit("en"))
    rows, n = [], 0
    for (spoken,), of_language in turns.with_columns(language=language).group_by("language", maintain_order=True):
        left = of_language.sample(fraction=1, shuffle=True, seed=seed).select("text", "gold_topic").rows()
        while len({label for _, label in left}) > DRAWN // 2:
            drawn: dict[str, str] = {}
            rest = []
            for text, label in left:
                if len(drawn) < DRAWN and label not in drawn:
                    drawn[label] = text
                else:
                    rest.append((text, label))
            rows += [(f"{spoken} {n}", text, label, str(spoken), True) for label, text in drawn.items()]
            left, n = rest, n + 1
    return pl.DataFrame(rows, schema=["session", "text", "gold_topic", "service", "states"], orient="row")


def planted(turns: pl.DataFrame, seed: int, later: float = 0.0) -> pl.DataFrame:
    """Return the turns with those planted among them: `session` (a number), `text`, `label`, `planted`, `states`.

    later: share of those that are planted one to three turns later than right behind.
    """
    draw = np.random.default_rng(seed)
    like: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for session, text, label, service in (
        turns.filter("states").select("session", "text", "gold_topic", "service").rows()
    ):
        like[label, service].append((session, text))
        like[label, ""].append((session, text))
    rows: list[Said] = []
    for (session,), of_session in turns.group_by("session", maintain_order=True):
        waiting: list[tuple[int, str, str]] = []
        for place, (text, label, service, states) in enumerate(
            of_session.select("text", "gold_topic", "service", "states").rows()
        ):
            rows.append((str(session), text, label, False, states))
            if states and label not in NO_REQUESTS and draw.random() < 0.5:
                others = [each for each in like[label, service] if each[0] != session and each[1] != text]
                others = others or [each for each in like[label, ""] if each[0] != session and each[1] != text]
                if others:
                    due = place + (int(draw.integers(1, 4)) if draw.random() < later else 0)
                    waiting.append((due, others[int(draw.integers(len(others)))][1], label))
            rows += [(str(session), other, of, True, True) for due, other, of in waiting if due == place]
    found = pl.DataFrame(rows, schema=["session", "text", "label", "planted", "states"], orient="row")
    return found.with_columns(pl.col("session").rle_id())


def as_steps(said: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return what was said as `pairs` takes it."""
    of_text = texts.select("text", "move", "sureness", "weight", "text_topic_id", "similarity", "least").with_row_index(
        "vector"
    )
    steps = said.join(of_text, on="text", how="left", maintain_order="left")
    return steps.with_columns(kinds(steps.with_columns(session_id="session")).alias("kind"))


def surest(steps: pl.DataFrame, judged: pl.DataFrame, score: np.ndarray) -> np.ndarray:
    """Return for each step the highest score of its pairs with earlier ones."""
    found = np.full(steps.height, score.min() - 1.0)
    np.maximum.at(found, judged["later"].to_numpy(), score)
    return found


def against(steps: pl.DataFrame, score: np.ndarray, counted: np.ndarray) -> dict[str, float]:
    """Return the areas under the curve, of the steps that count and are not their sessions' first."""
    session, is_planted = steps["session"].to_numpy(), steps["planted"].to_numpy()
    counted = counted & np.append(False, session[1:] == session[:-1])
    among = {"all": counted, "stated": steps["states"].to_numpy(), "no_moves": steps["move"].is_null().to_numpy()}
    return {
        name: round(float(roc_auc_score(is_planted[counted & rows], score[counted & rows])), 4)
        for name, rows in among.items()
    }


def is_held(name: str, steps: pl.DataFrame) -> np.ndarray:
    """Return whether each step is of a conversation that nothing is learnt from, if half of the set is held so."""
    session = steps["session"].to_numpy()
    return (session % 2 == 1) if name == "sgd_train" else np.ones(session.size, dtype=bool)


def figures_of(name: str, turns: pl.DataFrame, texts: pl.DataFrame, vectors: np.ndarray) -> dict[str, object]:
    """Return the figures of one set."""
    steps = as_steps(planted(turns, seed=0), texts)
    judged, held = pairs(steps, vectors), is_held(name, steps)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    of_text = steps["vector"].to_numpy()
    later, earlier = (of_text[judged[end].to_numpy()] for end in ("later", "earlier"))
    cosine = np.einsum("ij,ij->i", unit[later], unit[earlier])
    sure = surest(steps, judged, judged.select(strength()).to_series().to_numpy())
    counts, is_planted = sure >= LEAST, steps["planted"].to_numpy()
    real = as_steps(planted(turns.with_columns(states=pl.lit(False)), seed=0), texts)
    real_pairs = pairs(real, vectors)
    alone = surest(real, real_pairs, real_pairs.select(strength()).to_series().to_numpy()) >= LEAST
    return {
        "messages": int(held.sum()),
        "planted": int((held & is_planted).sum()),
        "auc": against(steps, sure, held),
        "cosine": against(steps, surest(steps, judged, cosine), held),
        "cosine_next": against(steps, surest(steps, judged, np.where(judged["next"] == 1, cosine, -1)), held),
        "counted_of_planted": round(float(counts[held & is_planted].mean()), 3),
        "counted_of_real": round(float(alone[is_held(name, real)].mean()), 4),
    }


def to_learn_from(name: str, turns: pl.DataFrame, texts: pl.DataFrame, vectors: np.ndarray) -> pl.DataFrame:
    """Return the pairs of one set, with `is_same`: whether the later was planted for the earlier."""
    steps = as_steps(planted(turns, seed=1, later=LATER), texts)
    judged = pairs(steps, vectors)
    label, is_planted, states = (steps[column].to_numpy() for column in ("label", "planted", "states"))
    later, earlier = judged["later"].to_numpy(), judged["earlier"].to_numpy()
    alike = is_planted[later] & (label[later] == label[earlier])
    same = alike & states[earlier] & ~is_planted[earlier]
    learnt = ~is_held(name, steps)[later] if name == "sgd_train" else np.ones(later.size, dtype=bool)
    return judged.with_columns(is_same=pl.Series(same)).filter(pl.Series(learnt & (same | ~alike)))


def learnt(sets: Sequence[pl.DataFrame]) -> tuple[dict[str, float], float]:
    """Return weights and bias learnt from the pairs of these sets, which count alike however large they are."""
    names = [name for name in WEIGHTS if name not in SET_BY_HAND]
    size = np.concatenate([np.full(each.height, 1e5 / each.height / len(sets)) for each in sets])
    together = pl.concat(sets)
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(together.select(names).to_numpy(), together["is_same"].to_numpy(), sample_weight=size)
    return dict(zip(names, map(float, model.coef_[0]), strict=True)), float(model.intercept_[0])


def with_those_of_others(pairs_of: Mapping[str, pl.DataFrame], name: str, known: tuple) -> dict[str, float]:
    """Return the areas under the curve of the set `name` with the weights that the other sets teach."""
    weights, _ = learnt([judged for other, judged in pairs_of.items() if other != name])
    turns, texts, vectors = known
    steps = as_steps(planted(turns, seed=0), texts)
    judged = pairs(steps, vectors)
    score = judged.select(pl.sum_horizontal(pl.col(each) * weight for each, weight in weights.items())).to_series()
    return against(steps, surest(steps, judged, score.to_numpy()), is_held(name, steps))


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--learn", action="store_true")
    args = parser.parse_args()
    known, opened = {}, None
    for name in SETS:
        turns = pl.read_parquet(args.data / f"{name}.parquet")
        kept = args.cache and args.cache / f"{name}-texts.parquet"
        if kept and kept.exists():
            texts = pl.read_parquet(kept)
        else:
            opened = opened or open_embedder(args.model)
            texts = texts_of(turns, opened)
            if kept:
                texts.write_parquet(kept)
        vectors = texts["vector"].list.to_array(texts["vector"].list.len()[0]).to_numpy().astype(np.float32)
        known[name] = conversations(turns, seed=0), texts.drop("vector"), vectors
    if args.learn:
        pairs_of = {name: to_learn_from(name, *known[name]) for name in LEARNT_FROM}
        weights, bias = learnt(list(pairs_of.values()))
        print(
            json.dumps(
                {"weights": {name: round(weight, 2) for name, weight in weights.items()}, "bias": round(bias, 2)}
            )
        )
        for name in SETS:
            print(json.dumps({"set": name, "by_others": with_those_of_others(pairs_of, name, known[name])}))
    found = {name: figures_of(name, *known[name]) for name in SETS}
    for name, figures in found.items():
        print(json.dumps({"set": name, **figures}))
    mean = {
        way: float(np.mean([figures[way]["all"] for figures in found.values()]))
        for way in ("auc", "cosine", "cosine_next")
    }  # type: ignore[index]
    print(json.dumps({"mean": {way: round(value, 4) for way, value in mean.items()}}))


if __name__ == "__main__":
    main()
