"""Signs of friction: what they are, what they are not, and that they follow from whole sessions alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline.semantics.friction import FRICTION, SIGNS, answers_of, friction, numbers_in
from turret_pipeline.semantics.kinds import FOLLOW_UP, MOVES, REQUEST
from turret_pipeline.semantics.rephrasing import LEAST, PAIRS, WINDOW, pairs, strength

T0 = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
N_DIMS = 16

AT = {
    "where is my parcel": (0, 0.0),
    "has my package come": (0, 0.4),
    "parcel not there yet": (0, -0.4),
    "i want my money back": (1, 0.0),
    "what is the weather": (2, 0.0),
    "play some jazz": (3, 0.0),
}
"""By text: the axis that its vector lies near, and how far beside it. Those of one axis mean the same."""


@dataclass(frozen=True)
class Said:
    """One message: its text and kind, its session, the seconds since the one before, its topic and its answer."""

    text: str
    kind: str = REQUEST
    session: int = 0
    gap_s: float = 60.0
    topic: str | None = None
    answer: str | None = None


def vector(text: str) -> np.ndarray:
    axis, beside = AT.get(text, (4 + sum(text.encode()) % 8, 0.0))
    found = np.zeros(N_DIMS, dtype=np.float32)
    found[axis], found[15] = 1.0, beside
    return found / np.linalg.norm(found)


def steps_of(said: Sequence[Said]) -> tuple[pl.DataFrame, np.ndarray, pl.Series, np.ndarray]:
    """What `friction` takes, of messages in order of their sessions."""
    texts = list(dict.fromkeys(each.text for each in said))
    answers = list(dict.fromkeys(each.answer for each in said if each.answer is not None))
    at = np.cumsum([each.gap_s for each in said])
    steps = pl.DataFrame(
        {
            "session": [each.session for each in said],
            "timestamp": [T0 + dt.timedelta(seconds=float(second)) for second in at],
            "text_id": [each.text for each in said],
            "kind": [each.kind for each in said],
            "topic_id": [each.topic for each in said],
            "text_topic_id": [each.topic for each in said],
            "weight": [0.2 if each.kind == FOLLOW_UP else 0.9 for each in said],
            "sureness": [0.8 for _ in said],
            "vector": [texts.index(each.text) for each in said],
            "answer": [None if each.answer is None else answers.index(each.answer) for each in said],
        },
        schema={
            "session": pl.Int64,
            "timestamp": pl.Datetime("us", "UTC"),
            "text_id": pl.String,
            "kind": pl.String,
            "topic_id": pl.String,
            "text_topic_id": pl.String,
            "weight": pl.Float32,
            "sureness": pl.Float32,
            "vector": pl.UInt32,
            "answer": pl.UInt32,
        },
    )
    vectors = np.array([vector(text) for text in texts], dtype=np.float32).reshape(len(texts), N_DIMS)
    of_answers = np.array([vector(text) for text in answers], dtype=np.float32).reshape(len(answers), N_DIMS)
    numbers = pl.DataFrame({"text": answers}, schema={"text": pl.String}).select(numbers_in(pl.col("text")))
    return steps, vectors, numbers.to_series(), of_answers


def signs(*said: Said) -> list[tuple[int, str, int | None]]:
    """Row, sign and evidence of each sign."""
    return friction(*steps_of(said)).select("row", "sign", "evidence").rows()


PARCEL, PACKAGE, REFUND, WEATHER, JAZZ = (
    Said("where is my parcel", topic="parcel"),
    Said("has my package come", topic="parcel"),
    Said("i want my money back", topic="refund"),
    Said("what is the weather", topic="weather"),
    Said("play some jazz", topic="music"),
)
THANKS, YES, NO = Said("thanks", "thanks"), Said("yes", "yes"), Said("no", "no")
WRONG, MEANT = Said("this is wrong", "complaint"), Said("no, I meant", "correction")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ((PARCEL, PACKAGE), [(1, "rephrased", 0)]),
        ((PARCEL, REFUND, PACKAGE), [(2, "rephrased", 0)]),
        ((PARCEL, REFUND), []),
        ((PARCEL, REFUND, WEATHER, JAZZ), []),
        ((PARCEL, PARCEL), [(1, "repeated", 0)]),
        ((PARCEL, REFUND, PARCEL, WEATHER, PARCEL), [(2, "repeated", 0), (4, "repeated", 2)]),
        ((PARCEL, WRONG), [(1, "complaint", 0)]),
        ((PARCEL, THANKS, MEANT), [(2, "correction", 0)]),
        ((WRONG, PARCEL), [(0, "complaint", None)]),
        ((YES, YES, THANKS, THANKS), []),
    ],
)
def test_a_sign_names_the_message_that_it_refers_to(
    said: tuple[Said, ...], found: list[tuple[int, str, int | None]]
) -> None:
    assert signs(*said) == found


def test_the_same_text_within_a_second_is_a_second_click_and_no_sign() -> None:
    twice = Said(PARCEL.text, topic="parcel", gap_s=0.8)
    assert signs(PARCEL, twice, twice) == []
    assert signs(PARCEL, Said(PARCEL.text, topic="parcel", gap_s=1.2)) == [(1, "repeated", 0)]
    assert signs(PACKAGE, PARCEL, twice) == [(1, "rephrased", 0)]


def test_a_follow_up_that_is_said_again_is_a_weaker_sign() -> None:
    more = Said("more", FOLLOW_UP, topic="parcel")
    found = friction(*steps_of([PARCEL, more, more]))
    assert found.rows() == [(2, "repeated", 0.5, 1)]


def surely(*said: Said) -> float:
    """How sure it is that the last message asks the first's question again."""
    steps, vectors, *_ = steps_of(said)
    judged = pairs(steps, vectors).with_columns(strength=strength())
    return float(judged.filter(pl.col("earlier") == 0, pl.col("later") == len(said) - 1)["strength"].item())


