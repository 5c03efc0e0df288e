"""What each message is in its session: a request, a follow-up of one, or a move of the conversation.

Moves (greeting, thanks, yes, no …) are known by the text alone (`analysis.kinds`). A follow-up is a message that says
little by itself and has a request before it in its session ("make it shorter"): it takes the topic of the request that
it continues, unless it brings one of its own. Both are functions of whole sessions in order, so late events and refits
give what one build gives.
"""

from __future__ import annotations

import polars as pl

REQUEST, FOLLOW_UP = "request", "follow_up"

MOVES = ("greeting", "thanks", "yes", "no", "continue", "correction", "complaint", "goodbye", "other")
"""Names of the moves of a conversation, which are kinds and the names of their nodes in topics and journeys."""

KINDS = (REQUEST, FOLLOW_UP, *MOVES)

SLIGHT, SLIGHT_AFTER_MOVE = 0.3, 0.1
"""Weight below which a text says too little to stand by itself; and where a move stands before it, which often ends
what was talked about ("No, that is all." "What is there to do in Rome?")."""


def kinds(steps: pl.DataFrame) -> pl.Series:
    """Return the kind of each step, one of `KINDS`, in the order of `steps`.

    steps: `session_id`, `move` (one of `MOVES` or null), `sureness` (of the move) and `weight` (how much the text
    says), both 0 to 1; the steps of a session one after the other, in order. A session's first step that is no move is
    a request, however little it says.
    """
    no_move = pl.col("move").is_null()
    is_first = no_move & (no_move.cast(pl.Int32).cum_sum().over("session_id") == 1)
    after_move = pl.col("move").shift().over("session_id").is_not_null()
    least = pl.when(after_move).then(SLIGHT_AFTER_MOVE).otherwise(SLIGHT)
    alone = pl.when(is_first | (pl.col("weight") >= least)).then(pl.lit(REQUEST)).otherwise(pl.lit(FOLLOW_UP))
    return steps.select(pl.coalesce("move", alone).alias("kind")).to_series()


def topics_in_context(steps: pl.DataFrame) -> pl.Series:
    """Return the topic of each step in its session, null where it has none, in the order of `steps`.

    steps: as for `kinds`, with `kind`, and `topic_id` and `similarity` as the text alone has them (null: none).
    A request has its own topic, a move none, a follow-up that of the request before it, or its own where that has none.
    """
    own = pl.col("topic_id")
    of_request = pl.when(pl.col("kind") == REQUEST).then(pl.coalesce(own, pl.lit("")))
    before = of_request.forward_fill().over("session_id").replace("", None)
    topic = (
        pl.when(pl.col("kind") == REQUEST).then(own).when(pl.col("kind") == FOLLOW_UP).then(pl.coalesce(before, own))
    )
    return steps.select(topic.alias("topic_id")).to_series()
