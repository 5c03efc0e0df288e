"""Chat templates inside one text: which part of it the user said last.

Clients that build a model's prompt themselves send the whole conversation as one text, with marks of who speaks:

    <|im_start|>user … <|im_end|>                                        ChatML, Qwen
    <|start_header_id|>user<|end_header_id|> … <|eot_id|>                Llama 3; Llama 4, Granite and Harmony alike
    <start_of_turn>user … <end_of_turn>                                  Gemma
    <|user|> … <|end|>                                                   Phi, Zephyr, GLM; DeepSeek with wide bars
    [INST] <<SYS>> … <</SYS>> … [/INST]                                  Llama 2, Mistral
    <system> … </system> <user> … </user>                                tags
    ### Instruction: … ### Input: … ### Response:                        Alpaca
    Human: … Assistant:                                                  labels of lines, in many languages

A text that speaks of such marks keeps its words: marks count only where they make up the text, from its first character
or up to its last one, with nothing outside of turns. Labels, which people write too, must begin the text, or leave the
last turn to the assistant.
"""

# ruff: noqa: RUF001 (marks and words of many scripts)
from __future__ import annotations

import re
from typing import NamedTuple

from turret_pipeline.semantics.chat import ASSISTANT, OTHER, USER
from turret_pipeline.semantics.prompts.asking import asks

Span = tuple[int, int]

MARKED = (
    r"^(?i:[\s*_]*(?:<|\[|#|【|human|user|system|assistant|bot|ai|customer|benutzer|nutzer|utilisateur|usuario|usuário"
    r"|utente|gebruiker|пользователь|человек|用户|用戶|ユーザー|사용자|المستخدم|kullanıcı|użytkownik"
    r"|assistent|système|sistema|systeem|система|系统|系統))|[:：>\]*#]\s*$"
)
"""Pattern of texts that may have turns, for Rust's `regex` too; others have none. It looks at the ends alone."""

LONGEST_PREAMBLE = 200
"""Characters before the first label within which a request for a dialogue is looked for."""

_ROLE = (
    "user|human|prompter|customer|enduser|assistant|model|chatbot|bot|ai|gpt|system|developer|tool|function|observation"
)
_ROLES = (
    dict.fromkeys(("user", "human", "prompter", "customer", "enduser"), USER)
    | dict.fromkeys(("assistant", "model", "chatbot", "bot", "ai", "gpt"), ASSISTANT)
    | dict.fromkeys(("system", "developer", "tool", "function", "observation"), OTHER)
)
_BEGINNING = re.compile(
    r"(?:\s|<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>|<[|｜]begin▁of▁sentence[|｜]>|<BOS_TOKEN>|<\|endoftext\|>"
    r"|\[gMASK\]|<sop>)*+"
)
_HEADER = re.compile(
    rf"(?:<\|im_start\|>\s?|<\|(?:start_header_id|header_start|start_of_role)\|>|<start_of_turn>|<\|start\|>"
    rf"|<\|START_OF_TURN_TOKEN\|><\||<[|｜])(?P<role>{_ROLE})"
    r"(?:(?P<end>_TOKEN\|>|[|｜]>|<\|(?:end_header_id|header_end|end_of_role)\|>|(?:<\|channel\|>\w+)?<\|message\|>)"
    r"|(?=\s|$|<))",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|eot\|>|<end_of_turn>|<\|end_of_turn\|>|<\|end\|>|<\|return\|>|</s>|<eos>"
    r"|<\|endoftext\|>|<\|end_of_text\|>|<\|END_OF_TURN_TOKEN\|>|<[|｜]end▁of▁sentence[|｜]>"
)
_OPEN_INSTRUCTION, _CLOSED_INSTRUCTION = "[INST]", "[/INST]"
_SYSTEM = re.compile(r"\s*<<SYS>>.*?<</SYS>>|\s*\[SYSTEM_PROMPT\].*?\[/SYSTEM_PROMPT\]", re.DOTALL)
_BEFORE_INSTRUCTION = re.compile(r"(?:\s|</?s>|\[(SYSTEM_PROMPT|AVAILABLE_TOOLS)\].*?\[/\1\])*+", re.DOTALL)
_OF_USER = r"(?:user|human|customer)(?:[_-]?(?:message|input|query|prompt|question|request|turn))?"
_OF_OTHERS = (
    r"(?:system|developer|assistant|ai|bot)(?:[_-]?(?:message|prompt|response|reply|turn|instructions?))?"
    r"|context|instructions?"
)
_TAG = re.compile(rf"\s*+<({_OF_USER}|{_OF_OTHERS})(?:\s[^<>]{{0,200}})?>", re.IGNORECASE)
_IS_OF_USER = re.compile(_OF_USER, re.IGNORECASE).fullmatch