def test_a_no_between_two_messages_makes_a_rephrasing_surer_and_thanks_make_it_less_sure() -> None:
    assert surely(PARCEL, THANKS, PACKAGE) < surely(PARCEL, PACKAGE) < surely(PARCEL, NO, PACKAGE)
    assert surely(PARCEL, YES, PACKAGE) < surely(PARCEL, PACKAGE) < surely(PARCEL, MEANT, PACKAGE)


def test_what_lies_further_back_or_has_another_topic_is_less_sure_to_be_meant() -> None:
    assert surely(PARCEL, REFUND, WEATHER, PACKAGE) < surely(PARCEL, REFUND, PACKAGE) < surely(PARCEL, PACKAGE)
    assert surely(PARCEL, Said(PACKAGE.text, topic="other")) < surely(PARCEL, Said(PACKAGE.text))


def test_nearness_counts_beside_that_of_the_other_messages_of_the_session() -> None:
    near = Said("parcel not there yet", topic="parcel")
    all_alike = surely(PARCEL, near, PACKAGE) - surely(PARCEL, REFUND, PACKAGE)
    assert all_alike < 0


def test_back_and_forth_is_the_fourth_visit_between_two_topics_and_each_one_after_it() -> None:
    found = signs(
        PARCEL, REFUND, THANKS, Said("a", topic="parcel"), Said("b", topic="refund"), Said("c", topic="parcel")
    )
    assert [each for each in found if each[1] == "back_and_forth"] == [
        (4, "back_and_forth", 1),
        (5, "back_and_forth", 3),
    ]


@pytest.mark.parametrize("topics", ["pwpx", "p-p-", "ppww", "pwxw"])
def test_other_ways_are_no_back_and_forth(topics: str) -> None:
    said = [Said(f"{n}", topic=None if topic == "-" else topic) for n, topic in enumerate(topics)]
    assert "back_and_forth" not in [sign for _, sign, _ in signs(*said)]


def answered(said: Said, answer: str) -> Said:
    return Said(said.text, said.kind, said.session, said.gap_s, said.topic, answer)


@pytest.mark.parametrize(
    ("answers", "is_repeated"),
    [
        (("It is on its way.", "It is on its way."), True),
        (("where is my parcel", "has my package come"), False),
        (("It is on its way.", "We have no jazz."), False),
    ],
)
def test_the_same_answer_to_two_messages_is_a_sign(answers: tuple[str, str], is_repeated: bool) -> None:
    found = signs(answered(PARCEL, answers[0]), answered(REFUND, answers[1]), THANKS)
    assert found == ([(1, "answer_repeated", 0)] if is_repeated else [])


def test_answers_with_other_numbers_in_them_are_not_the_same() -> None:
    steps, vectors, _, _ = steps_of([answered(PARCEL, "Room 1"), answered(REFUND, "Room 2"), THANKS])
    near = np.ones((2, N_DIMS), dtype=np.float32)
    assert friction(steps, vectors, pl.Series(["1", "2"]), near).is_empty()
    found = friction(steps, vectors, pl.Series(["1", "1"]), near)
    assert found["sign"].to_list() == ["answer_repeated"]


def test_thanks_may_get_the_answer_that_other_thanks_got() -> None:
    assert (
        signs(answered(PARCEL, "x"), answered(THANKS, "Welcome."), answered(REFUND, "y"), answered(YES, "Welcome."))
        == []
    )


