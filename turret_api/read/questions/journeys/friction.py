"""Where sessions did not get what they asked for: how often each sign of friction is, and in which topics and moves.

Sessions are independent of each other, messages within one are not. So the intervals of shares of messages are those
of sessions as they were drawn: as wide as the differences between sessions make them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import FieldAnswer, Meaning, typed_rows
from turret_api.read.questions.journeys.graph import Ends
from turret_api.read.questions.journeys.statistics import share_of_groups
from turret_api.read.questions.of_field import OfField
from turret_api.read.views.friction import has_sign
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import signed_steps
from turret_api.read.views.topics import edits_of, labels_of
from turret_pipeline.lake.tables import FRICTION, JOURNEY_STEPS
from turret_pipeline.semantics.friction import SIGNS
from turret_pipeline.semantics.visits import END

ANY = "any"
INTERVAL = Meaning("lower end of its 95% confidence interval (Wilson, for messages that come in sessions)")


class Sign(TypedDict):
    """How often a sign is."""

    sign: Annotated[str, Meaning(", ".join(SIGNS) + "; any: at least one of them")]
    n_messages: Annotated[int, Meaning("that have it")]
    share_of_messages: float | None
    share_of_messages_low: Annotated[float | None, INTERVAL]
    share_of_messages_high: float | None
    n_sessions: Annotated[int, Meaning("in which a message has it")]
    share_of_sessions: float | None
    share_of_sessions_low: Annotated[float | None, INTERVAL]
    share_of_sessions_high: float | None


class TopicFriction(TypedDict):
    """The requests of a topic that met with friction."""

    topic_id: str
    label: str
    n_requests: int
    n_with_friction: Annotated[
        int, Meaning("requests that have a sign, or a move of conversation (a complaint, say) behind them that has one")
    ]
    n_sessions: Annotated[int, Meaning("that met with friction in it")]
    share: Annotated[float, Meaning("of its requests, those with friction")]
    low: Annotated[float, INTERVAL]
    high: float


class MoveFriction(Ends):
    """The moves from one topic to another that left a visit with friction."""

    labels: list[str]
    n_moves: int
    n_with_friction: Annotated[int, Meaning("moves out of a visit in which a message has a sign")]
    n_sessions: Annotated[int, Meaning("that made such a move")]
    share: Annotated[float, Meaning("of the moves, those with friction")]
    low: Annotated[float, INTERVAL]
    high: float


@dataclass(frozen=True)
class Friction(FieldAnswer):
    """Signs, topics and moves, those first that cost most: that the most sessions met with."""

    data: list[Sign] = dataclasses.field(default_factory=list)
    topics: Annotated[list[TopicFriction], Meaning("hidden ones are left out")] = dataclasses.field(
        default_factory=list
    )
    moves: Annotated[list[MoveFriction], Meaning("to `end` too")] = dataclasses.field(default_factory=list)
    n_messages: Annotated[int, Meaning("that pass the filters, moves of conversation too")] = 0
    n_sessions: int = 0


@dataclass(frozen=True)
class FrictionOfField(OfField):
    """Where did sessions not get what they asked for?"""

    level: int = 0
    limit: int = 100

    tables = (*SOURCES, FRICTION)
    built = (JOURNEY_STEPS, FRICTION)
    answers = Friction

    def of_field(self, snapshot: Snapshot, field: str) -> Friction:
        """Return all signs, and the `limit` topics and moves that the most sessions met with friction in."""
        steps = signed_steps(snapshot, field, self.filters, self.level)
        labels, hidden = labels_of(snapshot, field), edits_of(snapshot, field).hidden
        topics = _of_topics(steps).filter(~pl.col("topic_id").is_in(list(hidden))).head(self.limit)
        named = topics.with_columns(label=pl.col("topic_id").replace(labels))
        moves = _of_moves(steps).head(self.limit)
        ends = (pl.col(end).replace(labels) for end in ("from", "to"))
        return Friction(
            typed_rows(_of_signs(steps), Sign),
            typed_rows(named, TopicFriction),
            typed_rows(moves.with_columns(labels=pl.concat_list(*ends)), MoveFriction),
            steps.height,
            steps["session"].n_unique(),
        )


def _of_signs(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all signs."""
    signs = (ANY, *SIGNS)
    by_session = steps.group_by("session").agg(n=pl.len(), **{sign: has_sign(sign).sum() for sign in signs})
    messages = pl.concat([by_session.select("n", sign=pl.lit(sign), n_with=sign) for sign in signs])
    sessions = messages.with_columns(n=pl.lit(1), n_with=pl.col("n_with") > 0)
    of_messages, of_sessions = share_of_groups(messages, "sign"), share_of_groups(sessions, "sign")
    columns = {"share": "share", "low": "share_low", "high": "share_high"}
    both = [
        found.select(
            "sign",
            pl.col("n_with").alias(f"n_{unit}"),
            *(pl.col(name).alias(to.replace("share", f"share_of_{unit}", 1)) for name, to in columns.items()),
        )
        for found, unit in ((of_messages, "messages"), (of_sessions, "sessions"))
    ]
    met = pl.DataFrame({"sign": signs}).join(both[0], on="sign", how="left").join(both[1], on="sign", how="left")
    is_any, place = pl.col("sign") == ANY, pl.col("sign").cast(pl.Enum(signs))
    counted = met.with_columns(pl.col("n_messages", "n_sessions").fill_null(0))
    return counted.sort(~is_any, "n_sessions", "n_messages", place, descending=[False, True, True, False])