_USER_LABEL = (
    r"human|user|customer|visitor|end[- ]?user|user (?:message|input|query|question|prompt)|me"
    r"|(?:be)?nutzer(?:in)?|kunde|mensch|utilisateur|client|humain"
    r"|usuario|cliente|humano|usuário|utilizador|utente|gebruiker|klant"
    r"|użytkownik|klient|пользователь|человек|клиент|користувач|kullanıcı|müşteri|用户|用戶|客户|ユーザー|사용자|고객"
    r"|المستخدم|उपयोगकर्ता|người dùng|pengguna"
)
_ASKED_LABEL = r"|question|query|q|frage|pregunta|pergunta|domanda|vraag|pytanie|вопрос|问题|問題|質問|질문|سؤال"
_ASSISTANT_LABEL = (
    r"assistant(?:e)?|ai|bot|chat ?bot|chatgpt|gpt|model|agent|ai assistant|assistent(?:in)?|ki|asistente|agente|ia"
    r"|assistente|asystent|ассистент|помощник|бот|асистент|asistan|助手|助理|アシスタント|어시스턴트"
    r"|المساعد|सहायक|trợ lý|asisten"
)
_ANSWER_LABEL = (
    r"|(?:helpful |final |your )?answer|response|reply|a|antwort|réponse|respuesta|resposta|risposta|antwoord|odpowiedź"
    r"|ответ|cevap|yanıt|答案|回答|答|답변|الجواب|जवाब"
)
_SYSTEM_LABEL = r"system(?: prompt| message)?|developer|système|sistema|systeem|система|系统|系統|システム|시스템"
_MARKS_BEFORE, _MARKS_BEHIND = (
    r"[ \t]*+(?:#{1,4}[ \t]*+)?(?:\*\*|__|\[|<|【)?",
    r"(?:\*\*|__|\]|>|】)?[ \t]*[:：](?:\*\*|__)?",
)
_LABEL = re.compile(
    rf"(?:^|(?<=\n)){_MARKS_BEFORE}(?:(?P<user>{_USER_LABEL}{_ASKED_LABEL})"
    rf"|(?P<assistant>{_ASSISTANT_LABEL}{_ANSWER_LABEL})|(?P<other>{_SYSTEM_LABEL})){_MARKS_BEHIND}",
    re.IGNORECASE,
)
_SPEAKS_FIRST = re.compile(
    rf"\s*+{_MARKS_BEFORE}(?:human|user|assistant|ai|bot|chatbot|benutzer|nutzer|assistent|utilisateur|usuario|asistente|usuário"
    rf"|assistente|utente|gebruiker|użytkownik|asystent|пользователь|ассистент|бот|用户|用戶|助手|ユーザー|アシスタント|사용자"
    rf"|어시스턴트|{_SYSTEM_LABEL}){_MARKS_BEHIND}",
    re.IGNORECASE,
)
_ANSWERS_LAST = re.compile(
    rf"(?:^|\n){_MARKS_BEFORE}(?:{_ASSISTANT_LABEL}{_ANSWER_LABEL}){_MARKS_BEHIND}$", re.IGNORECASE
)
_ANSWERS_INLINE = re.compile(r"(?:^|\s)(?:### )?(ASSISTANT|Assistant|AI|GPT4 Correct Assistant):$")
_ASKS_INLINE = re.compile(r"(?:^|\s|>)(?:### )?(?:USER|Human|User|HUMAN|GPT4 Correct User):\s")
_OF_A_DIALOGUE = re.compile(
    r"dialog|conversation|\bchat\b|transcript|script|gespräch|unterhaltung|conversa|conversación|gesprek|rozmow|диалог"
    r"|разговор|переписк|对话|對話|会話|대화|محادثة",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:^|(?<=\n))#{1,4}[ \t]*(?:(?P<instruction>instructions?|user instruction|anweisung|instrucción|instrução"
    r"|指令|任务)"
    r"|(?P<input>inputs?|eingabe|entrada|entrée|输入)|(?P<response>responses?|output|antwort"
    r"|respuesta|resposta|réponse|回答|输出))"
    r"[ \t]*[:：]?[ \t]*(?:\n|$)",
    re.IGNORECASE,
)
_LONGEST_END = 60


