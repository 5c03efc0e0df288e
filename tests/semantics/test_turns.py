"""Of a conversation in one text the newest turn of the user is found; texts that speak of chat templates are kept."""

# ruff: noqa: RUF001 - letters and marks of other scripts are meant.

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.semantics.prompts.asked import asked
from turret_pipeline.semantics.prompts.turns import MARKED, newest_turn, without_turns

ASK = "where is my parcel?"
FORMS = [
    "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\n{ask}<|im_end|>",
    "<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\nIt is here.<|im_end|>",
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\n{ask}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|header_start|>user<|header_end|>\n\n{ask}<|eot|><|header_start|>assistant<|header_end|>",
    "<|start|>system<|message|>Be kind.<|end|><|start|>user<|message|>{ask}<|end|><|start|>assistant",
    "<bos><start_of_turn>user\n{ask}<end_of_turn>\n<start_of_turn>model\n",
    "<|system|>\nBe kind.<|end|>\n<|user|>\n{ask}<|end|>\n<|assistant|>",
    "<|system|>\nBe kind.</s>\n<|user|>\n{ask}</s>\n<|assistant|>\n",
    "<|prompter|>{ask}<|endoftext|><|assistant|>",
    "<｜begin▁of▁sentence｜>Be kind.<｜User｜>{ask}<｜Assistant｜>",
    "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{ask}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    "[INST] {ask} [/INST]",
    "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\n{ask} [/INST]",
    "<s>[INST] hello [/INST] Hi!</s>[INST] {ask} [/INST]",
    "[SYSTEM_PROMPT]Be kind.[/SYSTEM_PROMPT][INST]{ask}[/INST]",
    "<system>Be kind.</system>\n<user>{ask}</user>",
    "<system_prompt>Be kind.</system_prompt>\n<user_message>\n{ask}\n</user_message>\n<assistant>",
    "### Instruction:\n{ask}\n\n### Response:",
    "Below is an instruction. Write a response.\n\n### Instruction:\n{ask}\n\n### Response:\n",
    "### Human: hello\n### Assistant: Hi!\n### Human: {ask}\n### Assistant:",
    "Human: {ask}\n\nAssistant:",
    "\n\nHuman: hello\n\nAssistant: Hi!\n\nHuman: {ask}\n\nAssistant:",
    "System: Be kind.\nUser: {ask}\nBot:",
    "User: hello\nAssistant: Hi!\nUser: {ask}",
    "User: {ask}\nAssistant: It is here.",
    "You are a kind bot.\n\nUser: {ask}\nAI:",
    "**User:** {ask}\n\n**Assistant:**",
    "Answer by this text.\n\nOur shop opens at nine.\n\nQuestion: {ask}\nHelpful Answer:",
    "Sei nett.\n\nBenutzer: {ask}\n\nAssistent:",
    "系统：你是助手。\n用户：{ask}\n助手：",
    "Пользователь: {ask}\nАссистент:",
    "A chat between a user and an assistant. USER: hello ASSISTANT: Hi!</s>USER: {ask} ASSISTANT:",
]
KEPT = [
    "",
    " ",
    "what does <|im_start|>user mean in ChatML?",
    "<|im_start|>user and <|im_end|> are what?",
    "<|user|> and <|assistant|> are tokens of which model?",
    "<|im_start|>user\nhello<|im_end|>\n\nWhy does this template not work?",
    "[INST] hello [/INST] Why does my template fail?",
    "How do I write [INST] and [/INST] for Llama 2?",
    "[INST] is what?",
    "def prompt(ask):\n    return f'<|im_start|>user\\n{ask}<|im_end|>'\n\nwhat is wrong with this?",
    "```\n<|im_start|>user\nhello<|im_end|>\n```\nis this right?",
    "<user>ann</user> is in my XML, how do I read it?",
    "<system>linux</system><version>6.1</version>",
    "Why does my model always end with Human: and Assistant:?",
    "User: Ann Lee\nMy account is locked",
    "Model: X5\nCustomer: Ann Lee\nIt does not start.",
    "System: Windows 11\n\nthe app crashes",
    "Write a dialogue between a man and a machine:\nHuman: hello\nAssistant:",
    "User: hello\nBot: hi\n\nSummarise this conversation in a line.",
    "What is the difference between ### Instruction: and ### Response:?",
    "Assistant: hello",
    "Assistant:",
    "Human:\n\nAssistant:",
    "user: admin, password: none",
    "<|im_start|>system\nBe kind.<|im_end|>",
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[:28].strip())
def test_of_a_conversation_in_one_text_the_newest_turn_of_the_user_is_asked(form: str) -> None:
    assert asked(form.replace("{ask}", ASK)) == ASK
    assert asked(form.replace("{ask}", f"{ASK}\nIt was sent on Monday.")) == f"{ASK}\nIt was sent on Monday."


@pytest.mark.parametrize("text", KEPT, ids=lambda text: text[:28].strip())
def test_a_text_that_only_mentions_marks_of_turns_keeps_its_words(text: str) -> None:
    assert newest_turn(text) is None and asked(text) == text


def test_a_turn_without_words_is_passed_over() -> None:
    assert asked("Human: where is it?\n\nAssistant: Here.\n\nHuman: \n\nAssistant:") == "where is it?"
    assert asked("<|user|>\nwhere is it?<|end|>\n<|user|>\n<|end|>\n<|assistant|>") == "where is it?"


def test_an_instruction_keeps_its_input() -> None:
    text = "### Instruction:\nTranslate into French.\n\n### Input:\nthe sea\n\n### Response:"
    assert asked(text) == "Translate into French.\nthe sea"


_MARKS = st.sampled_from(
    [
        "<|im_start|>user\n",
        "<|im_end|>",
        "[INST]",
        "[/INST]",
        "<user>",
        "</user>",
        "Human: ",
        "\n\nAssistant:",
        "<s>",
        "<|user|>",
        "### Input:\n",
        "### Instruction:\n",
        "### Response:",
        "<|end|>",
        "\n",
        ASK,
        "<<SYS>>",
        "<</SYS>>",
    ]
)


@given(st.one_of(st.lists(_MARKS, max_size=12).map("".join), st.text()))
def test_what_the_user_said_is_part_of_the_text_and_what_may_have_turns_is_told_by_its_ends(text: str) -> None:
    found = newest_turn(text)
    if found is not None:
        assert found and all(any(map(str.isalnum, text[start:end])) for start, end in found)
        assert found == sorted(found) and len(without_turns(text)) < len(text)
        assert pl.Series([text]).str.contains(MARKED).item()
    assert asked(asked(text)) == asked(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["Human: ", "\n\nHuman: a", "[INST]", "<user>", "<|user|>", "### Input:\n", "\t", "<s>"]
)
@pytest.mark.parametrize("end", ["", "\n\nAssistant:", "[/INST]", "</user>", "### Response:"])
@pytest.mark.timeout(120)
def test_a_giant_text_of_marks_takes_no_time(unit: str, end: str) -> None:
    asked(unit * (200_000 // len(unit)) + end)
    asked(f"{unit}a{end}" * (200_000 // len(unit + end)))
