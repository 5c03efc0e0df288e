"""How sure it is that a message asks again, in other words, what an earlier one of its session asked.

A pair of messages of one session is judged by what stands in both and between them: how much nearer their vectors are
than those of the session's other messages (all of a bank's customers talk of cards), whether their texts have one
topic, how much each says by itself, how many requests lie between, and whether the person agreed meanwhile (yes,
thanks: what comes next is new) or objected (no, a correction, a complaint). Pairs are taken within sessions alone, so
strengths follow from the session's own steps, in whatever order these came.

Not judged by: how long it took, for the times of labelled conversations are made up; shared words, for the vectors know
more; the answer between, which not every project sends.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from turret_pipeline.semantics.visits import is_move

WINDOW = 6
"""With how many requests before it a message is compared."""

AGREED, OBJECTED = ("yes", "thanks", "continue", "goodbye"), ("no", "correction", "complaint")
"""Moves after which a request is likely to be a new one, and moves after which it is likely to be the same again."""

USUAL_COSINE, USUAL_PAIRS = 0.2, 2
"""Cosine of two requests that have nothing to do with each other (.15 to .27 on four labelled sets), and how many such
pairs are thought into each session: a session of two messages has nothing else to be compared with."""

WEIGHTS = {
    "beside": 8.01,
    "one_topic": 0.16,
    "other_topic": -1.33,
    "says": 2.09,
    "said": 0.88,
    "next": 1.59,
    "apart": -1.19,
    "agreed": -1.0,
    "objected": 0.7,
}
BIAS = -5.7
"""Of a logistic regression. `python benchmarks/friction.py DATA --learn` learns all but the last two weights, on half
of sgd_train's conversations, banking77 and xsid_valid with planted rephrasings, and says how each set does with the
weights that the others teach. The last two are set by hand: what is planted right behind a request has no move between
that could teach them. The bias that was learnt, -5.07, is lowered so that few real turns of sgd_train reach `LEAST`."""

LEAST = 0.5
"""Strength from which a message counts as a rephrasing."""

CHUNK_STEPS = 20_000
"""Steps whose vectors are in memory as float32 at once: whole sessions of them."""

PAIRS = pl.Schema({"later": pl.Int64(), "earlier": pl.Int64()} | {name: pl.Float64() for name in WEIGHTS})
"""Columns of `pairs`: the rows of the two messages in `steps`, then what the pair is judged by.

