"""Running a converted embedding model: where pipeline and API meet without torch.

The pipeline converts a sentence-transformers model once into an OpenVINO graph (see `embedder.convert`); every later
run, and the API when it is asked to search, embeds by the same graph on any host, and opens it in a second instead of
the ten that torch takes. OpenVINO rather than onnxruntime because it computes in bfloat16 on processors that can, and
is then 1.5 times as fast as torch.
"""

from __future__ import annotations

import functools
import os
import queue
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

BATCH_TOKENS = 1024
"""Tokens a batch: what a layer makes of them stays in the cache of a core, which computes a fifth faster than with
8192."""

KEPT_SHAPES = 256
"""Shapes of a batch for which OpenVINO keeps its compiled code; without a bound, memory grows with every new one."""


@dataclass(frozen=True)
class ModelFacts:
    """What a converted model needs beside its files.

    n_dims: length of a vector. max_tokens: a text's tokens past so many are cut off. pad_id: token that fills up.
    prefix: stands before each text (the prompt that some models want). beside: name of the model that runs beside this
    one (`embedder.multilingual`); empty where none does.
    """

    n_dims: int
    max_tokens: int
    pad_id: int
    prefix: str = ""
    beside: str = ""


@dataclass(frozen=True)
class ConvertedModel:
    """A model as files.

    graph: OpenVINO IR, from `input_ids` and `attention_mask` (int64, a row a text) to float32 rows of unit length.
    weights: its constants in float32. tokenizer: `tokenizer.json` of the package tokenizers.
    """

    graph: bytes
    weights: bytes
    tokenizer: bytes
    facts: ModelFacts


class Runner(Protocol):
    """What a model's vectors come from: an `Encoder`, torch, or two models side by side."""

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows, their vectors: float32 of unit length) until every text has had its turn, the longest first."""


class Encoder:
    """A converted model that is ready to run on this machine's processor, for any number of threads.

    A vector's last bits may depend on the processor, and on how many texts it was computed with.
    """

    def __init__(self, model: ConvertedModel, *, bfloat16: bool | None = None, n_threads: int = 0) -> None:
        """Compile it: in bfloat16 or float32 (None: bfloat16 where the processor has it), on `n_threads` (0: all)."""
        from tokenizers import Tokenizer

        self.facts, self.n_dims = model.facts, model.facts.n_dims
        self._tokenizer = Tokenizer.from_str(model.tokenizer.decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(model.facts.max_tokens)
        graph = load_openvino().Core().read_model(model=model.graph, weights=model.weights)
        self._graph = CompiledGraph(graph, bfloat16=bfloat16, n_threads=n_threads)
        self.bfloat16 = self._graph.bfloat16

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows, their vectors: float32 of unit length) until every text has had its turn, the longest first."""
        token_ids = tokenize(self._tokenizer, texts, self.facts.prefix)
        batches = padded_batches(token_ids, self.facts.pad_id, BATCH_TOKENS)
        yield from self._graph.run((rows, {"input_ids": ids, "attention_mask": mask}) for rows, ids, mask in batches)

    def encode(self, text: str) -> np.ndarray:
        """Return the vector of one text: float32 of shape (n_dims,), of unit length."""
        _, vectors = next(self.batches([text]))
        vector: np.ndarray = vectors[0]
        return vector


Batch = tuple[np.ndarray, dict[str, np.ndarray]]
"""Rows, and what a graph is given of them, by input; it may be given more, whose vectors are left out."""


class CompiledGraph:
    """An OpenVINO graph that is ready to run on this processor, for any number of threads.

    Each core takes a batch of its own: cores that share one wait for the slowest of them after every layer.
    """

    def __init__(self, graph: Any, *, bfloat16: bool | None, n_threads: int) -> None:
        """Compile it: in bfloat16 or float32 (None: bfloat16 where the processor has it), on `n_threads` (0: all)."""
        core = load_openvino().Core()
        if bfloat16 is None:
            bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.bfloat16 = bfloat16
        n_streams = n_threads or _n_cores()
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "NUM_STREAMS": str(n_streams),
            "INFERENCE_NUM_THREADS": str(n_streams),
            "CPU_RUNTIME_CACHE_CAPACITY": str(KEPT_SHAPES),
        }
        compiled = core.compile_model(graph, "CPU", settings)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(n_streams):
            self._idle.put(compiled.create_infer_request())
        self._pool = ThreadPoolExecutor(n_streams, "embedding") if n_streams > 1 else None

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows, their vectors: float32) of each batch, in order."""
        if self._pool is None:
            yield from map(self._infer, batches)
        else:
            yield from self._pool.map(self._infer, batches)

    def _infer(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        rows, inputs = batch
        request = self._idle.get()
        try:
            return rows, np.array(request.infer(inputs)[0][: len(rows)], dtype=np.float32)
        finally:
            self._idle.put(request)


def _n_cores() -> int:
    """Return how many cores this process may use, as far as the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tokenize(tokenizer: Any, texts: Sequence[str], prefix: str = "") -> list[list[int]]:
    """Return the token ids of each text, without padding."""
    named = [prefix + text for text in texts] if prefix else list(texts)
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(named)]


def padded_batches(
    token_ids: list[list[int]], pad_id: int, budget: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (rows, ids, mask) until every text has had its turn, the longest first.

    rows: places in `token_ids`. ids and mask: int64 of shape (at least n_rows, n_tokens), of at most `budget` tokens
    unless one text has more; rows past n_rows repeat the last.

    Texts of about the same length go together, so that little is padded. Both sizes are rounded up to few binary
    digits: code is compiled, and memory kept, for each shape that was ever seen.
    """
    lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
    padded = np.array([_round_up(int(length), 4) for length in lengths], dtype=np.int64)
    for n_tokens in sorted(set(padded.tolist()), reverse=True):
        members = np.flatnonzero(padded == n_tokens)
        step = max(1, budget // n_tokens)
        for start in range(0, len(members), step):
            rows = members[start : start + step]
            n_rows = min(step, _round_up(len(rows), 2))
            ids = np.full((n_rows, n_tokens), pad_id, dtype=np.int64)
            mask = np.zeros((n_rows, n_tokens), dtype=np.int64)
            for place in range(n_rows):
                found = token_ids[rows[min(place, len(rows) - 1)]]
                ids[place, : len(found)] = found
                mask[place, : len(found)] = 1
            yield rows, ids, mask


def _round_up(count: int, n_digits: int) -> int:
    """Return the next number with `n_digits` binary digits before its zeros; for 2: 1, 2, 3, 4, 6, 8, 12, 16."""
    step = 1 << max(0, count.bit_length() - n_digits)
    return max(1, -(-count // step) * step)


@functools.cache
def load_openvino() -> Any:
    """Return the module openvino, loaded without the package that would report its use to the makers."""
    # openvino imports openvino_telemetry if it can, which sends without being asked; its stub takes over if it cannot.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
