"""What each message is in its session: a request, a follow-up of one, or a move of the conversation.

Moves (greeting, thanks, yes, no …) are known by the text alone (`analysis.kinds`). A follow-up is a message that says
little by itself and has a request before it in its session ("make it shorter"): it takes the topic of the request that
it continues. One that says little in words but lies in the midst of a topic whose texts say enough ("best ramen in
town?") brings that topic, and is a request. All this follows from whole sessions in order and from what the topics are
made of, so late events and refits give what one build gives.
"""

from __future__ import annotations

import polars as pl

REQUEST, FOLLOW_UP = "request", "follow_up"

MOVES = ("greeting", "thanks", "yes", "no", "continue", "correction", "complaint", "goodbye", "other")
"""Names of the moves of a conversation, which are kinds and the names of their nodes in topics and journeys."""

KINDS = (REQUEST, FOLLOW_UP, *MOVES)

SLIGHT = 0.3
"""Weight below which a text says too little for a topic to be made of it."""

SLIGHT_IN_SESSION, SLIGHT_AFTER_MOVE, SLIGHT_IN_TOPIC = 0.35, 0.1, 0.15
"""Weight below which a text says too little to stand by itself in its session; where a move stands before it, which
often ends what was talked about ("No, that is all." "What is there to do in Rome?"); and where it brings a topic."""

SHARE_SAYING, BELOW_MEAN = 0.8, 0.1
"""A text brings a topic if so many of that topic's texts are not slight (others gather answers, such as places and
times), and it is at most so much less similar to it than its texts are in the mean. See `benchmarks/kinds.md`."""

STEP = 0.02
"""Least similarities are multiples of it: a text more moves few of them, so that few sessions are told anew."""


def kinds(steps: pl.DataFrame) -> pl.Series:
    """Return the kind of each step, one of `KINDS`, in the order of `steps`.

    steps: `session_id`, `move` (one of `MOVES` or null), `sureness` (of the move) and `weight` (how much the text
    says), both 0 to 1, `similarity` (to its topic, or null) and `least` (at which a text brings that topic, or null);
    the steps of a session one after the other, in order. A session's first step that is no move is a request, however
    little it says.
    """
    no_move = pl.col("move").is_null()
    is_first = no_move & (no_move.cast(pl.Int32).cum_sum().over("session_id") == 1)
    after_move = pl.col("move").shift().over("session_id").is_not_null()
    brings_topic = (pl.col("similarity") >= pl.col("least")).fill_null(False)
    in_session = pl.when(brings_topic).then(SLIGHT_IN_TOPIC).otherwise(SLIGHT_IN_SESSION)
    least = pl.when(after_move).then(SLIGHT_AFTER_MOVE).otherwise(in_session)
    alone = pl.when(is_first | (pl.col("weight") >= least)).then(pl.lit(REQUEST)).otherwise(pl.lit(FOLLOW_UP))
    return steps.select(pl.coalesce("move", alone).alias("kind")).to_series()


def least_similarities(texts: pl.LazyFrame) -> pl.DataFrame:
    """Return `field`, `topic_id` and `least`, the similarity from which a text brings the topic, of topics that can be.

    texts: `field`, `topic_id`, `similarity`, `move` and `weight` of all distinct texts of the fields, in any order.
    """
    says = pl.col("weight") >= SLIGHT
    # In whole thousandths, whose sum is the same in any order.
    near = (pl.col("similarity") * 1000).round().cast(pl.Int64).sum() / pl.len() / 1000
    of_topics = (
        texts.filter(pl.col("move").is_null() & pl.col("topic_id").is_not_null())
        .group_by("field", "topic_id")
        .agg(share=says.mean(), least=((near - BELOW_MEAN) / STEP).floor() * STEP)
    )
    found = of_topics.filter(pl.col("share") >= SHARE_SAYING).select("field", "topic_id", "least")
    return found.sort("field", "topic_id").collect(engine="streaming")


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
