"""Where a text carries material: code, quotations, tables, logs, mails, transcripts, and examples with their answers.

By form alone, so in any language: marks that enclose (fences, quotation marks, tags), the look of lines, and labels
that repeat ("Q: … A: …"). The last of such labelled turns asks, where it has no answer yet.
"""

# ruff: noqa: RUF001 (marks and words of many scripts)
from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from turret_pipeline.semantics.prompts.asking import asks, units

Span = tuple[int, int]

LONG_QUOTE = 120
"""Characters from which on what stands between quotation marks is a quotation of something, not a phrase."""

LONG_LINE = 160
"""Characters from which on a line that does not look like code ends a run of such lines."""

LONG_CODE = 400
"""Characters from which on a line is judged by its symbols alone."""

MOST_ANNOUNCING = 200
"""Characters within which a request to do something with a text announces the text with a colon."""

LEAST_ANNOUNCED = 60
"""Length (`asking.units`) of what is announced, less is what the request is about."""

_ANNOUNCING = re.compile(
    r"(?:[^\n:：]{0,60}?\b)?(?:translat\w+|summari[sz]\w+|paraphras\w+|rephras\w+|rewrit\w+|re-write|proofread|correct"
    r"|edit|classify|extract|shorten|simplify|polish|tl;?dr|continue|improve|analy[sz]e|reply to|respond to|answer to"
    r"|(?:following|below|this)\s(?:text|passage|article|paragraph|e-?mail|letter|story|essay|review|document|code|poem)"
    r"|übersetz\w*|fasse|korrigier\w*|verbesser\w*|tradui\w*|résum\w*|corrig\w*|traduc\w*|traduz\w*|resum\w*"
    r"|riassum\w*|vertaal|vat|przetłumacz|streść|çevir|özetle|переведи\w*|перескаж\w*|исправь\w*|перефразируй\w*"
    r"|terjemahkan|dịch|tóm tắt)\b"
    r"|[^\n:：]{0,20}(?:翻译|翻譯|总结|總結|概括|润色|潤色|改写|改寫|翻訳|要約|校正|번역|요약|ترجم|لخص"
    r"|अनुवाद|สรุป|แปล)",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t]*(```|~~~).*$|(```|\"\"\"|''')", re.MULTILINE)
_TAG = re.compile(r"<(/?)([A-Za-z_][\w.-]{0,40})(?:\s[^<>]{0,400})?>|\[(/?)([A-Za-z_][\w.-]{0,40})\]")
_ASKING_TAG = re.compile(r"instruct|task|query|question|prompt|request|user|ask|goal|input|message", re.IGNORECASE)
_QUOTES = re.compile(
    "“[^“”]*”|«[^«»]*»|„[^„“”]*[“”]|「[^「」]*」|『[^『』]*』|《[^《》]*》"
    r"|(?:^|(?<=[:：]\s)|(?<=[:：]))\"(?=\S)[^\"]*(?<=\S)\"(?=[\s.,;:!?)\]。，]|$)",
    re.MULTILINE,
)

_CODE = re.compile(
    r"[;{}]\s*(?://.*)?$|^\s*(?:[{}\[\]()]+[,;]?|//|/\*|\*/|<!--|--\s|</?[A-Za-z!]|@\w+|\$\s|>>>|#include|#define|#!/)"
    r"|^\s*(?:import|from)\s+[\w.]+(?:\s+import\b.*|\s+as\s+\w+)?$"
    r"|^\s*(?:def|class|function|func|fn)\s+\w+\s*[(<:]"
    r"|^\s*(?:if|for|while|elif|except|with|switch|struct|interface|enum)\b.*[:{(]\s*$"
    r"|^\s*(?:else|try|finally)\s*:?\s*$"
    r"|^\s*(?:const|let|var|public|private|static|return|print|echo|export)\b.*[=();\[\]]"
    r"|^\s*[\w.\[\]\"'*&$]+(?:\s*,\s*[\w.]+)*\s*(?:=|\+=|-=|:=|<-|=>|->)\s*\S"
    r"|^\s*[\w.]+\([^()]*\)?\s*[,;]?\s*$"
    r"|^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE TABLE|FROM|WHERE|JOIN|GROUP BY|ORDER BY)\b.*[,;=*()]"
    r"|^\s*[\[{]?\s*\"[^\"]+\"\s*:\s*\S|^\s*[\"'][^\"']*[\"'],?\s*$"
)
_LOG = re.compile(
    r"^\s*at [\w$.<>/]+[ (]|^\s*File \".*\", line \d+|^Traceback\b|^\s*\.\.\. \d+ more|^\s*(?:Caused by:|goroutine \d)"
    r"|^[\w.]+(?:Error|Exception)\b[:\s]|^\s*[\[(]?\d{4}[-/.]\d\d[-/.]\d\d[T ,]\s*\d\d:\d\d|^\s*[\[(]?\d\d:\d\d:\d\d"
    r"|^\w{3}\s+\d+ \d\d:\d\d:\d\d|^\s*\[?(?:INFO|WARN|WARNING|ERROR|DEBUG|FATAL|TRACE)\b[\]:\s]"
)
_MAIL_HEADER = re.compile(
    r"[>\s*]*(?:from|to|cc|subject|date|sent|von|an|betreff|gesendet|datum|de|à|objet|envoyé|para|asunto|enviado|da|a"
    r"|oggetto|assunto|от|кому|тема|发件人|收件人|主题|发送时间|差出人|宛先|件名|보낸 사람|받는 사람|제목)\s?[*]*[:：]",
    re.IGNORECASE,
)
_QUOTED_LINE = re.compile(r"\s*>")
_LABEL = re.compile(r"[\s*#\-\[(]{0,6}([^\W\d_][^\n:：.!?()\[\]]{0,28}?)[\s\d*\])#]{0,6}[:：](?!//)")
_COLONS = (":", "\uff1a")
_SYMBOLS = re.compile(r"[{}\[\]()<>;=|\\/_*&^%$#@+~`\"]")


