"""Words of scripts that write no spaces between words, such as Chinese, Japanese and Thai.

ICU's word breaker finds them, with the dictionaries that it ships, by script and so without being told the language.
What may name a topic is a run of such words that many messages hold: "返金" in "カメラの返金を" and "返金して".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

LONGEST = 12
MAX_WORDS = 4
"""Characters and words of a piece."""

N_TEXTS, READ = 40, 200
"""Texts of a topic that are read for pieces, and characters of each."""

_THAI_LAO, _BURMESE, _KHMER = "\u0e01-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf", "\u1000-\u103f", "\u1780-\u17d3"
_KANA = "\u3041-\u309f\u30a1-\u30ff"
_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(f"[{_THAI_LAO}{_BURMESE}{_KHMER}{_KANA}{_HAN}]{{2,}}")
_HIRAGANA = re.compile("[\u3041-\u309f]+")


def is_unspaced(text: str) -> bool:
    """Return whether `text` holds two or more characters in a row of such a script."""
    return _RUN.search(text) is not None


@lru_cache(maxsize=8_192)
def unspaced_words(run: str) -> tuple[str, ...]:
    """Return the words of `run`, a text of such a script without blanks."""
    from icu4py.breakers import WordBreaker

    return tuple(WordBreaker(run, "en"))


def shared_pieces(texts: Sequence[str], stop: Collection[str] = ()) -> dict[str, list[int]]:
    """Return the runs of words that two or more texts hold and that say something, with the places of these texts.

    None begins or ends with one of the words `stop`, with a particle, or with the half of a word that the texts go on
    with. Of runs that the same texts hold the longest is there.
    """
    held: dict[str, list[int]] = defaultdict(list)
    parts: dict[str, set[str]] = {}
    for place, text in enumerate(texts[:N_TEXTS]):
        found = {piece: inner for run in _RUN.findall(text[:READ].lower()) for piece, inner in _pieces(run, stop)}
        parts |= found
        for piece in found:
            held[piece].append(place)
    often = {piece: places for piece, places in held.items() if len(places) > 1}
    covered = {part for piece in often for part in parts[piece] if len(often.get(part, ())) == len(often[piece])}
    return {piece: often[piece] for piece in sorted(often.keys() - covered)}


def _pieces(run: str, stop: Collection[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield the pieces of `run`, each with the shorter ones within it."""
    words = unspaced_words(run)
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_WORDS, len(words)) + 1):
            piece = "".join(words[start:end])
            if len(piece) > LONGEST:
                break
            if len(piece) > 1 and not any(_says_little(word, stop) for word in (words[start], words[end - 1])):
                inner = {"".join(words[one:other]) for one in range(start, end) for other in range(one + 1, end + 1)}
                yield piece, inner - {piece}


def _says_little(word: str, stop: Collection[str]) -> bool:
    return word in stop or _HIRAGANA.fullmatch(word) is not None
