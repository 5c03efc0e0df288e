"""Sentences, how much each of them asks, and how long a text is for a model."""

# ruff: noqa: RUF001 (marks and words of many scripts)
from __future__ import annotations

import re
from dataclasses import dataclass, replace

WIDE = 4
"""Units of a character of Chinese, Japanese or Korean: most models read it as a token, and four letters as one."""

SAYS_NOTHING = 8
"""Length below which a sentence asks nothing, whatever stands in it."""

ARTICLE_SENTENCES = 4
"""Sentences from which on a paragraph may be an article."""

_WIDE = re.compile("[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")

_SENTENCE = re.compile(
    r"\s*\S(?:[^\n.!?…。！？؟।]|[.!?…](?![\"'”’»)\]]{0,3}\s))*(?:\n|[.!?…][\"'”’»)\]]*|[。！？؟।]|$)"
)

_STRONG = re.compile(
    r"[?？؟]\W{0,9}$|^\W{0,9}(?:"  # a question, or a word that begins a request
    r"write|create|make|build|explain|describe|summari[sz]e|translate|give|list|tell|show|find|fix|debug|refactor"
    r"|rewrite|convert|generate|implement|design|compare|analy[sz]e|classify|extract|answer|solve|calculate|compute"
    r"|prove|provide|suggest|recommend|help|act|imagine|pretend|continue|complete|correct|improve|optimi[sz]e|edit"
    r"|review|identify|add|remove|change|modify|develop|draft|plan|prepare|evaluate|discuss|outline|paraphrase"
    r"|rephrase|proofread|simulate|(?:what|who|why|how|which|where|when)(?!.*[.:]$)|can|could|would|should|do|does|please"
    r"|schreibe?|erkläre?|übersetze?|fasse|gib|erstelle?|nenne|zeige?|(?:was|wie|warum|wer|welche[rs]?)(?!.*[.:]$)|kannst|bitte"
    r"|écri[sv]\w*|expliqu\w*|tradui\w*|résum\w*|donne\w*|crée\w*|(?:comment|pourquoi|quel\w*)(?!.*[.:]$)|peux|pouvez"
    r"|escrib\w*|explica\w*|traduc\w*|resum\w*|dame|crea|haz|cómo|qué|por qué|cuál\w*|puedes|podrías"
    r"|escrev\w*|explique|traduz\w*|faça|crie|(?:como|o que|por que|qual)(?!.*[.:]$)|pode|poderia"
    r"|scriv\w*|spiega\w*|riassum\w*|dammi|(?:cosa|perché|quale)(?!.*[.:]$)|puoi|potresti"
    r"|schrijf|leg uit|vertaal|maak|geef|(?:wat|hoe|waarom)(?!.*[.:]$)|kun je"
    r"|napisz|wyjaśnij|przetłumacz|(?:jak|dlaczego|czy)(?!.*[.:]$)|yaz|açıkla|çevir|özetle|nasıl|neden"
    r"|напиши\w*|объясни\w*|переведи\w*|сделай\w*|создай\w*|расскажи\w*|исправь\w*|реши\w*|придумай\w*|составь\w*"
    r"|(?:как|что|почему|какие|какой)(?!.*[.:]$)|можешь|اكتب|اشرح|ترجم|لخص|كيف|(?:ما|لماذا)(?!.*[.:]$)|هل|लिखो|लिखिए|बताओ|बताइए|समझाइए|क्या|कैसे"
    r"|viết|giải thích|dịch|tóm tắt|tulis\w*|jelaskan|terjemahkan|buatkan?|apa|bagaimana"
    r")\b|\bplease\b|\bbitte\b|s'il (?:te|vous) pla|\bpor favor\b|\bper favore\b|\bпожалуйста\b|من فضلك|कृपया|\blütfen\b"
    r"|请|請|帮我|幫我|帮忙|吗[？。]?$|什么|什麼|怎么|怎麼|如何|为什么|為什麼|^(?:写|寫|翻译|翻譯|解释|解釋|总结|總結|修改|分析|用)"
    r"|ください|教えて|してほしい|して欲しい|お願い|何です|どうすれば|でしょうか|해\s?줘|해\s?주세요|알려|무엇|어떻게|작성",
    re.IGNORECASE,
)

_PERSONAL = re.compile(
    r"\b(?:i|i'm|i’m|my|me|you|your|we|our|ich|mein\w*|mir|du|dein\w*|sie|je|j'ai|mon|ma|mes|tu|vous|votre|yo|mi|quiero"
    r"|necesito|eu|meu|minha|quero|preciso|você|io|mio|mia|voglio|vorrei|ik|mijn|jij|mój|chcę|proszę|ben|benim|sen"
    r"|я|мне|мой|моя|ты|вы|нужно|хочу|أنا|أريد|أنت|मुझे|मैं|मेरा|आप|tôi|bạn|saya|aku|kamu)\b"
    r"|我|你|您|私|僕|あなた|나는|내가|저는|제가|당신",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text: where it begins and ends, and how much it asks (0 to 2)."""

    start: int
    end: int
    asks: int


def units(text: str) -> int:
    """Return how long `text` is for a model: about four for each of its tokens."""
    return len(text) + (WIDE - 1) * len(_WIDE.findall(text)) if not text.isascii() else len(text)


def asks(sentence: str) -> int:
    """Return 2 for a question or request, 1 where it speaks of who writes or reads, else 0."""
    said = sentence.strip()
    if units(said) < SAYS_NOTHING:
        return 0
    return 2 if _STRONG.search(said) else int(bool(_PERSONAL.search(said)))


def sentences(text: str, start: int, end: int) -> list[Sentence]:
    """Return the sentences (lines, where these are shorter) between two places of `text`, in order.

    In a paragraph of which most sentences ask nothing, as in an article, only questions and requests ask. On a line of
    two or three sentences all ask if one does.
    """
    found: list[Sentence] = []
    line: list[Sentence] = []
    # Without the blanks at the end, which are no sentence: looking for one from each of them would take long.
    for match in _SENTENCE.finditer(text, start, start + len(text[start:end].rstrip())):
        said = match.group()
        if "\n" in said[: len(said) - len(said.lstrip())]:
            found += _told(line)
            line = []
        line.append(Sentence(match.start(), match.end(), asks(said)))
        if said.endswith("\n"):
            found += _told(line)
            line = []
    return found + _told(line)


def _told(line: list[Sentence]) -> list[Sentence]:
    """Return the sentences of a line: few of which one asks all belong to it, of many in an article few ask."""
    n_asking = sum(each.asks > 0 for each in line)
    if len(line) < ARTICLE_SENTENCES:
        return [replace(each, asks=max(each.asks, 1)) for each in line] if n_asking else line
    if 3 * n_asking >= len(line):
        return line
    return [replace(each, asks=0) if each.asks == 1 else each for each in line]
