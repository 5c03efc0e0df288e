"""Search by meaning past what memory holds: estimated by signs, looked up on the disk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import SESSIONS, Api, write_lake
from tests.read.reading import read_app
from turret_api.read.engine.cache import Cache
from turret_api.read.engine.library import Library
from turret_api.read.questions import text_vectors
from turret_api.read.questions.nearness import Estimated, Ranked, nearness
from turret_api.read.questions.text_vectors import InMemory, ModelVectors, OnDisk, model_vectors
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.kept import write_model
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES
from turret_pipeline.semantics.vectors import pack, quantize

N_TEXTS, N_DIMS, Q = 20_000, 320, "Where is my parcel?"


def near(random: np.random.Generator, centres: np.ndarray, n: int) -> np.ndarray:
    """Return unit vectors about `centres`, cosines within one about .6: float32 of shape (n, n_dims)."""
    noise = random.standard_normal((n, centres.shape[1])) * 0.8 / np.sqrt(centres.shape[1])
    vectors = (centres[random.integers(len(centres), size=n)] + noise).astype(np.float32)
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def centres(random: np.random.Generator, n: int) -> np.ndarray:
    """Return unit vectors that have something in common, as those of texts have."""
    found = random.standard_normal((n, N_DIMS)) + random.standard_normal(N_DIMS)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def planted() -> tuple[list[InMemory], np.ndarray]:
    """Three files of vectors, and queries near some of them."""
    random = np.random.default_rng(4)
    vectors = near(random, centres(random, 100), N_TEXTS)
    ids = pl.Series("text_id", [f"{number:032x}" for number in range(N_TEXTS)])
    bounds = (0, 3000, 3001, N_TEXTS)
    parts = [slice(start, end) for start, end in itertools.pairwise(bounds)]
    return [InMemory("m", ids[part], quantize(vectors[part])) for part in parts], near(random, vectors[:500], 20)


def both(
    files: list[InMemory], query: np.ndarray, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> tuple[Ranked, Estimated]:
    monkeypatch.setattr(text_vectors, "_folder", folder)
    on_disk = [text_vectors.put_on_disk(each) for each in files]
    exact = nearness(ModelVectors(None, "m", files), query)  # type: ignore[arg-type]
    estimated = nearness(ModelVectors(None, "m", on_disk), query)  # type: ignore[arg-type]
    assert isinstance(exact, Ranked) and isinstance(estimated, Estimated)
    return exact, estimated


@pytest.mark.parametrize(("share", "n"), [(1.0, 50), (0.05, 8)])
def test_estimates_find_the_nearest_with_their_exact_scores(
    planted: tuple[list[InMemory], np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, share: float, n: int
) -> None:
    files, queries = planted
    among = None if share == 1 else pl.concat([each.text_ids for each in files]).sample(fraction=share, seed=1)
    n_found, n_missed, n_above, n_left = 0, 0, 0, 0
    for query in queries:
        exact, estimated = both(files, query, monkeypatch, tmp_path)
        nearest, _ = exact.nearest(n, None, among)
        found, least = estimated.nearest(400, None, among)
        n_found += found.join(nearest, on=["text_id", "score"], how="inner").height
        n_missed += nearest.join(found, on="text_id", how="anti").height
        assert 400 <= found.height < 500 and least is not None and found["score"].max() > least
        every, _ = exact.nearest(N_TEXTS, None, among)
        above = every.filter(pl.col("score") > least)
        n_above += above.height
        n_left += above.join(found, on="text_id", how="anti").height
    assert n_found / (n_found + n_missed) >= 0.98
    assert n_left <= 0.04 * n_above, "hardly a text that was left out is nearer than is said"


def test_about_as_many_texts_are_close(
    planted: tuple[list[InMemory], np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files, queries = planted
    monkeypatch.setattr(Estimated, "first_texts", 50)
    n_close = []
    for query in queries:
        exact, estimated = both(files, query, monkeypatch, tmp_path)
        n_close.append((len(exact.close()), len(estimated.close())))
    exact_ones, about = np.array(n_close).T
    assert np.median(exact_ones) > 2 * 50, "or all of them are looked up"
    assert about == pytest.approx(exact_ones, rel=0.25, abs=8)
    assert about.sum() == pytest.approx(exact_ones.sum(), rel=0.05)


def test_what_lies_on_the_disk_has_no_name_and_is_what_was_put(
    planted: tuple[list[InMemory], np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(text_vectors, "_folder", tmp_path)
    (in_memory, *_), _ = planted
    on_disk = text_vectors.put_on_disk(in_memory)
    places = np.array([0, 7, 2999])
    assert np.array_equal(on_disk.rows(places), in_memory.rows(places))
    assert on_disk.text_ids.equals(in_memory.text_ids)
    assert not list(tmp_path.iterdir())
    assert on_disk.size_bytes < 0.35 * in_memory.size_bytes  # of 320 dimensions; of 640 it is less than a fifth


@pytest.fixture(scope="module")
def embedder(keep_model: Callable[[Lake], None], tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    lake = Lake(str(tmp_path_factory.mktemp("model")))
    keep_model(lake)
    return open_lake_embedder(lake, None)


@pytest.fixture(scope="module")
def lake(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with 360 texts, each with a vector near that of what it begins with."""
    lake = Lake(str(tmp_path_factory.mktemp("search") / "many"))
    assert embedder.converted is not None
    write_model(lake, embedder.key, embedder.converted)
    begun = sorted({text for said in SESSIONS.values() for text in said})
    sessions = {f"s{at}": [f"{text} No. {at}.{place}" for place, text in enumerate(begun)] for at in range(90)}
    write_lake(lake, "shop", sessions)
    texts = store.read(lake, MESSAGES, "shop", "text_id", "text").unique(maintain_order=True)
    of_begun = dict(zip(begun, embedder.embed(begun), strict=True))
    centres = np.array([of_begun[text.partition(" No. ")[0]] for text in texts["text"]])
    random = np.random.default_rng(2)
    vectors = np.concatenate([near(random, centre[np.newaxis], 1) for centre in centres])
    rows = texts.with_columns(
        project_id=pl.lit("shop"),
        model=pl.lit(embedder.key),
        vector=pl.Series(vectors).cast(EMBEDDINGS.schema["vector"]),
        quantized=pack(quantize(vectors)),
    )
    store.replace(lake, EMBEDDINGS, rows.select(EMBEDDINGS.schema.names()), "shop")
    return lake


