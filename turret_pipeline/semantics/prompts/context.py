"""Lines of context: keys that many texts share, with values that vary ("locale: en-GB"), before or behind a message."""

# ruff: noqa: RUF001 (marks of many scripts)
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from turret_pipeline.semantics.prompts.asking import asks
from turret_pipeline.semantics.prompts.frames import MOST_SLOT, SLOT
from turret_pipeline.semantics.prompts.passages import LEAST_TEXTS
from turret_pipeline.semantics.prompts.slots import vary

LEAST_LINES = 2
"""Lines of context of a text, at least: one such line may be a subject."""

MOST_LINES = 30
"""Lines that are looked through from each end of a text."""

_LINE = re.compile(
    r"[^\S\n]*((?:[-*•][^\S\n]+)?(?:\*\*|[\"'])?(?:[^\W\d_][\w./#()-]*(?: [\w./#()-]+){0,3})"
    rf"(?:\*\*|[\"'])?[^\S\n]?[:=：](?:\*\*)?)[^\S\n]*(\S[^\n]{{0,{MOST_SLOT - 1}}})"
)
_HEADER = re.compile(r"#{1,4} .{1,30}|</?[\w-]{1,40}>|[-=*_]{3,}|\[[^\[\]]{1,30}\]|[^:：]{1,30}[:：]")

MOST_PAIRS = 600
"""Characters of a list of keys and values at the end of a text, at most."""

_KEY = r"[\"']?[^\W\d_][\w.-]{0,30}[\"']?\s?[:=]\s?"
_VALUE = r"\"?([^\s;,|\"'\[\](){}]{1,40}(?: [^\s;,|\"'\[\](){}:=]{1,30}){0,4})\"?"
_PAIR = re.compile(_KEY + _VALUE)
_PAIRS = re.compile(rf"[\[({{]?\s*{_KEY}{_VALUE}(?:\s*[;,|]\s*{_KEY}{_VALUE}){{2,}}\s*[\])}}]?")


def context_of(texts: Sequence[str]) -> list[str]:
    """Return the lines of context that `texts` share at their ends, and what has several keys on one, as frames."""
    return [*_lines_of_context(texts), *_pairs_of_context(texts)]


def _lines_of_context(texts: Sequence[str]) -> list[str]:
    values: dict[str, list[str]] = {}
    for text in texts:
        if "\n" not in text:
            continue
        lines = text.strip().split("\n")
        n_lines = len(lines)
        first, last = _block(lines[:MOST_LINES]), _block(lines[: -MOST_LINES - 1 : -1])
        if len(first) + len(last) >= n_lines:  # all of the text is lines of a form
            continue
        for key, value in {**first, **last}.items():
            values.setdefault(key, []).append(value)
    return [f"{key} {SLOT}" for key, said in sorted(values.items()) if len(said) >= LEAST_TEXTS and vary(said)]


def _pairs_of_context(texts: Sequence[str]) -> list[str]:
    values: dict[str, list[tuple[str, ...]]] = {}
    for text in texts:
        for start, end in _lists_of_pairs(text):
            places = [match.span(1) for match in _PAIR.finditer(text, start, end)]
            edges = [start, *(edge for place in places for edge in place), end]
            pieces = [text[one:other] for one, other in zip(edges[::2], edges[1::2], strict=True)]
            behind = "\n" if not pieces[-1] and end < len(text) else ""
            said = tuple(text[slice(*place)] for place in places)
            values.setdefault(SLOT.join(pieces) + behind, []).append(said)
    return [
        frame
        for frame, said in sorted(values.items())
        if len(said) >= LEAST_TEXTS and all(vary(each) for each in zip(*said, strict=True))
    ]


def _lists_of_pairs(text: str) -> Iterator[tuple[int, int]]:
    """Yield the places of lists of keys and values that begin the text, or end it, and are not all of it."""
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if (first := _PAIRS.match(text, begin)) is not None and first.end() < end and _is_apart(text, first):
        yield first.span()
    reach = max(begin, end - MOST_PAIRS)
    for start in {text.rfind(mark, reach, end) for mark in ("\n", "{", "[", "(")}:
        start += text.startswith("\n", start)
        if start > begin and (last := _PAIRS.fullmatch(text, start, end)) is not None:
            yield last.span()
            return


def _is_apart(text: str, pairs: re.Match[str]) -> bool:
    """Return whether a list stands in brackets or on a line by itself."""
    return pairs[0][:1] in ("[", "(", "{") or text.startswith("\n", pairs.end())


def _block(lines: Iterable[str]) -> dict[str, str]:
    """Return the keys and values of the lines of context that come first; {} where they are few."""
    found: dict[str, str] = {}
    for line in lines:
        if not line.strip() or (not found and _HEADER.fullmatch(line.strip())):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None or asks(match[2]) > 0 or match[1] in found:
            break
        found[match[1]] = match[2]
    return found if len(found) >= LEAST_LINES else {}
