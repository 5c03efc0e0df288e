"""A sentence-transformers model becomes an OpenVINO graph that gives the same vectors, or it is left to torch.

All of the model's modules (transformer, pooling, dense layers, normalisation) are traced as one and read by OpenVINO's
own PyTorch front end. That a graph gives the same vectors is not taken on trust: it must reproduce `encode` on texts of
many lengths, padded and not. What cannot be traced, or comes out different (pooling that looks at values, text that is
changed before the tokenizer, slow tokenizers, models of pictures), is not converted.

Not `openvino.convert_model`, which does the same and reports to its makers on the way.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from turret_pipeline.embedder.runtime import ConvertedModel, Encoder, ModelFacts, load_openvino

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_COSINE = 0.9999
"""Of each vector with what `encode` gives, both in float32."""

PROBES = (
    "",
    "yes",
    "Where is my order?",
    "HOW DO I RESET MY PASSWORD!!",
    "¿Dónde está mi pedido? Où est ma commande ? 我的订单在哪里",
    "😀 thanks 😀",
    "I was charged twice for the same booking last Friday and would like one of the payments returned.",
    "def f(x):\n    return x ** 2\n" * 40,
)


def convert(model: SentenceTransformer) -> ConvertedModel | None:
    """Return `model` (in float32 on the CPU) as a graph that gives the same vectors, or None if there is none."""
    tokenizer = getattr(getattr(model, "tokenizer", None), "_tokenizer", None)
    if tokenizer is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing, about values that stay the same for us
            graph, weights = _graph(model)
            n_dims = int(model.get_embedding_dimension() or 0)
            prefix = (model.prompts or {}).get(model.default_prompt_name or "") or ""
            facts = ModelFacts(n_dims, int(model.max_seq_length or 256), int(model.tokenizer.pad_token_id or 0), prefix)
            converted = ConvertedModel(graph, weights, tokenizer.to_str().encode(), facts)
            expected = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
            encoder = Encoder(converted, bfloat16=False)
            together = np.zeros((len(PROBES), n_dims), dtype=np.float32)
            for rows, vectors in encoder.batches(PROBES):
                together[rows] = vectors
            alone = np.stack([encoder.encode(text) for text in PROBES])
        cosines = np.einsum("cij,ij->ci", np.stack([together, alone]), expected)
    except Exception as error:
        # Tracing runs the model's own code, which may fail in any way; torch can run such a model all the same.
        logging.getLogger(__name__).info("the model stays with torch", extra={"reason": str(error)[:300]})
        return None
    return converted if bool((cosines > LEAST_COSINE).all()) else None


def _graph(model: SentenceTransformer) -> tuple[bytes, bytes]:
    """Return graph and weights of `model`: see `ConvertedModel`."""
    openvino = load_openvino()
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    class Whole(torch.nn.Module):
        """All modules as one function of two arrays."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            found = self.model({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]
            return torch.nn.functional.normalize(found, dim=1)

    # Two texts, one of them padded: with masks of ones alone, tracing would leave the mask out.
    ids = torch.tensor([[101, 2129, 2079, 102], [101, 2129, 102, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.no_grad():
        decoder = TorchScriptPythonDecoder(Whole().eval(), example_input={"input_ids": ids, "attention_mask": mask})
        front_end = FrontEndManager().load_by_framework("pytorch")
        graph = front_end.convert(front_end.load(decoder))
    for given, name in zip(graph.inputs, ("input_ids", "attention_mask"), strict=True):
        given.get_node().set_element_type(openvino.Type.i64)
        given.get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
        given.get_tensor().set_names({name})
    graph.validate_nodes_and_infer_types()
    with tempfile.TemporaryDirectory(prefix="turret-model-") as folder:
        target = Path(folder) / "graph.xml"
        openvino.save_model(graph, target, compress_to_fp16=False)
        return target.read_bytes(), target.with_suffix(".bin").read_bytes()