def material(text: str) -> list[Span]:
    """Return the places of `text` that are material, in order, none within another."""
    fenced = list(_fenced(text))
    enclosed = _merged([*fenced, *_tagged(text), *_quoted(text)])
    if sum(end - start for start, end in enclosed) > len(text.strip()) - 3:
        enclosed = _merged(fenced)  # marks around all of it set nothing apart
    return _with_lines_beside(text, _merged([*enclosed, *_by_line(text, enclosed)]))


def is_code(line: str) -> bool:
    """Return whether a line looks like one of a program, of data, of a log or of a table."""
    said = line.strip()
    if not said:
        return False
    if _LOG.search(line) or _QUOTED_LINE.match(line) or said.count("|") > 1 or said.count("\t") > 1:
        return True
    n_symbols, n_digits = len(_SYMBOLS.findall(said)), sum(map(str.isdigit, said))
    if n_symbols > 0.2 * len(said) or n_digits > 0.4 * len(said):
        return True
    if len(re.findall(r",(?=\S)", said)) > 2 and len(said.split()) <= 2 * said.count(","):
        return True
    return len(said) < LONG_CODE and bool(_CODE.search(said))


def _fenced(text: str) -> Iterator[Span]:
    start, mark = -1, ""
    for match in _FENCE.finditer(text):
        found = match[1] or match[2]
        if start < 0:
            start, mark = match.start(), found
        elif found == mark:
            yield start, match.end()
            start = -1
    if start >= 0 and mark in ("```", "~~~"):
        yield start, len(text)


def _tagged(text: str) -> Iterator[Span]:
    closing: dict[str, list[int]] = {}
    tags = list(_TAG.finditer(text))
    for match in tags:
        if match[1] or match[3]:
            closing.setdefault(match[2] or match[4], []).append(match.end())
    until = 0
    for match in tags:
        name = match[2] or match[4]
        if match[1] or match[3] or match.start() < until or _ASKING_TAG.search(name):
            continue
        ends = closing.get(name, [])
        place = bisect_right(ends, match.end())
        if place < len(ends) and ends[place] - match.end() > LONG_QUOTE:
            until = ends[place]
            yield match.start(), until


def _quoted(text: str) -> Iterator[Span]:
    for match in _QUOTES.finditer(text):
        if match.end() - match.start() > LONG_QUOTE:
            yield match.span()


def _by_line(text: str, enclosed: list[Span]) -> Iterator[Span]:
    # All lines, as fences of code are found by the look of the lines around them too: three quotes begin a docstring.
    yield from _code(text, list(lines_of(text, 0, len(text))))
    lines = list(_lines(text, enclosed))
    yield from _mail(text, lines)
    yield from _turns(text, lines)
    yield from _announced(text, lines)


def lines_of(text: str, start: int, stop: int) -> Iterator[Span]:
    """Yield the lines between two places of `text`."""
    while start < stop:
        end = text.find("\n", start, stop)
        end = stop if end < 0 else end
        yield start, end
        start = end + 1


def _lines(text: str, enclosed: list[Span]) -> Iterator[Span]:
    """Yield the lines that are not enclosed."""
    place = 0
    for start, end in lines_of(text, 0, len(text)):
        while place < len(enclosed) and enclosed[place][1] <= start:
            place += 1
        if place == len(enclosed) or enclosed[place][0] > start:
            yield start, min(end, enclosed[place][0]) if place < len(enclosed) else end


def _code(text: str, lines: list[Span]) -> list[Span]:
    """Return runs of lines that look like code, with what lies between them and asks nothing."""
    runs: list[Span] = []
    for start, end in _runs_of_code(text, lines):
        gap = start - runs[-1][1] if runs else 0
        if (
            runs
            and 4 * gap < end - runs[-1][0]
            and not any(asks(text[a:b]) for a, b in lines_of(text, runs[-1][1], start))
        ):
            runs[-1] = runs[-1][0], end
        else:
            runs.append((start, end))
    return runs