class _Turn(NamedTuple):
    by: str
    start: int
    end: int


def newest_turn(text: str) -> list[Span] | None:
    """Return the places of what the user said last in the conversation that `text` is, in order; None if it is none.

    The last of the user's turns that is not empty counts; Alpaca's instruction and its input are two places of one.
    """
    first = _BEGINNING.match(text)
    start = first.end() if first else 0
    beginning = text[start : start + 1]
    if beginning in ("<", "[") or start > len(text) - len(text.lstrip()):
        found = _of_headers(text, start) or _of_instructions(text, start) or _of_tags(text, start)
        if found is not None:
            return found
    found = _of_headings(text) if "#" in text else None
    return found or _of_labels(text)


def without_turns(text: str) -> str:
    """Return what the user said last in the conversation that `text` is; `text` where it is none."""
    found = newest_turn(text)
    return text if found is None else "\n".join(text[start:end] for start, end in found)


def _last(text: str, turns: list[_Turn]) -> list[Span] | None:
    said = (turn for turn in reversed(turns) if turn.by == USER and _says(text, turn.start, turn.end))
    found = next(said, None)
    return None if found is None else [_stripped(text, found.start, found.end)]


def _says(text: str, start: int, end: int) -> bool:
    return any(map(str.isalnum, text[start:end]))


def _stripped(text: str, start: int, end: int) -> Span:
    said = text[start:end]
    return start + len(said) - len(said.lstrip()), end - len(said) + len(said.rstrip())


def _of_headers(text: str, start: int) -> list[Span] | None:
    """Turns that begin with a special token; nothing but tokens may stand between them, or a BOS token comes first."""
    headers = list(_HEADER.finditer(text))
    if not headers or (headers[0].start() > start and not text[:start].strip()):
        return None
    turns, n_closed = [], 0
    for place, header in enumerate(headers):
        stop = headers[place + 1].start() if place + 1 < len(headers) else len(text)
        closing = _CLOSING.search(text, header.end(), stop)
        end = stop if closing is None else closing.start()
        n_closed += closing is not None
        if closing is not None and _says(_CLOSING.sub("", text[closing.end() : stop]), 0, stop):
            return None
        turns.append(_Turn(_ROLES[header["role"].lower()], header.end(), end))
    last = headers[-1]
    is_open = turns[-1].by != USER and turns[-1].end == len(text) and _says(text, *turns[-1][1:])
    if len(headers) + n_closed < 2 or (is_open and not n_closed and text[last.end() : last.end() + 1] != "\n"):
        return None
    return _last(text, turns)


def _of_instructions(text: str, start: int) -> list[Span] | None:
    """Turns in `[INST]`; what stands behind the last one is the answer if it is closed, or else about the template."""
    before = _BEFORE_INSTRUCTION.match(text, start)
    start = start if before is None else before.end()
    if not text.startswith(_OPEN_INSTRUCTION, start):
        return None
    turns, place = [], start
    while place >= 0:
        begin = place + len(_OPEN_INSTRUCTION)
        end = text.find(_CLOSED_INSTRUCTION, begin)
        if end < 0:
            return None
        system = _SYSTEM.match(text, begin, end)
        turns.append(_Turn(USER, begin if system is None else system.end(), end))
        place = text.find(_OPEN_INSTRUCTION, end)
    behind = text[turns[-1].end + len(_CLOSED_INSTRUCTION) :]
    if _says(behind, 0, len(behind)) and not behind.rstrip().endswith("</s>"):
        return None
    return _last(text, turns)