beside: cosine of the two vectors, less the mean cosine of either with others near it. one_topic, other_topic: whether
both texts have one topic, or each another. says, said: how much (0 to 1) the later and the earlier say by themselves.
next: whether no other request is between them; apart: the logarithm of how many requests the earlier lies back. agreed,
objected: whether there was such a move since.
"""


def rephrasings(steps: pl.DataFrame, vectors: np.ndarray) -> pl.DataFrame:
    """Return `row`, `strength` (`LEAST` to 1) and `evidence` of the steps that ask again in other words, by row.

    steps, vectors: as for `pairs`. evidence: row of the earlier message that it is most surely a rephrasing of.
    """
    judged = pairs(steps, vectors).select("later", "earlier", strength=strength())
    best = judged.filter(pl.col("strength") >= LEAST).sort(
        "later", "strength", "earlier", descending=[False, True, True]
    )
    found = best.unique("later", keep="first", maintain_order=True)
    return found.select("strength", row="later", evidence="earlier").select("row", "strength", "evidence")


def strength() -> pl.Expr:
    """Return how sure it is (0 to 1) that the later of each of `pairs` is a rephrasing of the earlier."""
    score = pl.sum_horizontal(pl.col(name) * weight for name, weight in WEIGHTS.items()) + BIAS
    return 1 / (1 + (-score).exp())


def pairs(steps: pl.DataFrame, vectors: np.ndarray) -> pl.DataFrame:
    """Return the pairs (`PAIRS`) of messages that are no moves, at most `WINDOW` apart in a session, in order.

    steps: `session` (a number), `kind`, `text_topic_id` (that of the text alone; null: none), `weight` (0 to 1; null:
    1), `vector` (the text's row in `vectors`; null: none), sessions one after the other, the steps of each in order.
    vectors: of shape (n_texts, n_dims), float32 or int8, of any length but 0. Left out are messages without a vector,
    and pairs that say the very same.
    """
    frames = [PAIRS.to_frame(eager=True)]
    frames += [_of_chunk(steps[rows], vectors, rows.start) for rows in _chunks(steps["session"].to_numpy())]
    return pl.concat(frames)


def _chunks(session: np.ndarray) -> Iterator[slice]:
    """Yield runs of rows, of whole sessions each, of `CHUNK_STEPS` rows or as many more as the last session has."""
    ends = np.append(np.flatnonzero(session[1:] != session[:-1]) + 1, session.size)
    start = 0
    while start < session.size:
        end = int(ends[np.searchsorted(ends, min(start + CHUNK_STEPS, session.size))])
        yield slice(start, end)
        start = end


def _of_chunk(steps: pl.DataFrame, vectors: np.ndarray, start: int) -> pl.DataFrame:
    kind = pl.col("kind")
    counted = steps.with_columns(
        agreed=kind.is_in(AGREED).fill_null(False).cum_sum(),
        objected=kind.is_in(OBJECTED).fill_null(False).cum_sum(),
        row=pl.int_range(pl.len()) + start,
        topic=pl.col("text_topic_id").rank("dense").fill_null(0),
    )
    said = counted.filter(~is_move(), pl.col("vector").is_not_null())
    columns = {name: said[name].to_numpy() for name in ("session", "row", "vector", "topic", "agreed", "objected")}
    weight = said["weight"].cast(pl.Float64).fill_null(1.0).to_numpy()
    unit = vectors[columns["vector"]].astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-30)
    frames = [pl.DataFrame(schema={"i": pl.Int64, "j": pl.Int64, "cosine": pl.Float64, **PAIRS})]
    for back in range(1, min(WINDOW, said.height - 1) + 1):
        later = np.arange(back, said.height)
        is_pair = columns["session"][back:] == columns["session"][:-back]
        is_pair &= columns["vector"][back:] != columns["vector"][:-back]
        later = later[is_pair]
        earlier = later - back
        known = (columns["topic"][later] > 0) & (columns["topic"][earlier] > 0)
        one = columns["topic"][later] == columns["topic"][earlier]
        # One after the other: as one product of two large arrays it would take several times the memory.
        cosine = np.einsum("ij,ij->i", unit[back:], unit[:-back], dtype=np.float32)[is_pair]
        found = {
            "i": later,
            "j": earlier,
            "cosine": cosine,
            "later": columns["row"][later],
            "earlier": columns["row"][earlier],
            "beside": np.zeros(later.size),
            "one_topic": one & known,
            "other_topic": ~one & known,
            "says": weight[later],
            "said": weight[earlier],
            "next": np.full(later.size, back == 1),
            "apart": np.full(later.size, np.log(back)),
            "agreed": columns["agreed"][later] > columns["agreed"][earlier],
            "objected": columns["objected"][later] > columns["objected"][earlier],
        }
        frames.append(pl.DataFrame(found).cast(frames[0].schema))
    whole = pl.concat(frames)
    return whole.with_columns(beside=_beside(whole, said.height)).select(PAIRS.names()).sort("later", "earlier")


def _beside(pairs: pl.DataFrame, n_messages: int) -> pl.Series:
    """Return each pair's cosine less the mean cosine of the other pairs that have one of its two messages."""
    i, j, cosine = (pairs[name].to_numpy() for name in ("i", "j", "cosine"))
    total = np.bincount(i, cosine, n_messages) + np.bincount(j, cosine, n_messages)
    count = np.bincount(i, minlength=n_messages) + np.bincount(j, minlength=n_messages)
    others = total[i] + total[j] - 2 * cosine + USUAL_PAIRS * USUAL_COSINE
    return pl.Series(cosine - others / (count[i] + count[j] - 2 + USUAL_PAIRS))
