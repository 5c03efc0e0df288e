"""Long passages that many texts share are found and cut, unless they are what people ask."""

# ruff: noqa: RUF001 - letters of other scripts are meant.

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.semantics.prompts.finding import find_frames
from turret_pipeline.semantics.prompts.frames import Frames
from turret_pipeline.semantics.prompts.passages import LEAST_TEXTS

SYSTEM = (
    "You are the assistant of a shop. Answer in two sentences, never speak of other shops, and write dates as day, "
    "month and year. If you do not know an answer, say so and name the help page."
)
FOOTER = (
    "This message is confidential and meant for its addressee alone. If it reached you by mistake, delete it and tell "
    "the sender, please; do not copy it or pass it on to others."
)
CHINESE = (
    "你是商店的助手。请用两句话回答，不要谈论其他商店，日期按年月日书写。"
    "如果不知道答案，就直说并给出帮助页面。请保持友好。"
)
SUBJECTS = ["card", "parcel", "refund", "invoice", "login", "password", "address", "plan", "voucher", "order"]
ASKS = ["where is my {}", "please cancel the {} today", "why was the {} declined", "I want to change my {} now"]


def requests(n: int) -> list[str]:
    draw = random.Random(3)
    return [f"{draw.choice(ASKS).format(draw.choice(SUBJECTS))}, case {number}" for number in range(n)]


@pytest.mark.parametrize("form", ["{frame}\n\n{ask}", "{frame} {ask}", "{ask}\n-- \n{frame}", "{ask}. {frame}"])
@pytest.mark.parametrize("frame", [SYSTEM, FOOTER, CHINESE], ids=["system", "footer", "chinese"])
def test_a_passage_that_many_texts_share_is_a_frame_wherever_it_stands(frame: str, form: str) -> None:
    asks = requests(40)
    texts = [form.format(frame=frame, ask=ask) for ask in asks] + requests(200)
    (found,) = find_frames(texts)
    assert (found.text.removeprefix("-- \n"), found.n_texts) == (frame, 40)
    frames = Frames([found.text])
    for text, ask in zip(texts, asks, strict=False):
        rest, cut = frames.split(text)
        assert rest.removesuffix("--").strip(" .\n") == ask and cut == [found.text]
    assert frames.split(frame) == (frame, [])
    assert frames.split(asks[0]) == (asks[0], [])


def test_frames_before_and_behind_and_worked_examples_are_cut_and_the_label_at_the_end_goes_too() -> None:
    shots = (
        "Message: the sky was lovely\nCategory: weather\n\nMessage: our team lost again\nCategory: sports\n\nMessage:"
    )
    asks = requests(60)
    texts = [f"{SYSTEM}\n\nHere are some examples of messages.\n{shots} {ask}\nCategory:" for ask in asks]
    texts = [f"{text}\n{FOOTER}" if number % 2 else text for number, text in enumerate(texts)]
    frames = Frames([frame.text for frame in find_frames(texts)])
    assert [frames.split(text)[0].removesuffix("Category:").strip() for text in texts] == asks


def test_a_template_with_a_slot_is_no_frame_as_it_is_what_people_ask() -> None:
    text = (
        "Please write a long and friendly article about {} for my blog, with a title, five paragraphs, a table of the "
        "main facts, and a short conclusion. Use simple words. Do not repeat yourself, and keep it under 900 words."
    )
    names = [f"{one} {other}" for one in SUBJECTS for other in SUBJECTS]
    assert find_frames([text.format(name) for name in names]) == []


def test_what_few_texts_share_and_what_is_short_is_no_frame() -> None:
    asks = requests(200)
    assert find_frames([f"{SYSTEM}\n{ask}" for ask in asks[: LEAST_TEXTS - 1]] + asks) == []
    assert find_frames([f"Hello dear team,\n{ask}\nKind regards" for ask in asks]) == []
    assert find_frames([]) == find_frames(["", "x"]) == []


def test_frames_are_the_same_in_whatever_order_the_texts_come() -> None:
    texts = [f"{SYSTEM}\n{ask}" for ask in requests(50)] + [f"{ask}\n{FOOTER}" for ask in requests(50)]
    assert find_frames(texts) == find_frames(texts[::-1]) and len(find_frames(texts)) == 2


@given(st.lists(st.sampled_from([SYSTEM, FOOTER, CHINESE, "card", "\n", "…", "a"]), max_size=8).map(" ".join))
def test_a_text_without_frames_is_never_empty_nor_longer(text: str) -> None:
    rest, cut = Frames([SYSTEM, FOOTER, CHINESE]).split(text)
    assert len(rest) <= len(text) and any(map(str.isalnum, rest)) == any(map(str.isalnum, text))
    assert all(frame in text for frame in cut) and (cut or rest == text)