def _runs_of_code(text: str, lines: list[Span]) -> Iterator[Span]:
    first = last = -1
    n_code = n_other = 0
    for place, (start, end) in enumerate(lines):
        line = text[start:end]
        quotes_next = place + 1 < len(lines) and bool(_QUOTED_LINE.match(text, *lines[place + 1]))
        if is_code(line) or (quotes_next and line.rstrip()[-1:] in _COLONS) or (n_code > 1 and _goes_on(line)):
            first = place if first < 0 else first
            last, n_code, n_other = place, n_code + 1, 0
        elif line.strip() and first >= 0:
            n_other += 1
            if n_other > 2 or end - start >= LONG_LINE or (asks(line) and not line[:1].isspace()):
                if n_code > 1:
                    yield lines[first][0], lines[last][1]
                first, n_code, n_other = -1, 0, 0
    if first >= 0 and n_code > 1:
        yield lines[first][0], lines[last][1]


def _goes_on(line: str) -> bool:
    """Return whether a line after lines of code is one too: it is indented, or a comment."""
    return bool(line.strip()) and (line[:2].isspace() or line[0] == "#") and len(line) < LONG_LINE


def _mail(text: str, lines: list[Span]) -> Iterator[Span]:
    """Yield the mails of a thread: from a header of two lines to the next blank line but one, or the next header."""
    heads = [place for place, (start, end) in enumerate(lines) if _MAIL_HEADER.match(text, start, end)]
    starts = [one for one, two in pairwise(heads) if two - one <= 2]
    if not starts:
        return
    filled = [place for place, (start, end) in enumerate(lines) if text[start:end].strip()]
    # What stands last, in a paragraph of its own, is what is asked about the mails.
    last = filled[-1]
    if last - starts[-1] > 2 and not text[slice(*lines[last - 1])].strip():
        last = filled[-2]
    yield lines[starts[0]][0], lines[last][1]


def _turns(text: str, lines: list[Span]) -> Iterator[Span]:
    """Yield the labelled turns (of a transcript, or examples), but for the last one where it waits for its answer."""
    turns = []
    for place, (start, end) in enumerate(lines):
        if match := _LABEL.match(text, start, end):
            turns.append((place, match[1].strip().lower(), text[match.end() : end].strip()))
    often = {label for label, n in Counter(label for _, label, _ in turns).items() if n > 1}
    turns = [turn for turn in turns if turn[1] in often]
    if len(turns) < 4 and not (len(turns) == 3 and len(often) == 1):
        return
    stop = len(lines)
    last_place, last_label, last_said = turns[-1]
    opener = turns[0][1]
    if not last_said and len(turns) > 1 and last_place == len(lines) - 1:
        stop = turns[-2][0]
    elif last_label == opener and len(often) > 1:
        stop = last_place
    elif last_place - turns[0][0] < len(turns) + sum(
        not text[slice(*line)].strip() for line in lines[turns[0][0] : last_place]
    ):
        stop = last_place + 1  # each turn is one line
    else:
        blank = (place for place in range(last_place + 1, len(lines)) if not text[slice(*lines[place])].strip())
        stop = next(blank, len(lines))
    if stop > turns[0][0]:
        yield lines[turns[0][0]][0], lines[stop - 1][1]


def _with_lines_beside(text: str, spans: list[Span]) -> list[Span]:
    """Return `spans` with the lines of code beside them, such as that before a docstring."""
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    beside, lines = [], [line for line in lines_of(text, 0, len(text)) if text[slice(*line)].strip()]
    for before, after in pairwise(lines):
        if _first_letter(text, after) in starts and is_code(text[slice(*before)]):
            beside.append(before)
        if before[1] in ends and is_code(text[slice(*after)]):
            beside.append(after)
    return _merged([*spans, *beside])


def _first_letter(text: str, line: Span) -> int:
    return line[1] - len(text[slice(*line)].lstrip())


def _announced(text: str, lines: list[Span]) -> Iterator[Span]:
    """Yield what follows "Translate the following: ", up to a last paragraph that asks."""
    filled = [(start, end) for start, end in lines if text[start:end].strip()]
    for place, (start, end) in enumerate(filled):
        until = min(end, start + MOST_ANNOUNCING)
        match = _ANNOUNCING.match(text, start, until)
        colon = -1 if match is None else _find_colon(text, match.end(), until)
        if colon < 0:
            continue
        stop = filled[-1][1]
        for before, after in zip(filled[place:-1], filled[place + 1 :], strict=True):
            if after == filled[-1] and text.count("\n", before[1], after[0]) > 1 and asks(text[slice(*after)]) > 1:
                stop = before[1]
        if units(text[colon + 1 : stop]) > LEAST_ANNOUNCED:
            yield colon + 1, stop
        return


def _find_colon(text: str, start: int, end: int) -> int:
    return next((place for place in range(start, end) if text[place] in _COLONS), -1)


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif end > start:
            found.append((start, end))
    return found
