"""all-MiniLM-L6-v2 (Wang and others 2020; BERT with six layers) as an OpenVINO graph, put together without torch.

`convert` would give the same graph, after the ten seconds that torch and transformers take to import and to trace it.
The default model is opened in every new home, so its layers are written out here; `tests/embedder` holds them against
sentence-transformers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from turret_pipeline.embedder.runtime import ConvertedModel, ModelFacts, load_openvino

N_DIMS = 384
N_LAYERS = 6
N_HEADS = 12
MAX_TOKENS = 256
PAD_ID = 0
EPSILON = 1e-12
"""Beside the variance, where rows are normalised."""


def minilm(folder: Path) -> ConvertedModel:
    """Return the model of the published files in `folder`: the weights, which are checked already, and the tokenizer.

    Raise `OSError` where a file is missing.
    """
    from safetensors.numpy import load_file

    graph = _graph(load_file(folder / "model.safetensors"))
    facts = ModelFacts(N_DIMS, MAX_TOKENS, PAD_ID)
    tokenizer = (folder / "tokenizer.json").read_bytes()
    with tempfile.TemporaryDirectory(prefix="turret-model-") as work:
        target = Path(work) / "graph.xml"
        load_openvino().save_model(graph, target, compress_to_fp16=False)
        return ConvertedModel(target.read_bytes(), target.with_suffix(".bin").read_bytes(), tokenizer, facts)


def _graph(weights: dict[str, np.ndarray]) -> Any:
    """Return the layers: `input_ids` and `attention_mask` (int64 of shape (n_texts, n_tokens)) to unit vectors."""
    openvino = load_openvino()
    from openvino import opset13 as op

    def whole(*numbers: int) -> Any:
        return op.constant(np.array(numbers, dtype=np.int64))

    def linear(x: Any, name: str) -> Any:
        return op.add(op.matmul(x, weights[f"{name}.weight"], False, True), weights[f"{name}.bias"])

    def normalised(x: Any, name: str) -> Any:
        centred = op.mvn(x, whole(-1), True, EPSILON, "inside_sqrt")
        return op.add(op.multiply(centred, weights[f"{name}.weight"]), weights[f"{name}.bias"])

    def heads(x: Any) -> Any:
        apart = op.reshape(x, whole(0, 0, N_HEADS, N_DIMS // N_HEADS), True)
        return op.transpose(apart, whole(0, 2, 1, 3))

    def attended(x: Any, name: str) -> Any:
        query, key, value = (heads(linear(x, f"{name}.self.{part}")) for part in ("query", "key", "value"))
        found = op.transpose(op.scaled_dot_product_attention(query, key, value, to_read), whole(0, 2, 1, 3))
        together = op.reshape(found, whole(0, 0, N_DIMS), True)
        return normalised(op.add(linear(together, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")

    ids = op.parameter([-1, -1], np.int64, name="input_ids")
    mask = op.parameter([-1, -1], np.int64, name="attention_mask")
    n_tokens = op.gather(op.shape_of(ids), whole(1), whole(0))
    places = op.slice(weights["embeddings.position_embeddings.weight"], whole(0), n_tokens, whole(1), whole(0))
    to_read = op.unsqueeze(op.convert(mask, "boolean"), whole(1, 2))
    words = op.gather(weights["embeddings.word_embeddings.weight"], ids, whole(0))
    first = op.add(words, weights["embeddings.token_type_embeddings.weight"][0])
    x = normalised(op.add(first, places), "embeddings.LayerNorm")
    for layer in (f"encoder.layer.{number}" for number in range(N_LAYERS)):
        x = attended(x, f"{layer}.attention")
        inner = op.gelu(linear(x, f"{layer}.intermediate.dense"), "erf")
        x = normalised(op.add(linear(inner, f"{layer}.output.dense"), x), f"{layer}.output.LayerNorm")
    shown = op.unsqueeze(op.convert(mask, np.float32), whole(2))
    mean = op.divide(op.reduce_sum(op.multiply(x, shown), whole(1)), op.reduce_sum(shown, whole(1)))
    return openvino.Model([op.normalize_l2(mean, whole(1), EPSILON, "max")], [ids, mask], "all-MiniLM-L6-v2")