@pytest.mark.parametrize(
    ("said", "evidence"),
    [
        ((PARCEL, PACKAGE, answered(JAZZ, "No.")), 1),
        ((PARCEL, WRONG, answered(REFUND, "No.")), 1),
        ((PARCEL, answered(WRONG, "Sorry.")), 0),
        ((PARCEL, PACKAGE, JAZZ), None),
        ((PARCEL, PACKAGE, answered(JAZZ, "Here."), THANKS), None),
        ((PARCEL, answered(PACKAGE, "It is there.")), None),
        ((PARCEL, answered(JAZZ, "Here.")), None),
    ],
)
def test_a_session_gave_up_if_it_ends_on_an_answered_request_after_friction(
    said: tuple[Said, ...], evidence: int | None
) -> None:
    found = [each for each in signs(*said) if each[1] == "gave_up"]
    assert found == ([] if evidence is None else [(len(said) - 1, "gave_up", evidence)])


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        (["prompt"], {"prompt": None}),
        (["prompt", "response"], {"prompt": "response"}),
        (["prompt", "comment"], {"prompt": "comment", "comment": "prompt"}),
        (["prompt", "comment", "botReply"], {"prompt": "botReply", "comment": "botReply"}),
        (["prompt", "comment", "title"], {"prompt": None, "comment": None, "title": None}),
        (["input.text", "output.text", "llm_answer"], {"input.text": None}),
        (["response"], {"response": None}),
        (["bottom", "respond"], {"bottom": "respond", "respond": "bottom"}),
    ],
)
def test_answers_are_in_the_one_other_field_or_in_that_which_is_named_so(
    fields: list[str], answers: dict[str, str | None]
) -> None:
    assert answers_of(fields) == answers


def test_without_steps_there_are_no_signs() -> None:
    assert friction(*steps_of([])).equals(FRICTION.to_frame(eager=True))


TEXTS = [*AT, "a", "b", "thanks"]


@st.composite
def sessions(draw: st.DrawFn) -> list[list[Said]]:
    """Some sessions, each of some messages."""
    found = []
    for session in range(draw(st.integers(1, 4))):
        n = draw(st.integers(1, 8))
        said = [
            Said(
                draw(st.sampled_from(TEXTS)),
                draw(st.sampled_from([REQUEST, REQUEST, FOLLOW_UP, *MOVES])),
                session,
                draw(st.sampled_from([0.5, 60.0])),
                draw(st.sampled_from(["p", "q", None])),
                draw(st.sampled_from(["x", "y 1", None])),
            )
            for _ in range(n)
        ]
        found.append(said)
    return found


@pytest.mark.slow
@settings(max_examples=40)
@given(sessions())
def test_the_signs_of_a_session_are_those_that_it_has_alone(said: list[list[Said]]) -> None:
    together = signs(*(each for session in said for each in session))
    start, alone = 0, []
    for session in said:
        alone += [(row + start, sign, None if at is None else at + start) for row, sign, at in signs(*session)]
        start += len(session)
    assert together == alone


@settings(max_examples=40)
@given(sessions())
def test_strengths_lie_within_0_and_1_and_evidence_lies_before_in_the_same_session(said: list[list[Said]]) -> None:
    steps, *rest = steps_of([each for session in said for each in session])
    found = friction(steps, *rest)
    assert found["strength"].is_between(0, 1).all()
    assert found.select("row", "sign").is_unique().all()
    assert found["sign"].is_in(SIGNS).all()
    named = found.drop_nulls("evidence")
    assert (named["evidence"] < named["row"]).all()
    assert steps["session"].gather(named["row"]).equals(steps["session"].gather(named["evidence"]))
    both = found.filter(pl.col("sign").is_in(["rephrased", "repeated"]))
    assert both["row"].is_unique().all()


@settings(max_examples=40)
@given(st.permutations([PARCEL, REFUND, WEATHER, JAZZ, THANKS, YES]))
def test_a_session_without_a_request_that_comes_again_has_no_rephrasing(said: list[Said]) -> None:
    assert signs(*said) == []


def test_pairs_lie_within_a_session_and_the_window_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [Said(f"{n}", session=n // 10) for n in range(40)]
    steps, vectors, *_ = steps_of(said)
    whole = pairs(steps, vectors)
    assert whole.height == 4 * sum(min(n, WINDOW) for n in range(10))
    assert whole.schema == PAIRS
    monkeypatch.setattr("turret_pipeline.semantics.rephrasing.CHUNK_STEPS", 7)
    assert pairs(steps, vectors).equals(whole)


def test_vectors_of_8_bits_do() -> None:
    steps, vectors, answers, of_answers = steps_of([PARCEL, PACKAGE, REFUND])
    whole = friction(steps, np.rint(vectors * 127).astype(np.int8), answers, of_answers)
    assert whole.select("row", "sign", "evidence").rows() == [(1, "rephrased", 0)]
    assert whole["strength"][0] >= LEAST