LIMIT_BYTES = 200_000
"""Less than the vectors of the lake take, more than their signs do."""


@pytest.fixture(scope="module")
def api(lake: Lake) -> Iterator[Api]:
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


def pages(api: Api, n: int, **asked: object) -> tuple[list[dict], int]:
    """Return the messages of the first `n` pages, and how many are close."""
    first = answer = api.get("/v1/messages", **asked)
    rows = answer["data"]
    while (n := n - 1) and answer["next"]:
        answer = api.get("/v1/messages", **asked, cursor=answer["next"])
        rows = rows + answer["data"]
    return rows, first["n_close"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "asked"),
    [
        (3, {"limit": 40}),
        (3, {"limit": 5, "segment.plan": "pro", "topic_id": "t_card"}),
        (1, {"limit": 20, "from": "2026-03-02T23:51:00Z", "to": "2026-03-04T23:52:00Z"}),
    ],
)
def test_pages_under_filters_hold_what_exact_ones_hold(
    api: Api, monkeypatch: pytest.MonkeyPatch, n: int, asked: dict
) -> None:
    expected, n_close = pages(api, n, q=Q, **asked)
    monkeypatch.setattr(text_vectors._vectors, "limit_bytes", LIMIT_BYTES)
    monkeypatch.setattr(Estimated, "first_texts", 64)
    # Other words to the engine, which keeps answers; the same to the model.
    found, about = pages(api, n, q=f"{Q} ", **asked)
    ids = [row["event_id"] for row in found]
    assert len(ids) == len(set(ids)) == len(expected) > 0
    assert len(set(ids) & {row["event_id"] for row in expected}) >= 0.98 * len(expected)
    keys = [(row["similarity"], row["timestamp"], row["event_id"]) for row in found]
    assert keys == sorted(keys, reverse=True)
    assert about == pytest.approx(n_close, rel=0.15, abs=5)


def test_vectors_lie_on_the_disk_once_they_do_not_fit_and_there_is_room(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kind() -> type:
        vectors = model_vectors(Library(lake).snapshot("shop"))
        assert vectors is not None
        return type(vectors.files[0])

    kinds = []
    for limit_bytes, free_share in ((1 << 30, 0.1), (LIMIT_BYTES, 0.1), (LIMIT_BYTES, 1.1), (10_000, 0.1)):
        monkeypatch.setattr(text_vectors, "_vectors", Cache(limit_bytes))
        monkeypatch.setattr(text_vectors, "FREE_SHARE", free_share)
        kinds.append(kind())
    assert kinds == [InMemory, OnDisk, InMemory, InMemory]
