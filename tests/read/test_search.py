"""Search by meaning: every message once, the most similar first, under all filters, of one's own project alone."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.duck import Run, run_sql
from tests.read.conftest import CANARY, OTHER_SESSIONS, SESSIONS, Api, write_lake
from tests.read.reading import read_app
from tests.read.test_messages import every_page
from turret_api.read.questions import text_vectors
from turret_api.read.questions.nearness import Ranked
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.kept import write_model
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES
from turret_pipeline.semantics.vectors import pack, quantize, unpack

__all__ = ["run_sql"]

Q = "Has my package been shipped already?"


@pytest.fixture(scope="module")
def embedder(keep_model: Callable[[Lake], None], tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    lake = Lake(str(tmp_path_factory.mktemp("model")))
    keep_model(lake)
    return open_lake_embedder(lake, None)


def write_vectors(lake: Lake, project_id: str, embedder: Embedder) -> None:
    """After this call every text of the project has its vector, as the pipeline would write it."""
    texts = store.read(lake, MESSAGES, project_id, "text_id", "text").unique(maintain_order=True)
    vectors = embedder.embed(texts["text"].to_list())
    rows = texts.with_columns(
        project_id=pl.lit(project_id),
        model=pl.lit(embedder.key),
        vector=pl.Series(vectors).cast(EMBEDDINGS.schema["vector"]),
        quantized=pack(quantize(vectors)),
    )
    store.replace(lake, EMBEDDINGS, rows.select(EMBEDDINGS.schema.names()), project_id)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Api]:
    lake = Lake(str(tmp_path_factory.mktemp("search") / "a lake"))
    assert embedder.converted is not None
    write_model(lake, embedder.key, embedder.converted)
    for project, sessions in (("shop", SESSIONS), ("other", OTHER_SESSIONS)):
        write_lake(lake, project, sessions)
        write_vectors(lake, project, embedder)
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


def test_the_most_similar_message_comes_first_whatever_its_words(api: Api) -> None:
    rows = api.get("/v1/messages", q=Q, limit=5)["data"]
    assert {row["topic_label"] for row in rows} == {"Parcel tracking"}
    rows = api.get("/v1/messages", q="reimbursement please", limit=4)["data"]
    assert {row["topic_label"] for row in rows} == {"Refunds"}
    assert 1 >= rows[0]["similarity"] >= rows[-1]["similarity"] > 0.2


def test_similarity_is_the_cosine_of_query_and_text(api: Api, embedder: Embedder) -> None:
    rows = api.get("/v1/messages", q=Q)["data"]
    expected = embedder.embed([row["text"] for row in rows]) @ embedder.embed([Q])[0]
    assert np.abs(np.array([row["similarity"] for row in rows]) - expected).max() < 0.01


def test_what_is_close_is_counted_under_all_filters_on_the_first_page(api: Api) -> None:
    first = api.get("/v1/messages", q=Q, limit=2)
    rows = every_page(api, "/v1/messages", q=Q)
    of_topic = [row for row in rows if row["topic_label"] == "Parcel tracking"]
    assert 0 < first["n_close"] <= len(of_topic)
    assert all(row["topic_label"] == "Parcel tracking" for row in rows[: first["n_close"]])
    assert api.get("/v1/messages", q=Q, topic_id="t_refund")["n_close"] == 0
    assert api.get("/v1/messages", q=Q, limit=2, cursor=first["next"])["n_close"] is None
    assert api.get("/v1/messages")["n_close"] is None


@pytest.mark.parametrize("q", ["quantum chromodynamics of cheese", "how to grow tomatoes", "qwe asd yxc"])
def test_where_nothing_close_was_said_none_is_counted_but_the_nearest_are_there(api: Api, q: str) -> None:
    answer = api.get("/v1/messages", q=q)
    assert answer["n_close"] == 0
    assert len(answer["data"]) == 15


@pytest.mark.parametrize("limit", [1, 2, 7, 15, 100])
@pytest.mark.parametrize("first_texts", [1, 1024])
def test_the_pages_hold_every_message_once_in_order(
    api: Api, monkeypatch: pytest.MonkeyPatch, limit: int, first_texts: int
) -> None:
    monkeypatch.setattr(Ranked, "first_texts", first_texts)
    rows = every_page(api, "/v1/messages", q=f"{Q} {first_texts}", limit=limit)
    assert len({row["event_id"] for row in rows}) == len(rows) == 15
    keys = [(row["similarity"], row["timestamp"], row["event_id"]) for row in rows]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize(
    "chosen",
    [
        {"topic_id": "t_refund"},
        {"topic_id": "unassigned"},
        {"topic_id": "t_none"},
        {"name": "voice"},
        {"from": "2026-03-02T23:51:00Z", "to": "2026-03-04T23:52:00Z"},
        {"segment.plan": "pro"},
        {"segment.tokens": "10..20", "topic_id": "t_parcel"},
    ],
)
def test_filters_leave_the_order_and_take_away_the_rest(api: Api, chosen: dict) -> None:
    passing = {row["event_id"] for row in api.get("/v1/messages", **chosen)["data"]}
    expected = [row for row in api.get("/v1/messages", q=Q)["data"] if row["event_id"] in passing]
    assert api.get("/v1/messages", q=Q, **chosen)["data"] == expected
    assert every_page(api, "/v1/messages", q=Q, limit=1, **chosen) == expected


def test_no_project_finds_messages_of_another(api: Api) -> None:
    q = f"The {CANARY} sings at dawn"
    assert api.get("/v1/messages", q=q, key="other:read", limit=1)["data"][0]["text"].startswith(q)
    assert CANARY not in str([row["text"] for row in api.get("/v1/messages", q=q)["data"]])


@pytest.mark.parametrize("q", ["", " \n\t", "x" * 1001, "x" * 60_000])
def test_a_query_that_says_nothing_or_too_much_is_told_so(api: Api, q: str) -> None:
    assert api.get("/v1/messages", q=q, status=400)["field"] == "q"


@pytest.mark.parametrize(
    "q",
    ["😀", "\x00", "\x00parcel\x00", "包裹在哪里", "أين طردي", "z̷̢̛a̵l̴g̶o̷", "a" * 1000, "%", "' OR 1=1", "\ufeff\u200d"],
)
def test_odd_queries_are_searched_for_like_any_other(api: Api, q: str) -> None:
    rows = api.get("/v1/messages", q=q)["data"]
    assert len(rows) == 15
    assert all(-1 <= row["similarity"] <= 1 for row in rows)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "bnVsbA", "e30", "WzFd", "WzFlOTk5LCIyMDI2IiwieCJd"])
def test_a_made_up_cursor_is_told_so(api: Api, cursor: str) -> None:
    assert api.get("/v1/messages", q=Q, cursor=cursor, status=400)["field"] == "cursor"


def test_the_cursor_of_a_plain_list_is_told_so(api: Api) -> None:
    cursor = api.get("/v1/messages", limit=1)["next"]
    assert api.get("/v1/messages", q=Q, cursor=cursor, status=400)["field"] == "cursor"


@pytest.mark.slow
def test_before_anything_is_embedded_nothing_is_found(api: Api, tmp_path: Path) -> None:
    assert api.get("/v1/messages", q=Q, key="nobody:read")["data"] == []
    lake = Lake(str(tmp_path / "new"))
    write_lake(lake, "shop", SESSIONS)
    with TestClient(read_app(lake)) as client:
        assert Api(lake, client).get("/v1/messages", q=Q)["data"] == []


@pytest.mark.slow
def test_a_model_that_the_api_cannot_run_is_named(tmp_path: Path, embedder: Embedder) -> None:
    lake = Lake(str(tmp_path / "without the model"))
    write_lake(lake, "shop", SESSIONS)
    write_vectors(lake, "shop", embedder)
    with TestClient(read_app(lake)) as client:
        told = Api(lake, client).get("/v1/messages", q=Q, status=400)
    assert embedder.key in told["error"]
    assert told["field"] == "q"


@pytest.mark.slow
def test_what_is_new_is_found_and_as_of_tells_the_time_before(tmp_path: Path, embedder: Embedder) -> None:
    lake = Lake(str(tmp_path / "growing"))
    assert embedder.converted is not None
    write_model(lake, embedder.key, embedder.converted)
    write_lake(lake, "shop", SESSIONS)
    write_vectors(lake, "shop", embedder)
    with TestClient(read_app(lake)) as client:
        api = Api(lake, client)
        before = api.get("/v1/messages", q=Q)
        time.sleep(0.01)
        then = dt.datetime.now(dt.UTC)
        time.sleep(0.01)
        write_lake(lake, "shop", {**SESSIONS, "s6": [Q]}, model_version=2)
        write_vectors(lake, "shop", embedder)
        assert api.get("/v1/messages", q=Q)["data"][0]["text"].startswith(Q)
        assert api.get("/v1/messages", q=Q, as_of=then.isoformat()) == before


@pytest.mark.slow
@pytest.mark.parametrize(("n_bytes", "n_reads"), [(3_000_000, 1), (12_000, 1), (3, 2)])
def test_vectors_are_kept_while_they_have_room_and_found_without(
    tmp_path: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, n_bytes: int, n_reads: int
) -> None:
    lake = Lake(str(tmp_path / "kept"))
    assert embedder.converted is not None
    write_model(lake, embedder.key, embedder.converted)
    write_lake(lake, "shop", SESSIONS)
    write_vectors(lake, "shop", embedder)
    read: list[pl.Series] = []

    def counting(quantized: pl.Series) -> np.ndarray:
        read.append(quantized)
        return unpack(quantized)

    monkeypatch.setattr(text_vectors, "unpack", counting)
    monkeypatch.setattr(text_vectors._vectors, "limit_bytes", text_vectors._vectors.limit_bytes)
    text_vectors.keep_at_most(n_bytes)
    with TestClient(read_app(lake)) as client:
        found = [Api(lake, client).get("/v1/messages", q=f"{Q} {n}")["data"] for n in range(2)]
    assert all(found) and len(read) == n_reads


def test_eight_bits_find_what_floats_find() -> None:
    random = np.random.default_rng(5)
    centres = random.normal(size=(50, 384))
    vectors = (centres[random.integers(50, size=5000)] + 0.7 * random.normal(size=(5000, 384))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:50] + 0.02 * random.normal(size=(50, 384)).astype(np.float32)
    packed = unpack(pack(quantize(vectors))).astype(np.float32)
    packed /= np.linalg.norm(packed, axis=1, keepdims=True)
    exact, found = (np.argsort(-(queries @ rows.T), axis=1)[:, :10] for rows in (vectors, packed))
    same = [len(set(a) & set(b)) for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert np.mean(same) / 10 > 0.93


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [{}, {"topic_id": "t_refund"}, {"segment.plan": "pro", "limit": 3}])
def test_its_sql_finds_the_same_messages_with_the_same_similarities(api: Api, run_sql: Run, chosen: dict) -> None:
    cursor = None
    for _ in range(2):
        asked = {"q": Q, "limit": 4, **chosen, **({"cursor": cursor} if cursor else {})}
        found = api.get("/v1/messages", **asked)
        told = api.client.get("/v1/messages", params={**asked, "format": "sql"}, headers={"X-API-Key": "shop:read"})
        parts = run_sql(told.text)
        names = ("event_id", "text", "topic_id", "topic_label", "similarity", "sentiment", "answer", "answer_kind")
        expected = [tuple(row[name] for name in names) for row in found["data"]]
        assert expected and [tuple(row[name] for name in names) for row in parts["data"]] == expected
        if cursor is None:
            assert parts["totals"] == [{"n_close": found["n_close"], "n_gone": 0}]
        cursor = found["next"]


@pytest.mark.parametrize(("chosen", "n_least"), [({"sentiment": "negative"}, 1), ({"answer": "refused"}, 0)])
def test_its_sql_leaves_out_what_the_search_leaves_out(api: Api, run_sql: Run, chosen: dict, n_least: int) -> None:
    asked = {"q": Q, **chosen}
    found = api.get("/v1/messages", **asked)
    told = api.client.get("/v1/messages", params={**asked, "format": "sql"}, headers={"X-API-Key": "shop:read"})
    parts = run_sql(told.text)
    names = [row["event_id"] for row in found["data"]]
    assert [row["event_id"] for row in parts["data"]] == names
    assert n_least <= len(names) < len(api.get("/v1/messages", q=Q)["data"])
    assert parts["totals"] == [{"n_close": found["n_close"], "n_gone": 0}]