def _of_tags(text: str, start: int) -> list[Span] | None:
    """Turns in tags that are named by roles, with nothing outside of them."""
    turns = []
    while match := _TAG.match(text, start):
        name = match[1]
        end = text.find(f"</{name}>", match.end())
        if end < 0 and _says(text, match.end(), len(text)):
            return None
        start = len(text) if end < 0 else end + len(name) + 3
        turns.append(_Turn(USER if _IS_OF_USER(name) else OTHER, match.end(), len(text) if end < 0 else end))
    return None if _says(text, start, len(text)) else _last(text, turns)


def _of_headings(text: str) -> list[Span] | None:
    """Alpaca's form: the last instruction, and its input, that no response has yet, or that the last one answers."""
    headings = list(_HEADING.finditer(text))
    kinds = [match.lastgroup for match in headings]
    if "response" not in kinds or "instruction" not in kinds:
        return None
    ends = [match.start() for match in headings[1:]] + [len(text)]
    parts = {place: (match.end(), end) for place, (match, end) in enumerate(zip(headings, ends, strict=True))}
    if _says(text, *parts[len(headings) - 1]) and headings[0].start() > 0:
        return None
    found: list[Span] = []
    for place in reversed(range(len(headings))):
        if kinds[place] != "response" and _says(text, *parts[place]):
            found.insert(0, _stripped(text, *parts[place]))
        if kinds[place] == "instruction" and found:
            return found
    return None


def _of_labels(text: str) -> list[Span] | None:
    """Turns with labels at line starts: the assistant is to speak, or all of the text is turns."""
    waits = _answers_last(text, _ANSWERS_LAST) is not None
    if not waits and _SPEAKS_FIRST.match(text) is None:
        return _of_inline_labels(text)
    labels = list(_LABEL.finditer(text))
    if not waits:  # of a form ("Model: X5, Customer: Ann") other labels are no speakers
        labels = [label for label in labels if _SPEAKS_FIRST.match(label[0])]
    if not labels:
        return None
    ends = [label.start() for label in labels[1:]] + [len(text)]
    kinds = {"user": USER, "assistant": ASSISTANT, "other": OTHER}
    turns = [
        _Turn(kinds[label.lastgroup or "other"], label.end(), end) for label, end in zip(labels, ends, strict=True)
    ]
    if not waits:
        # What stands in a paragraph of its own behind an answer may be what is asked of the conversation.
        answers = turns[-1].by == ASSISTANT and "\n\n" not in text[turns[-1].start :].strip()
        if len({turn.by for turn in turns}) < 2 or not (turns[-1].by == USER or answers):
            return None
    preamble = text[: labels[0].start()].strip()
    if preamble and len(preamble) <= LONGEST_PREAMBLE and asks(preamble) > 1 and _OF_A_DIALOGUE.search(preamble):
        return None
    return _last(text, turns)


def _answers_last(text: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Return the assistant's label at the end of `text`, if it waits for an answer there."""
    end = len(text.rstrip())
    return pattern.search(text, max(0, end - _LONGEST_END), end)


def _of_inline_labels(text: str) -> list[Span] | None:
    """Vicuna's form: `USER: … ASSISTANT:` on one line."""
    waits = _answers_last(text, _ANSWERS_INLINE)
    if waits is None:
        return None
    said = [match for match in _ASKS_INLINE.finditer(text) if _says(text, match.end(), waits.start())]
    if not said:
        return None
    start, end = said[-1].end(), waits.start()
    closing = _CLOSING.search(text, start, end)
    return [_stripped(text, start, end if closing is None else closing.start())]