def requests_of(steps: pl.DataFrame, sign: str = ANY) -> pl.DataFrame:
    """Return each request: `session`, `topic_id`, `has` (the sign); a request and the moves behind it are one."""
    request = (~pl.col("is_move")).cum_sum().over("session").clip(lower_bound=1)
    return steps.group_by("session", request=request, maintain_order=True).agg(
        pl.col("topic_id").first(), has=has_sign(sign).any()
    )


def moves_of(steps: pl.DataFrame, sign: str = ANY) -> tuple[pl.DataFrame, dict[int, str]]:
    """Return each move from visit to visit and to the end: `session`, `from`, `to`, `has`; and what the codes mean.

    has: whether the visit that it leaves has the sign.
    """
    used = steps["topic_id"].unique()
    names = dict(zip(used.to_physical().cast(pl.Int64), used.cast(pl.String), strict=True))
    end = max(names, default=-1) + 1
    coded = steps.with_columns(topic=pl.col("topic_id").to_physical().cast(pl.Int64))
    begins = (pl.col("session") != pl.col("session").shift()) | (pl.col("topic") != pl.col("topic").shift())
    visits = (
        coded.with_columns(visit=begins.fill_null(True).cum_sum())
        .group_by("visit", maintain_order=True)
        .agg(pl.col("session", "topic").first(), has=has_sign(sign).any())
    )
    stays = pl.col("session").shift(-1) == pl.col("session")
    to = pl.when(stays.fill_null(False)).then(pl.col("topic").shift(-1)).otherwise(end)
    return visits.select("session", "has", pl.col("topic").alias("from"), to.alias("to")), names | {end: END}


def _of_topics(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all topics, `label` left open."""
    return _by_cost(requests_of(steps), "topic_id", "n_requests").sort(
        "n_sessions", "n_with_friction", pl.col("topic_id").cast(pl.String), descending=[True, True, False]
    )


def _of_moves(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all moves, `labels` left open."""
    moves, names = moves_of(steps)
    n = max(names) + 1
    # As one number, for pairs are grouped several times as fast so.
    found = _by_cost(moves.select("session", "has", move=pl.col("from") * n + pl.col("to")), "move", "n_moves")
    ends = {"from": pl.col("move") // n, "to": pl.col("move") % n}
    named = found.with_columns(
        code.replace_strict(names, return_dtype=pl.String).alias(name) for name, code in ends.items()
    )
    return named.sort("n_sessions", "n_with_friction", "from", "to", descending=[True, True, False, False])


def _by_cost(rows: pl.DataFrame, of: str, counted: str) -> pl.DataFrame:
    """Return the shares of `rows` (`of`, `session`, `has`) by `of`, under the names of an answer."""
    in_sessions = rows.group_by(of, "session").agg(n=pl.len(), n_with=pl.col("has").sum())
    return share_of_groups(in_sessions, of).rename(
        {"n": counted, "n_with": "n_with_friction", "n_groups_with": "n_sessions"}
    )
