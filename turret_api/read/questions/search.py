"""Messages by meaning: those whose text's vector is nearest to that of the words that are searched for.

The search is exact while the vectors of a project fit into memory; past that it is by estimates, and those that come
near are looked up on the disk (`nearness`). A filter that few messages pass costs no recall then either: what is
estimated is looked up among the texts that pass.

The query is embedded here, without torch, by the model as the pipeline keeps it in the lake (`embedder.runtime`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl

from turret_api.errors import invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.literals import text as literal
from turret_api.read.engine.literals import time
from turret_api.read.engine.queries import Queries
from turret_api.read.questions.messages import Messages, message_rows
from turret_api.read.questions.nearness import CLOSE, SCORES, UNRELATED, Estimated, Ranked, nearness, nothing
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.pages import decode, encode
from turret_api.read.questions.text_vectors import ModelVectors, model_vectors
from turret_api.read.sql.messages import FRAMES_LEFT_OUT, asked_for, listed, said_views
from turret_api.read.views.answers import field_of_answers, messages_answered
from turret_api.read.views.messages import SOURCES, with_texts
from turret_api.read.views.sentiment import that_sound, with_sentiment
from turret_pipeline.lake.tables import ANSWERS, EMBEDDINGS, SHARED_FRAMES, TEXT_SENTIMENT
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.vectors import quantize

Nearness = Ranked | Estimated


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
        texts = _nearness(snapshot, self.q)
        n_close = _n_close(snapshot, field, self, texts) if after is None else None
        n_gone = _n_gone(snapshot, field, self) if after is None else None
        found = self._nearest_messages(snapshot, field, texts, after)
        shown = with_sentiment(snapshot, with_texts(snapshot, field, found.head(self.limit)))
        shown = shown.with_columns(similarity=(pl.col("score") / SCORES).round(4))
        following = _cursor(shown.row(-1, named=True)) if found.height > self.limit else None
        return Messages(message_rows(snapshot, field, shown), following, n_close, n_gone)

    def _nearest_messages(
        self, snapshot: Snapshot, field: str, texts: Nearness, after: tuple[int, dt.datetime, str] | None
    ) -> pl.DataFrame:
        """Return the first `limit` + 1 messages behind `after` that pass, or as many as there are."""
        n_texts, among = texts.first_texts, None
        while True:
            nearest, least = texts.nearest(n_texts, None if after is None else after[0], among)
            found = _messages(snapshot, field, self, nearest, after)
            if least is None or found.filter(pl.col("score") >= least).height > self.limit:
                return found
            if isinstance(texts, Estimated) and among is None:
                passing = _asked(snapshot, field, self).select(pl.col("text_id").unique())
                among = passing.collect(engine="streaming")["text_id"]
            else:
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
SELECT (
    SELECT count(*) FROM told JOIN scores USING (text_id)
    WHERE {wanted} AND scores.score >= (SELECT score + {CLOSE} * ({SCORES} - score) FROM unrelated)
) AS n_close, (SELECT count(*) FROM told WHERE {wanted} AND gone IS NOT NULL) AS n_gone"""
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


def _n_close(snapshot: Snapshot, field: str, asked: SimilarMessages, texts: Nearness) -> int:
    """Return how many of the messages that pass say about what is searched for."""
    messages = _asked(snapshot, field, asked)
    found = messages.filter(pl.col("text_id").is_in(texts.close().implode()))
    return int(found.select(pl.len()).collect().item())


def _n_gone(snapshot: Snapshot, field: str, asked: SimilarMessages) -> int:
    """Return how many of the messages that pass have no text any more, and no vector."""
    return int(_asked(snapshot, field, asked).filter(IS_GONE).select(pl.len()).collect().item())


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
        found = found.filter((pl.col("score") < score) | ((pl.col("score") == score) & later))
    order = ["score", "timestamp", "event_id"]
    return found.top_k(asked.limit + 1, by=order).sort(order, descending=True).collect()


def _nearness(snapshot: Snapshot, q: str) -> Nearness:
    """Return how near every text is that has a vector of the model that most texts have one of."""
    vectors = model_vectors(snapshot)
    return nothing() if vectors is None else nearness(vectors, vectors.encode(q))


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
