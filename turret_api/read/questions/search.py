"""Messages by meaning: those whose text's vector is nearest to that of the words that are searched for.

The search is exact: the query is compared with every distinct text, 8 bits a component (`semantics.vectors`), by the
SIMD kernels of NumKong, which take some 12 ms of a core for 400,000 texts. So there is no index to build, to keep in
step with the lake or to lose, filters cost no recall, and each page follows on the one before. The indexes of faiss and
usearch (which has these kernels) are approximate, must be rebuilt or kept in step, and filter after the fact; lancedb
keeps tables of its own beside ours. They pay past some ten million texts.

The query is embedded here, without torch, by the model as the pipeline keeps it in the lake (`embedder.runtime`). The
vectors of a file are read once and kept, up to `KEPT_BYTES` or what `keep_at_most` says; past that, files are read anew
for each question, which takes seconds for each million texts.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl

from turret_api.errors import invalid
from turret_api.read.engine.cache import Cache
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.literals import time
from turret_api.read.engine.queries import Queries
from turret_api.read.questions.messages import Messages, message_rows
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.pages import decode, encode
from turret_api.read.sql.messages import FRAMES_LEFT_OUT, asked_for, listed, said_views
from turret_api.read.views.answers import field_of_answers, messages_answered
from turret_api.read.views.messages import SOURCES, with_texts
from turret_api.read.views.sentiment import that_sound, with_sentiment
from turret_pipeline.embedder.kept import read_model
from turret_pipeline.embedder.multilingual import SideBySide, open_encoder
from turret_pipeline.embedder.pooled import embed_query
from turret_pipeline.embedder.runtime import Encoder
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import ANSWERS, EMBEDDINGS, SHARED_FRAMES, TEXT_SENTIMENT
from turret_pipeline.semantics.defined_topics import unit_rows
from turret_pipeline.semantics.vectors import quantize, unpack

KEPT_BYTES = 1 << 30
"""Vectors kept, of all projects together: some 1.5 million texts of the default model's 640 dimensions."""

KEPT_SHARE = 1 / 3
"""Of the memory that the process may hold, where that is known: 5.9 million texts with 12 GiB."""

FIRST_TEXTS = 1024
"""Nearest texts whose messages are looked at first; if too few of them pass the filters, 16 times as many are."""

SCORES = 10_000
"""A similarity of 1 in the whole numbers that texts are ranked by: 8 bits a component tell no more."""

UNRELATED, CLOSE = 0.1, 0.35
"""Share of the texts that certainly say something else than what is searched for; and how far from their similarity to
1 that of a message lies which says about the same. With the default model the nearest text to a prompt of arena_hard or
xsid_valid among those of banking77 lies below 0.35 nine times in ten, that to one of banking77 itself always above."""

_vectors = Cache(KEPT_BYTES)
_encoders = Cache(1 << 30)


def keep_at_most(n_bytes: int) -> None:
    """From now on keep vectors up to `KEPT_SHARE` of `n_bytes`, the memory that this process may hold."""
    _vectors.limit_bytes = int(n_bytes * KEPT_SHARE)


@dataclass(frozen=True)
class _Vectors:
    """The vectors of one model in one file.

    text_ids: the texts. quantized: int8 of shape (n_texts, n_dims).
    """

    model: str
    text_ids: pl.Series
    quantized: np.ndarray


