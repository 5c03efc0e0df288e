"""Friction: signs, in what happened, that a session did not get what it asked for.

Each sign is about one step of a session, and most name an earlier one as evidence, so that a reader can judge:

- `rephrased`: it asks again in other words (`rephrasing`); evidence: what it asks again.
- `repeated`: it is the very text of an earlier step. Within `CLICK_S` of that it is a second click or a client's second
  try: such a step has no sign at all. Evidence: the earlier one.
- `correction`, `complaint`: it is such a move ("no, I meant …", "that is wrong"); evidence: the request before it.
- `answer_repeated`: it got the answer, or nearly, that another message of the session got; evidence: that message.
- `back_and_forth`: with it the session goes A, B, A, B between two topics; evidence: where it was in B before.
- `gave_up`: the session ends with it though it got an answer, without thanks, consent or a next request, after friction
  before it, or with it if it complains; evidence: the last step with friction. A session that is still under way counts
  until it goes on.

Signs are functions of whole sessions in order, so late events and refits give what one build gives. Not told here: what
the signs cost, and whether an answer was good; nothing reads what answers say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from turret_pipeline.semantics.kinds import FOLLOW_UP, REQUEST
from turret_pipeline.semantics.rephrasing import rephrasings
from turret_pipeline.semantics.visits import UNASSIGNED

REPHRASED, REPEATED, CORRECTION, COMPLAINT = "rephrased", "repeated", "correction", "complaint"
GAVE_UP, BACK_AND_FORTH, ANSWER_REPEATED = "gave_up", "back_and_forth", "answer_repeated"
SIGNS = (REPHRASED, REPEATED, CORRECTION, COMPLAINT, GAVE_UP, BACK_AND_FORTH, ANSWER_REPEATED)

FRICTION = pl.Schema({"row": pl.Int64(), "sign": pl.String(), "strength": pl.Float64(), "evidence": pl.Int64()})
"""Columns of `friction`: `row` and `evidence` (null: none) are rows of `steps`; `strength` is 0 to 1."""

CLICK_S = 1.0
"""Seconds within which the same text is no second request."""

REPEATED_FOLLOW_UP = 0.5
"""Strength of a follow-up that is said again: "more" may just ask for more."""

ANSWERED = (REQUEST, FOLLOW_UP, "no", CORRECTION, COMPLAINT)
"""Kinds of messages that ask for another answer than the one before."""

SAME_ANSWER, ANSWERS_BACK = 0.95, 3
"""Cosine from which two answers with the same numbers in them say nearly the same; with how many answers before it one
is compared."""

DIGITS = 3
"""Of strengths: what lies behind depends on the machine that embedded the texts."""

NAMES_OF_ANSWERS = frozenset(("answer", "assistant", "bot", "completion", "output", "reply", "response"))
"""Words that the name of a field has which holds what a message was answered."""

_word = re.compile("[A-Z]?[a-z]+|[A-Z]+")


def is_of_answers(field: str) -> bool:
    """Return whether the name of the text field says that it holds answers."""
    return not NAMES_OF_ANSWERS.isdisjoint(word.lower() for word in _word.findall(field))


def answers_of(fields: Iterable[str]) -> dict[str, str | None]:
    """Return the text fields of which friction is told, each with the field that holds the answers to it, or None.

    fields: all text fields. Of fields that hold answers, by their names, no friction is told if there are others. The
    answers are in the only other field, or in the only one of the others whose name says so.
    """
    names = sorted(fields)
    found = {}
    for field in [name for name in names if not is_of_answers(name)] or names:
        others = [name for name in names if name != field]
        named = [name for name in others if is_of_answers(name)]
        answers = named if named else others
        found[field] = answers[0] if len(answers) == 1 else None
    return found


def numbers_in(text: pl.Expr) -> pl.Expr:
    """Return the numbers that a text has, as one text."""
    return text.str.extract_all(r"\d+").list.join(" ")


def friction(steps: pl.DataFrame, vectors: np.ndarray, numbers: pl.Series, of_answers: np.ndarray) -> pl.DataFrame:
    """Return the signs (`FRICTION`) of the steps, by row, then in the order of `SIGNS`.

    steps: as for `rephrasing.pairs`, with `timestamp`, `text_id`, `topic_id` (in context; null: none), `sureness` (of
    the move; null: 1) and `answer` (the row of its text among the distinct answers; null: none). numbers, of_answers:
    of each of these what `numbers_in` says, and its vector, of shape (n_answers, n_dims), zeros where it has none.
    """
    steps = steps.with_row_index("row").cast({"row": pl.Int64})
    again = _again(steps)
    clicks = again.filter(pl.col("gap_s") <= CLICK_S).select("row")
    repeated = again.filter(pl.col("gap_s") > CLICK_S).drop("gap_s")
    rephrased = rephrasings(steps, vectors).with_columns(sign=pl.lit(REPHRASED))
    found = [
        rephrased.join(repeated, on="row", how="anti"),
        repeated,
        _objections(steps),
        _back_and_forth(steps),
        _answers_repeated(steps, numbers, of_answers),
    ]
    signs = _declared(found).join(clicks, on="row", how="anti")
    whole = _declared([signs, _gave_up(steps, signs)]).with_columns(pl.col("strength").round(DIGITS))
    return whole.sort("row", pl.col("sign").cast(pl.Enum(SIGNS)))


def _declared(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([each.select(FRICTION.names()).cast(FRICTION) for each in frames])


def _again(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the steps whose text was said before in their session, with the seconds since then."""
    before = pl.col("row", "timestamp").shift().over("session", "text_id")
    said = steps.filter(pl.col("kind").is_in([REQUEST, FOLLOW_UP])).select(
        "row",
        before.name.suffix("_before"),
        "timestamp",
        sign=pl.lit(REPEATED),
        strength=pl.when(pl.col("kind") == REQUEST).then(1.0).otherwise(REPEATED_FOLLOW_UP),
    )
    gap_s = (pl.col("timestamp") - pl.col("timestamp_before")).dt.total_microseconds() / 1e6
    known = said.filter(pl.col("row_before").is_not_null())
    return known.select("row", "sign", "strength", evidence="row_before", gap_s=gap_s)


