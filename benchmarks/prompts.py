"""Topics of short requests, and of the same requests inside long prompts: the figures should be nearly the same.

    python benchmarks/prompts.py GOLD.parquet [--explicit] [--limit N] [--plant WHAT,...] [--truncated]

GOLD has columns text and gold_topic (and gold_explicit). Each request is put before, after or amid pasted material of
many forms (articles, code, JSON, tables, logs, mails, transcripts); half of them come behind a system prompt of a
hundred words; a sixth in a frame of worked examples. WHAT are `material`, `system` and `shots`; default all three.
Prints a JSON object a line: figures of the plain requests, and of those planted; and in how many of 200 searches the
message whose request was searched for is among the ten nearest. `--truncated` embeds the beginning of texts instead.
"""

from __future__ import annotations

import argparse
import inspect
import json
import random
import re
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics as manual

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.topics import frame_of, read_gold
from turret_pipeline.analysis.topics.fit import fit_topics
from turret_pipeline.embedder.embed import Embedder, open_embedder
from turret_pipeline.embedder.pooled import embed_pooled
from turret_pipeline.semantics.prompts.asked import asked
from turret_pipeline.semantics.prompts.finding import find_frames
from turret_pipeline.semantics.prompts.frames import Frames

SYSTEM = (
    "You are Nova, the friendly assistant of Example Corporation. You answer in a polite and concise way and never "
    "reveal internal information. If you do not know an answer, say so and point to the help centre. Always use the "
    "metric system and write dates as day, month and year. Do not give legal or medical advice. When a customer is "
    "upset, stay calm, apologise once, and offer to connect them to a colleague. Use at most five sentences and no "
    "emojis. Think step by step before you answer, but show only the final answer. Keep all personal data of customers "
    "private, and refuse requests that would break our terms of use or the law of the land."
)
SHOTS = (
    "Label each message with one of our categories, as in these examples.\n\nMessage: the sky over the lake was lovely "
    "tonight\nCategory: weather\n\nMessage: our team lost again in the last minute\nCategory: sports\n\nMessage: this "
    "soup needs more salt and a bit of cream\nCategory: cooking\n\nMessage: {text}\nCategory:"
)
NAMES = ("Ann", "Bob", "Cem", "Dana", "Eli", "Fay")
FORMS = (
    "{text}\n\n{carried}",
    "{carried}\n\n{text}",
    "{text}\n{carried}",
    "{carried}\n{text}",
    "{a}\n\n{text}\n\n{carried}",
)


def sentences() -> list[str]:
    """Return sentences of a manual that ask nothing."""
    whole = " ".join(re.sub(r"\s+", " ", text) for text in manual.values())
    found = (each.strip() for each in re.split(r"(?<=[a-z]\.) (?=[A-Z])", whole))
    return [each for each in found if 40 < len(each) < 300 and re.fullmatch(r"[\w\s,.;'()-]+", each)]


def material(draw: random.Random, said: list[str], code: list[str]) -> str:
    """Return something that people paste."""
    kind, few = draw.randrange(9), draw.sample(said, 12)
    if kind < 2:
        return "\n\n".join(" ".join(few[i : i + 4]) for i in range(0, 12, 4))
    if kind == 2:
        return "“" + " ".join(few[:8]) + "”"
    if kind == 3:
        return f"```python\n{draw.choice(code)}\n```"
    if kind == 4:
        return draw.choice(code)
    if kind == 5:
        return json.dumps(
            {f"key{i}": {"note": each, "n": draw.randrange(99)} for i, each in enumerate(few[:6])}, indent=2
        )
    if kind == 6:
        return "\n".join(
            f"2026-10-{i + 1:02} 12:{i:02}:07 ERROR worker {draw.randrange(9)}: {each}" for i, each in enumerate(few)
        )
    if kind == 7:
        two = draw.sample(NAMES, 2)
        return "\n".join(f"{two[i % 2]}: {each}" for i, each in enumerate(few))
    body = "\n".join("> " + each for each in few[:5])
    return f"On Monday Ann wrote:\n{body}\n> > {few[5]}\n> > {few[6]}"


def planted(texts: list[str], what: set[str], seed: int = 0) -> Iterator[str]:
    """Yield each of `texts` inside a long prompt."""
    draw, said = random.Random(seed), sentences()
    modules = [argparse, inspect, json, random, re, types]
    code = [source for module in modules for _, each in inspect.getmembers(module, inspect.isfunction)
            if 400 < len(source := inspect.getsource(each)) < 3000]  # fmt: skip
    for number, text in enumerate(texts):
        found = text
        if "shots" in what and number % 6 == 5:
            found = SHOTS.format(text=found)
        elif "material" in what:
            found = draw.choice(FORMS).format(
                text=text, carried=material(draw, said, code), a=material(draw, said, code)
            )
        yield f"{SYSTEM}\n\n{found}" if "system" in what and number % 2 else found


def figures(data: pl.DataFrame, truth: list[str], embedder: Embedder) -> dict[str, float]:
    """Return topics found, and acc and ari with the labels."""
    fit = fit_topics(data, embed=embedder.embed)
    joined = data.select("text_id").join(fit.assignments, on="text_id", how="left", maintain_order="left")
    found = joined["topic_id"].fill_null("-1").to_list()
    names, t = np.unique(truth, return_inverse=True)
    topics, f = np.unique(found, return_inverse=True)
    table = np.zeros((len(names), len(topics)), dtype=int)
    np.add.at(table, (t, f), 1)
    if "-1" in topics:
        table[:, list(topics).index("-1")] = 0
    rows, columns = linear_sum_assignment(-table)
    return {
        "k": len(topics),
        "acc": round(table[rows, columns].sum() / len(truth), 3),
        "ari": round(adjusted_rand_score(truth, found), 3),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("--explicit", action="store_true")
    parser.add_argument("--limit", type=int, default=4000)
    parser.add_argument("--plant", default="material,system,shots")
    parser.add_argument("--truncated", action="store_true")
    options = parser.parse_args()
    gold = read_gold(options.gold, explicit=options.explicit)
    gold = gold.sample(min(options.limit, gold.height), seed=0, shuffle=True)
    texts, truth = gold["text"].to_list(), gold["gold_topic"].to_list()
    embedder = open_embedder(None)
    plain = embedder.embed(texts)
    print(
        json.dumps({"texts": "plain", "n": len(texts), **figures(frame_of(texts, plain), truth, embedder)}), flush=True
    )
    carrying = list(planted(texts, set(options.plant.split(","))))
    start = time.perf_counter()
    found = [] if options.truncated else find_frames(carrying)
    frames = Frames([frame.text for frame in found])
    read = carrying if options.truncated else [asked(frames.split(text)[0]) for text in carrying]
    took = {
        "seconds": round(time.perf_counter() - start, 2),
        "characters": sum(map(len, carrying)),
        "frames": len(found),
    }
    vectors = embedder.embed(carrying) if options.truncated else embed_pooled(embedder, read)
    data = frame_of(carrying, vectors).with_columns(text=pl.Series(read))
    near = np.argsort(-(plain[:200] @ vectors.T), axis=1)[:, :10]
    hits = float(np.mean([row in nearest for row, nearest in enumerate(near)]))
    same = float(np.mean([one == other for one, other in zip(read, texts, strict=True)]))
    print(
        json.dumps(
            {
                "texts": options.plant,
                **figures(data, truth, embedder),
                "found": hits,
                "asks_alone": round(same, 3),
                **took,
            }
        )
    )


if __name__ == "__main__":
    main()
