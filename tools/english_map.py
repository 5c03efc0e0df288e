"""Make `turret_pipeline/embedder/english.npy`: what MiniLM would say of a text, told by its multilingual vector.

    python tools/english_map.py

It is a linear map with an offset (ridge regression), learnt from English phrases of our own, of which either model has
a vector: the English examples of `analysis/kinds/examples.tsv`, and what people say about everyday things
(`english_phrases.toml`). Both lots weigh the same. What came of it, and of other phrases, stands in
`benchmarks/topics.md`. The sha256 that it prints belongs into `multilingual.MAP_SHA256`.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from turret_pipeline.analysis.kinds.examples import phrases
from turret_pipeline.embedder import multilingual
from turret_pipeline.embedder.embed import ENGLISH_MODEL, open_embedder
from turret_pipeline.embedder.universal import UniversalEncoder

RIDGE = 0.1
"""In mean variances of a direction of the multilingual vectors; .03 to .3 do as well."""


def main() -> None:
    """Write the file."""
    examples = phrases().filter(pl.col("language") == "en")["phrase"].unique(maintain_order=True).to_list()
    english, other = open_embedder(ENGLISH_MODEL, bfloat16=False), UniversalEncoder(bfloat16=False)
    lots = [(other.embed(texts), english.embed(texts)) for texts in (examples, everyday())]
    path = Path(multilingual.__file__).with_name("english.npy")
    np.save(path, learn_map(lots).astype(np.float16))
    print(hashlib.sha256(path.read_bytes()).hexdigest())


def everyday() -> list[str]:
    """Return each saying about each thing, each phrase once."""
    told = tomllib.loads(Path(__file__).with_name("english_phrases.toml").read_text(encoding="utf-8"))
    things, sayings = ([" ".join(part.split()) for part in told[name].split(";")] for name in ("things", "sayings"))
    made = (saying.format(noun=thing, bare=bare(thing)) for thing in things for saying in sayings)
    return list(dict.fromkeys(made))


def bare(thing: str) -> str:
    """Return the thing without its article."""
    article, _, rest = thing.partition(" ")
    return rest if article in ("a", "an", "the") else thing


def learn_map(lots: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the map from the first vectors of each lot to its second: (n_dims_from + 1, n_dims_to), last the offset.

    lots: pairs of shape (n_texts, n_dims_from) and (n_texts, n_dims_to), in which all lots weigh the same.
    """
    weights = np.concatenate([np.full(len(given), 1 / len(given) / len(lots)) for given, _ in lots])
    given, told = (np.concatenate(part).astype(np.float64) for part in zip(*lots, strict=True))
    middle, told_middle = weights @ given, weights @ told
    weighed = (given - middle) * weights[:, None]
    covariance = weighed.T @ (given - middle)
    ridge = RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    by = np.linalg.solve(covariance + ridge, weighed.T @ (told - told_middle))
    return np.vstack([by, told_middle - middle @ by])


if __name__ == "__main__":
    main()