def _objections(steps: pl.DataFrame) -> pl.DataFrame:
    """Return corrections and complaints."""
    asked = pl.when(pl.col("kind").is_in([REQUEST, FOLLOW_UP])).then("row").forward_fill().over("session")
    found = steps.with_columns(evidence=asked).filter(pl.col("kind").is_in([CORRECTION, COMPLAINT]))
    return found.select("row", "evidence", sign="kind", strength=pl.col("sureness").fill_null(1.0))


def _back_and_forth(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the steps that begin the fourth visit of A, B, A, B."""
    topic = pl.col("topic_id").fill_null(UNASSIGNED)
    said = steps.filter(pl.col("kind").is_in([REQUEST, FOLLOW_UP])).select("session", "row", topic=topic)
    moved = (pl.col("topic") != pl.col("topic").shift()) | (pl.col("session") != pl.col("session").shift())
    visits = said.filter(moved.fill_null(True))
    back = {n: pl.col("topic").shift(n).over("session") for n in (1, 2, 3)}
    to_and_fro = (pl.col("topic") == back[2]) & (back[1] == back[3])
    known = (pl.col("topic") != UNASSIGNED) & (back[1] != UNASSIGNED)
    found = visits.with_columns(evidence=pl.col("row").shift(2).over("session"), is_one=to_and_fro & known)
    return found.filter("is_one").select("row", "evidence", sign=pl.lit(BACK_AND_FORTH), strength=1.0)


def _answers_repeated(steps: pl.DataFrame, numbers: pl.Series, of_answers: np.ndarray) -> pl.DataFrame:
    """Return the steps whose answer is that of another message before them, by the nearest of these."""
    in_answer = numbers.cast(pl.String).rank("dense").fill_null(0).to_numpy()
    asked = steps.filter(pl.col("kind").is_in(ANSWERED), pl.col("answer").is_not_null())
    row, session, answer = (asked[name].to_numpy() for name in ("row", "session", "answer"))
    said = asked["text_id"].rank("dense").to_numpy()
    frames = [FRICTION.to_frame(eager=True)]
    for back in range(1, min(ANSWERS_BACK, row.size - 1) + 1):
        later = np.flatnonzero((session[back:] == session[:-back]) & (said[back:] != said[:-back])) + back
        later = later[in_answer[answer[later]] == in_answer[answer[later - back]]]
        one, other = (_unit(of_answers, answer[rows]) for rows in (later, later - back))
        near = np.where(answer[later] == answer[later - back], 1.0, np.einsum("ij,ij->i", one, other))
        found = {"row": row[later], "strength": np.clip(near, 0, 1), "evidence": row[later - back]}
        frames.append(pl.DataFrame(found).with_columns(sign=pl.lit(ANSWER_REPEATED)).select(FRICTION.names()))
    same = _declared(frames).filter(pl.col("strength") >= SAME_ANSWER)
    return same.sort("row", "evidence", descending=[False, True]).unique("row", keep="first", maintain_order=True)


def _unit(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    found = vectors[rows].astype(np.float32)
    unit: np.ndarray = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-30)
    return unit


def _gave_up(steps: pl.DataFrame, signs: pl.DataFrame) -> pl.DataFrame:
    """Return the steps with which their sessions end though nothing says that they got what they asked for."""
    kinds = [REQUEST, FOLLOW_UP, CORRECTION, COMPLAINT]
    last = steps.filter(pl.col("session") != pl.col("session").shift(-1).fill_null(-1))
    open_ends = last.filter(pl.col("kind").is_in(kinds), pl.col("answer").is_not_null()).select("session", last="row")
    trouble = signs.with_columns(steps["session"].gather(signs["row"])).join(open_ends, on="session")
    before, complains = pl.col("row") < pl.col("last"), pl.col("sign") == COMPLAINT
    of_each = trouble.filter(before | complains).sort("last", "row", "strength").group_by("last", maintain_order=True)
    found = of_each.agg(
        earlier=pl.col("row").filter(before).last(),
        asked=pl.col("evidence").last(),
        strength=pl.col("strength").max(),
    )
    evidence = pl.coalesce("earlier", "asked")
    return found.select("strength", row="last", evidence=evidence, sign=pl.lit(GAVE_UP))