@dataclass(frozen=True)
class SimilarMessages(OfField):
    """Which messages are most similar in meaning to the words `q`?"""

    q: str = ""
    topic_id: str | None = None
    sentiment: str | None = None
    limit: int = 50
    cursor: str | None = None
    answered: str | None = None

    tables = (*SOURCES, EMBEDDINGS, SHARED_FRAMES, ANSWERS, TEXT_SENTIMENT)
    built = TOPICS_BUILT
    answers = Messages

    def of_field(self, snapshot: Snapshot, field: str) -> Messages:
        """Return up to `limit` messages, most similar to `q` first; of equal similarity the newest is first.

        Raise an `ApiError` where the query or the cursor makes no sense.
        """
        if not self.q.strip():
            raise invalid("q is blank; say in words what to search for, or leave it out.", field="q")
        after = None if self.cursor is None else _read_cursor(self.cursor)
        texts = _scores(snapshot, self.q)
        n_close = _n_close(snapshot, field, self, texts) if after is None else None
        if after is not None:
            texts = texts.filter(pl.col("score") <= after[0])
        n_texts = FIRST_TEXTS
        while True:
            # All texts of the last score that is taken, so that those left out are less similar than those taken.
            least = texts["score"].top_k(n_texts).min() if texts.height > n_texts else None
            nearest = texts if least is None else texts.filter(pl.col("score") >= least)
            found = _messages(snapshot, field, self, nearest, after)
            if found.height > self.limit or least is None:
                shown = with_sentiment(snapshot, with_texts(snapshot, field, found.head(self.limit)))
                shown = shown.with_columns(similarity=(pl.col("score") / SCORES).round(4))
                following = _cursor(shown.row(-1, named=True)) if found.height > self.limit else None
                return Messages(message_rows(snapshot, field, shown), following, n_close)
            n_texts *= 16

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of the search, with the vector of `q` written in; raise an `ApiError` where `q` is blank."""
        if not self.q.strip():
            raise invalid("q is blank; say in words what to search for, or leave it out.", field="q")
        vectors = model_vectors(snapshot)
        of_answers = field_of_answers(snapshot, field)
        views = said_views(field, self.filters, self.topic_id, of_answers)
        views["scores"] = (
            f"how near each text's vector is to that of the words searched for: cosine of bytes, in {SCORES:,}ths",
            _NO_SCORES_SQL if vectors is None else _scores_sql(vectors, self.q),
        )
        page = wanted = asked_for(self.topic_id, self.sentiment, self.answered, of_answers)
        if self.cursor is not None:
            score, before, event_id = _read_cursor(self.cursor)
            page += f" AND (score, timestamp, event_id) < ({score}, {time(before)}, {literal(event_id)})"
        data = f"""{listed(f"score / {SCORES}.0")}
FROM told JOIN scores USING (text_id) WHERE {page}
ORDER BY score DESC, timestamp DESC, event_id DESC LIMIT {self.limit}"""
        totals = f"""
WITH ranked AS (SELECT score, row_number() OVER (ORDER BY score) - 1 AS place FROM scores),
unrelated AS (
    SELECT greatest(coalesce(any_value(score), 0), 0) AS score FROM ranked
    WHERE place = (SELECT round((count(*) - 1) * {UNRELATED}) FROM scores)
)
SELECT count(*) AS n_close FROM told JOIN scores USING (text_id)
WHERE {wanted} AND scores.score >= (SELECT score + {CLOSE} * ({SCORES} - score) FROM unrelated)"""
        return Queries({"data": data, "totals": totals}, views, FRAMES_LEFT_OUT)


_NO_SCORES_SQL = """
SELECT text_id, 0 AS score FROM embeddings WHERE false"""


def _scores_sql(vectors: ModelVectors, q: str) -> str:
    query = quantize(vectors.encode(q)[np.newaxis])[0].tolist()
    return f"""
WITH scaled AS (
    SELECT text_id, vector, list_max(list_transform(vector, lambda x: abs(x)))::DOUBLE AS largest
    FROM embeddings WHERE model = {literal(vectors.model)}
)
SELECT text_id, round({SCORES} * list_cosine_similarity(
    list_transform(vector, lambda x: round(x::DOUBLE * 127 / largest)),
    {query}::DOUBLE[]))::INTEGER AS score
