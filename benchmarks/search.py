"""Search by meaning: recall, time and memory of vectors in memory and on disk, beside an exact product in numpy.

    python benchmarks/search.py [--texts 1000000] [--questions 40] [--vectors REAL.npy]

Vectors are made near real ones (float32, of unit length, a row a text), or else of 2,000 themes of the model's 640
dimensions: a vector plus .1 to .6 of the difference between two others. Queries are real ones that none was made of.
Prints one JSON object. `recall`: share of the exact 50 most similar texts among the 50 that the search finds, ties
that are cut counted against it; `cpu_s`: of a question's comparison, without the model and the messages; `close_s`: of
counting what is close; `among_s`: the same question under a filter that one text in forty passes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.questions import text_vectors
from turret_api.read.questions.nearness import Estimated, Ranked, nearness
from turret_api.read.questions.text_vectors import InMemory, ModelVectors, OnDisk
from turret_pipeline.semantics.vectors import quantize

N_DIMS, FILE_TEXTS, NEAREST = 640, 50_000, 50


def themes(random: np.random.Generator) -> np.ndarray:
    """Return vectors of 2,000 themes: float32 of shape (20,000, N_DIMS), rows of unit length."""
    centres = random.standard_normal((2000, N_DIMS)) + random.standard_normal(N_DIMS)
    vectors = centres[random.integers(2000, size=20_000)] + 0.8 * random.standard_normal((20_000, N_DIMS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_file(random: np.random.Generator, real: np.ndarray, first: int, n: int) -> InMemory:
    """Return `n` texts from number `first` on, with vectors near `real` ones."""
    one, other, third = (real[random.integers(len(real), size=n)] for _ in range(3))
    share = random.uniform(0.1, 0.6, size=(n, 1)).astype(np.float32)
    ids = pl.Series("text_id", [f"{number:032x}" for number in range(first, first + n)])
    return InMemory("made", ids, quantize(one + share * (other - third)))


def cpu_s(compute: Callable[[], object]) -> float:
    """Return the processor's seconds of a call."""
    started = time.process_time()
    compute()
    return time.process_time() - started


def measure(files: list[InMemory] | list[OnDisk], queries: np.ndarray, exact: list[set[str]]) -> dict[str, float]:
    """Return the figures of one way to keep vectors. exact: the nearest texts to each query; none: these are found."""
    vectors = ModelVectors(cast(Snapshot, None), "made", files)
    ids = pl.concat([each.text_ids for each in files])
    among = ids.gather_every(40)
    seconds: dict[str, list[float]] = {"cpu_s": [], "close_s": [], "among_s": []}
    recalls, is_first = [], not exact
    for number, query in enumerate(queries):
        found: list[Ranked | Estimated] = []
        seconds["cpu_s"].append(
            cpu_s(lambda: found.append(nearness(vectors, query)) or found[0].nearest(found[0].first_texts, None))  # noqa: B023
        )
        near = found[0]
        best = near.nearest(near.first_texts, None)[0].sort("score", "text_id", descending=True).head(NEAREST)
        if is_first:
            exact.append(set(best["text_id"]))
        recalls.append(len(exact[number].intersection(best["text_id"])) / NEAREST)
        seconds["close_s"].append(cpu_s(near.close))
        seconds["among_s"].append(cpu_s(lambda: near.nearest(near.first_texts, None, among)))  # noqa: B023
    shown = {name: round(float(np.median(each)), 4) for name, each in seconds.items()}
    return shown | {
        "recall": round(float(np.mean(recalls)), 4),
        "bytes_a_text": round(sum(each.size_bytes for each in files) / len(ids), 1),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--vectors", type=Path, help="real vectors, as numpy saves them")
    options = parser.parse_args()
    random = np.random.default_rng(3)
    real = random.permutation(np.load(options.vectors) if options.vectors else themes(random))
    queries, real = real[: options.questions], real[options.questions :]
    starts = range(0, options.texts, FILE_TEXTS)
    in_memory = [make_file(random, real, start, min(FILE_TEXTS, options.texts - start)) for start in starts]
    exact: list[set[str]] = []
    figures: dict[str, object] = {"n_texts": options.texts, "in_memory": measure(in_memory, queries, exact)}
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        text_vectors.keep_at_most(1 << 40, Path(folder))
        on_disk = [text_vectors.put_on_disk(each) for each in in_memory]
        figures["on_disk"] = measure(on_disk, queries, exact)
        del on_disk
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
