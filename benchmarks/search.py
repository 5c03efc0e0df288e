"""Search by meaning over generated messages: latency, recall and memory, beside an exact product in numpy.

    python benchmarks/search.py [--messages 1000000] [--texts 400000] [--questions 40]

Texts are made of common words; their vectors are planted: 2,000 themes of the model's 384 dimensions, with noise.
Prints one JSON object. `latency`: the engine's whole way in one process (embed the query, compare it with every
text, find the messages), each question new; `cpu` is the processor's time of the same, which other work on
the machine disturbs less. `numpy`: the float32 product with all vectors, held in memory, and its ten largest, alone.
`recall_at_10`: share of the exact ten most similar texts that the search has among its ten. `rss_mb`: of the process.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from turret_api.read.engine.engine import Engine
from turret_api.read.engine.library import Library
from turret_api.read.questions import search
from turret_api.read.views.filters import Filters
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.embedder.kept import write_model
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_TYPES, MESSAGES
from turret_pipeline.semantics.vectors import pack, quantize

WORDS = [
    *("order", "parcel", "refund", "card", "password", "account", "login", "delivery", "address", "invoice", "price"),
    *("hotel", "flight", "booking", "train", "ticket", "recipe", "soup", "bread", "code", "python", "error", "file"),
    *("report", "email", "letter", "poem", "story", "song", "please", "how", "what", "where", "when", "why", "can"),
    *("could", "help", "find", "make", "write", "show", "tell", "change", "cancel", "track", "pay", "send", "need"),
]
DAYS, FILE_TEXTS, N_DIMS = 60, 50_000, 384


def make_vectors(random: np.random.Generator, n_texts: int) -> np.ndarray:
    """Return unit vectors: float32 of shape (n_texts, N_DIMS)."""
    themes = random.normal(size=(2000, N_DIMS)).astype(np.float32)
    vectors = themes[random.integers(len(themes), size=n_texts)]
    vectors += 0.8 * random.standard_normal(size=vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def write_tables(lake: Lake, key: str, vectors: np.ndarray, n_messages: int, random: np.random.Generator) -> None:
    """After this call the lake holds messages, and their texts' vectors, of the project `bench`."""
    n_texts, project = len(vectors), pl.lit("bench")
    words = random.integers(len(WORDS), size=(n_texts, 9))
    texts = pl.Series([f"{' '.join(WORDS[word] for word in row)} {place}" for place, row in enumerate(words)])
    ids = pl.Series([f"{place * 0x9E3779B97F4A7C15 % (1 << 64):016x}{place:016x}" for place in range(n_texts)])
    for start in range(0, n_texts, FILE_TEXTS):
        part = slice(start, start + FILE_TEXTS)
        rows = pl.DataFrame({"text_id": ids[part], "text": texts[part], "quantized": pack(quantize(vectors[part]))})
        rows = rows.with_columns(
            project_id=project, model=pl.lit(key), vector=pl.Series(vectors[part]).cast(EMBEDDINGS.schema["vector"])
        )
        store.append(lake, EMBEDDINGS, rows.select(EMBEDDINGS.schema.names()))
    for day in range(DAYS):
        n = n_messages // DAYS
        text = random.integers(n_texts, size=n)
        number = pl.int_range(day * n, day * n + n, eager=True)
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)
        rows = pl.DataFrame({"text_id": ids.gather(text), "text": texts.gather(text), "seq": number})
        rows = rows.with_columns(
            project_id=project,
            received_date=pl.lit(at.date()),
            field=pl.lit("prompt"),
            event_id=pl.format("evt_{}", "seq"),
            session_id=pl.format("s_{}", pl.col("seq") // 5),
            user_id=pl.format("u_{}", pl.col("seq") // 20),
            name=pl.lit("user_prompt"),
            timestamp=pl.lit(at).dt.cast_time_unit("us") + pl.duration(milliseconds=pl.col("seq") % 86_400_000),
        ).with_columns(received_at=pl.col("timestamp"))
        store.append(lake, MESSAGES, rows.select(MESSAGES.schema.names()).cast(MESSAGES.schema))
    fields = {"project_id": "bench", "field": "prompt", "type": "text", "detected_type": "text", "overridden": False}
    fields |= {"confidence": 1.0, "reason": "", "n_events": n_messages, "n_null": 0, "n_distinct": n_texts}
    declared = {column.name: column for column in FIELD_TYPES.columns}
    empty = {pl.String: "", pl.Date: dt.date(2026, 1, 1)}
    row = {name: fields.get(name, None if each.nullable else empty.get(each.dtype)) for name, each in declared.items()}
    store.append(lake, FIELD_TYPES, pl.DataFrame([row], schema=FIELD_TYPES.schema))


def measure(lake: Lake, vectors: np.ndarray, n_questions: int, random: np.random.Generator) -> dict[str, object]:
    """Return the figures of questions to the engine, and of the comparison alone."""
    engine = Engine(lake)
    figures: dict[str, object] = {}
    before = psutil.Process().memory_info().rss

    def ask(filters: Filters, limit: int) -> float:
        words = " ".join(WORDS[word] for word in random.integers(len(WORDS), size=6))
        start = time.perf_counter()
        answer = engine.ask("bench", search.SimilarMessages(filters=filters, q=words, limit=limit)).content
        assert answer is not None and b'"event_id"' in answer, answer
        return (time.perf_counter() - start) * 1000

    everything = Filters()
    a_day = Filters(dt.datetime(2026, 1, 30, tzinfo=dt.UTC), dt.datetime(2026, 1, 31, tzinfo=dt.UTC))
    figures["first_question_ms"] = round(ask(everything, 50))
    for name, filters, limit in (
        ("latency", everything, 50),
        ("latency_of_a_day", a_day, 50),
        ("latency_page_of_1000", everything, 1000),
    ):
        cpu = time.process_time()
        taken = [ask(filters, limit) for _ in range(n_questions)]
        figures[f"{name}_median_ms"] = round(float(np.median(taken)))
        figures[f"{name}_p99_ms"] = round(float(np.percentile(taken, 99)))
        figures[f"{name}_cpu_ms"] = round((time.process_time() - cpu) * 1000 / n_questions)
    figures["rss_mb"] = round(psutil.Process().memory_info().rss / 2**20)
    figures["rss_grown_mb"] = round((psutil.Process().memory_info().rss - before) / 2**20)
    return figures | compare(engine.library, vectors, n_questions, random)


def compare(library: Library, vectors: np.ndarray, n_questions: int, random: np.random.Generator) -> dict[str, object]:
    """Return recall and the time of both ways of comparing, for queries near some of the texts."""
    files = [
        each
        for name in library.snapshot("bench").files(EMBEDDINGS)
        for each in search._file_vectors(library.snapshot("bench"), name)
    ]
    queries = vectors[random.integers(len(vectors), size=n_questions)]
    queries = queries + 0.02 * random.standard_normal(size=queries.shape, dtype=np.float32)
    same, numpy_ms, numpy_cpu, ours_ms, ours_cpu = 0, [], [], [], []
    for query in queries:
        start, cpu = time.perf_counter(), time.process_time()
        products = vectors @ query
        exact = np.argpartition(-products, 10)[:10]
        numpy_ms.append((time.perf_counter() - start) * 1000)
        numpy_cpu.append((time.process_time() - cpu) * 1000)
        start, cpu = time.perf_counter(), time.process_time()
        ranked = search.rank(files, query)
        nearest = ranked.top_k(10, by="score")
        ours_ms.append((time.perf_counter() - start) * 1000)
        ours_cpu.append((time.process_time() - cpu) * 1000)
        same += len(set(exact.tolist()) & {int(text_id[16:], 16) for text_id in nearest["text_id"]})
    return {
        "recall_at_10": round(same / 10 / n_questions, 3),
        "compare_median_ms": round(float(np.median(ours_ms)), 1),
        "compare_cpu_ms": round(float(np.median(ours_cpu)), 1),
        "numpy_median_ms": round(float(np.median(numpy_ms)), 1),
        "numpy_cpu_ms": round(float(np.median(numpy_cpu)), 1),
        "numpy_vectors_mb": round(vectors.nbytes / 2**20),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--texts", type=int, default=400_000)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--lake", help="folder to make the tables in and keep; one made earlier is used again")
    options = parser.parse_args()
    random = np.random.default_rng(3)
    vectors = make_vectors(random, options.texts)
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        lake = Lake(options.lake or folder)
        if not Path(lake.table(FIELD_TYPES.name)).exists():
            embedder = open_embedder(None)
            assert embedder.converted is not None
            write_model(lake, embedder.key, embedder.converted)
            write_tables(lake, embedder.key, vectors, options.messages, random)
            del embedder
        figures = measure(lake, vectors, options.questions, random)
    print(json.dumps({"n_messages": options.messages, "n_texts": options.texts, **figures}))


if __name__ == "__main__":
    main()