FROM scaled"""


def _asked(snapshot: Snapshot, field: str, asked: SimilarMessages) -> pl.LazyFrame:
    """Return the messages that may be found, however similar they are."""
    answered = messages_answered(snapshot, field, asked.filters, asked.topic_id, asked.answered)
    return that_sound(snapshot, answered, asked.sentiment)


def _n_close(snapshot: Snapshot, field: str, asked: SimilarMessages, texts: pl.DataFrame) -> int:
    """Return how many of the messages that pass say about what is searched for; texts: of `_scores`."""
    unrelated = max(float(texts["score"].quantile(UNRELATED) or 0), 0.0)
    close = texts.filter(pl.col("score") >= unrelated + CLOSE * (SCORES - unrelated))
    messages = _asked(snapshot, field, asked)
    found = messages.filter(pl.col("text_id").is_in(close["text_id"].implode()))
    return int(found.select(pl.len()).collect().item())


def _messages(
    snapshot: Snapshot,
    field: str,
    asked: SimilarMessages,
    nearest: pl.DataFrame,
    after: tuple[int, dt.datetime, str] | None,
) -> pl.DataFrame:
    """Return the first `limit` + 1 messages behind `after` whose texts are among `nearest` and that pass."""
    # A condition on the column is judged while the files are read, which a join is not.
    messages = _asked(snapshot, field, asked)
    found = messages.filter(pl.col("text_id").is_in(nearest["text_id"].implode())).join(nearest.lazy(), on="text_id")
    if after is not None:
        score, before, event_id = after
        at = pl.col("timestamp")
        later = (at < before) | ((at == before) & (pl.col("event_id") < event_id))
        found = found.filter((pl.col("score") < score) | later)
    order = ["score", "timestamp", "event_id"]
    return found.top_k(asked.limit + 1, by=order).sort(order, descending=True).collect()


@dataclass(frozen=True)
class ModelVectors:
    """The vectors of the model that most texts have one of."""

    snapshot: Snapshot
    model: str
    files: list[_Vectors]

    @property
    def n_dims(self) -> int:
        """Length of a vector."""
        return int(self.files[0].quantized.shape[1])

    def encode(self, text: str) -> np.ndarray:
        """Return the vector of any text: float32 (n_dims,)."""
        return embed_query(_encoder(self.snapshot, self.model).encode, text)

    def blocks(self, text_ids: pl.Series, n_rows: int) -> Iterator[tuple[pl.Series, np.ndarray]]:
        """Yield those of the texts that have a vector, at most so many at a time, with float32 rows of unit length."""
        for each in self.files:
            rows = np.flatnonzero(each.text_ids.is_in(text_ids.implode()).to_numpy())
            for start in range(0, len(rows), n_rows):
                some = rows[start : start + n_rows]
                yield each.text_ids.gather(some), unit_rows(each.quantized[some])


def model_vectors(snapshot: Snapshot) -> ModelVectors | None:
    """Return the vectors of the model that most texts have one of; None where there are none."""
    files = [each for name in snapshot.files(EMBEDDINGS) for each in _file_vectors(snapshot, name)]
    counts = Counter[str]()
    for each in files:
        counts[each.model] += len(each.text_ids)
    if not counts:
        return None
    model = max(sorted(counts), key=lambda name: counts[name])
    return ModelVectors(snapshot, model, [each for each in files if each.model == model])


def _scores(snapshot: Snapshot, q: str) -> pl.DataFrame:
    """Return `text_id` and `score` of every text that has a vector of the model that most texts have one of."""
    vectors = model_vectors(snapshot)
    if vectors is None:
        return pl.DataFrame(schema={"text_id": pl.String, "score": pl.Int32})
    return rank(vectors.files, vectors.encode(q))


def rank(files: list[_Vectors], vector: np.ndarray) -> pl.DataFrame:
    """Return `text_id` and `score` of every text in `files`: its cosine with `vector`, a float32 one, in `SCORES`."""
    import numkong

    query = quantize(vector[np.newaxis])
    frames = []
    for each in files:
        distances = np.asarray(numkong.cdist(query, each.quantized, "angular"))[0]
        scores = np.rint((1 - distances) * SCORES).astype(np.int32)
        frames.append(pl.DataFrame({"text_id": each.text_ids, "score": scores}))
    return pl.concat(frames)


def _file_vectors(snapshot: Snapshot, name: str) -> list[_Vectors]:
    """Return the vectors in one file of `embeddings`, by model; a file never changes."""

    def read() -> list[_Vectors]:
        frame = store.scan_files(snapshot.library.lake, EMBEDDINGS, [name])
        rows = frame.select("model", "text_id", "quantized").collect()
        return [
            _Vectors(str(part["model"][0]), part["text_id"], unpack(part["quantized"]))
            for part in rows.partition_by("model")
        ]

    def size_bytes(read: list[_Vectors]) -> int:
        return sum(each.quantized.nbytes + int(each.text_ids.estimated_size()) for each in read) + 1000

    return _vectors.get(name, read, size_bytes)


def _encoder(snapshot: Snapshot, model: str) -> Encoder | SideBySide:
    lake = snapshot.library.lake

    def read() -> Encoder | SideBySide:
        kept = read_model(lake, model)  # raises what the engine answers, where the file is damaged
        if kept is None:
            raise invalid(
                f"The model {model!r} runs in the pipeline alone, so q cannot be embedded; filter by topic_id instead.",
                field="q",
            )
        return open_encoder(kept, n_threads=1)

    return _encoders.get((lake.root, model), read, lambda _: 400 << 20)


def _cursor(row: dict[str, Any]) -> str:
    return encode(orjson.dumps([row["score"], row["timestamp"].isoformat(), row["event_id"]]))


def _read_cursor(cursor: str) -> tuple[int, dt.datetime, str]:
    try:
        score, at, event_id = orjson.loads(decode(cursor))
        if abs(int(score)) <= SCORES:
            return int(score), dt.datetime.fromisoformat(at).astimezone(dt.UTC), str(event_id)
    except (ValueError, TypeError, OverflowError):
        pass
    raise invalid("The cursor is not one that this search gave; start again without it.", field="cursor")
