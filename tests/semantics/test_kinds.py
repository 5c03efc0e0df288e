"""What messages are in their sessions, and the topics that they have there."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.semantics.kinds import (
    FOLLOW_UP,
    KINDS,
    MOVES,
    REQUEST,
    kinds,
    least_similarities,
    topics_in_context,
)

SCHEMA = {"session_id": pl.String, "move": pl.String, "sureness": pl.Float32, "weight": pl.Float32}
TOPICS = {"topic_id": pl.String, "similarity": pl.Float64, "least": pl.Float64}

STEP = st.tuples(
    st.sampled_from([None, None, None, *MOVES]), st.floats(0, 1, width=32), st.sampled_from([None, "t_1", "t_2"])
)
SESSIONS = st.lists(st.lists(STEP, min_size=1, max_size=6), max_size=5)


def told(sessions: list[list[tuple[str | None, float, str | None]]], least: float | None = None) -> pl.DataFrame:
    """Return the steps of `sessions` (each step: move, weight, topic of its text), with `kind` and `in_context`.

    All texts have a similarity of 0.5 to their topics, which texts bring from `least`.
    """
    rows = [
        (f"s{number}", move, 1.0, weight, topic, 0.5, least)
        for number, session in enumerate(sessions)
        for move, weight, topic in session
    ]
    steps = pl.DataFrame(rows, schema=SCHEMA | TOPICS, orient="row")
    steps = steps.with_columns(kinds(steps).alias("kind"))
    return steps.with_columns(topics_in_context(steps).alias("in_context"))


def test_a_slight_message_takes_the_topic_of_the_request_before_it() -> None:
    found = told([[(None, 0.9, "t_1"), (None, 0.1, "t_2"), (None, 0.2, None), (None, 0.8, "t_3"), (None, 0.1, "t_1")]])
    assert found["kind"].to_list() == [REQUEST, FOLLOW_UP, FOLLOW_UP, REQUEST, FOLLOW_UP]
    assert found["in_context"].to_list() == ["t_1", "t_1", "t_1", "t_3", "t_3"]


def test_a_move_keeps_its_name_and_has_no_topic() -> None:
    found = told([[("greeting", 0.0, "t_2"), (None, 0.9, "t_1"), ("thanks", 0.9, "t_2")]])
    assert found["kind"].to_list() == ["greeting", REQUEST, "thanks"]
    assert found["in_context"].to_list() == [None, "t_1", None]


def test_the_first_that_is_said_besides_moves_is_a_request_however_little_it_says() -> None:
    found = told([[("greeting", 0.0, None), (None, 0.0, "t_1"), (None, 0.0, "t_2")]])
    assert found["kind"].to_list() == ["greeting", REQUEST, FOLLOW_UP]
    assert found["in_context"].to_list() == [None, "t_1", "t_1"]


def test_after_a_move_less_makes_a_new_request() -> None:
    found = told(
        [[(None, 0.9, "t_1"), (None, 0.2, "t_2")], [(None, 0.9, "t_1"), ("no", 0.0, None), (None, 0.2, "t_2")]]
    )
    assert found["kind"].to_list() == [REQUEST, FOLLOW_UP, REQUEST, "no", REQUEST]
    assert found["in_context"].to_list() == ["t_1", "t_1", "t_1", None, "t_2"]


def test_a_follow_up_of_a_request_without_a_topic_has_its_own() -> None:
    found = told([[(None, 0.9, "t_1"), (None, 0.9, None), (None, 0.1, "t_2"), (None, 0.1, None)]])
    assert found["in_context"].to_list() == ["t_1", None, "t_2", None]


def test_a_slight_message_in_the_midst_of_a_topic_is_a_request_of_it() -> None:
    session: list[tuple[str | None, float, str | None]] = [(None, 0.9, "t_1"), (None, 0.2, "t_2"), (None, 0.1, "t_3")]
    assert told([session], least=0.5)["kind"].to_list() == [REQUEST, REQUEST, FOLLOW_UP]
    assert told([session], least=0.5)["in_context"].to_list() == ["t_1", "t_2", "t_2"]
    assert told([session], least=0.52)["in_context"].to_list() == ["t_1", "t_1", "t_1"]


def assigned(topic_id: str, similarity: float, move: str | None, weight: float) -> dict[str, object]:
    return {"field": "q", "topic_id": topic_id, "similarity": similarity, "move": move, "weight": weight}


def test_only_a_topic_whose_texts_say_enough_can_be_brought_and_from_near_its_mean() -> None:
    texts = [assigned("food", similarity, None, 0.8) for similarity in (0.6, 0.65, 0.7, 0.75)]
    texts += [assigned("food", 0.55, None, 0.2), assigned("food", 0.1, "thanks", 0.0)]
    texts += [assigned("places", 0.9, None, weight) for weight in (0.8, 0.8, 0.8, 0.2)]
    found = least_similarities(pl.LazyFrame(texts))
    assert found.select("field", "topic_id").rows() == [("q", "food")]
    assert found["least"].round(4).to_list() == [0.54]  # the mean of the five that are no moves is 0.65


@given(SESSIONS)
def test_every_step_has_one_kind_and_a_move_its_own(sessions: list[list[tuple[str | None, float, str | None]]]) -> None:
    found = told(sessions)
    assert set(found["kind"]) <= set(KINDS)
    assert (found["kind"] == found["move"]).drop_nulls().all()
    assert found.filter(pl.col("move").is_not_null())["in_context"].null_count() == found["move"].count()
    requests = found.filter(pl.col("kind") == REQUEST)
    assert requests["in_context"].equals(requests["topic_id"], check_names=False)


@given(SESSIONS)
def test_a_session_begins_with_no_follow_up(sessions: list[list[tuple[str | None, float, str | None]]]) -> None:
    found = told(sessions).filter(~pl.col("kind").is_in(MOVES))
    assert FOLLOW_UP not in set(found.unique("session_id", keep="first", maintain_order=True)["kind"])


@given(SESSIONS, st.randoms())
def test_a_session_is_told_the_same_whatever_stands_beside_it(sessions: list, random: object) -> None:
    alone = [told([session]).drop("session_id") for session in sessions]
    order = list(range(len(sessions)))
    random.shuffle(order)  # type: ignore[attr-defined]
    together = told([sessions[number] for number in order])
    for place, number in enumerate(order):
        assert together.filter(pl.col("session_id") == f"s{place}").drop("session_id").equals(alone[number])
