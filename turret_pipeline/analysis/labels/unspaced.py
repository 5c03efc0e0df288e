"""Pieces of text that may name a topic in scripts that write no spaces between words, such as Chinese and Thai.

Without a dictionary nobody can tell the words of such a text. But a piece of it that many messages hold, and that ends
where they begin to differ, is mostly a word or a few: "返金" in "カメラの返金をお願いします" and "返金してください".
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

SHORTEST, LONGEST = 2, 16
"""Characters of a piece."""

N_TEXTS, READ = 40, 80
"""Texts of a topic that are read for pieces, and characters of each."""

_THAI_LAO, _BURMESE, _KHMER = "\u0e01-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf", "\u1000-\u103f", "\u1780-\u17d3"
_KANA = "\u3041-\u309f\u30a1-\u30ff"
_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(f"[{_THAI_LAO}{_BURMESE}{_KHMER}{_KANA}{_HAN}]{{{SHORTEST},}}")
_HIRAGANA, _KATAKANA = re.compile("[\u3041-\u309f]+"), re.compile("[\u30a1-\u30ff]{2}")
_AFTER_WORD = "\u306e\u3092\u306f\u304c\u306b\u7684\u4e86\u5417\u55ce\u5427\u5462"
_BEFORE_WORD = "\u304a\u3054"
"""Particles: Japanese no, o, wa, ga, ni; Chinese de, le, ma, ba, ne. Japanese o, go."""


def is_unspaced(text: str) -> bool:
    """Return whether `text` holds two or more characters in a row of such a script."""
    return _RUN.search(text) is not None


def shared_pieces(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the pieces that two or more texts hold and that say something, each with the places of these texts.

    Of pieces that the same texts hold the longest is there, less particles at its ends.
    """
    held: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts[:N_TEXTS]):
        for piece in _pieces(text[:READ]):
            held[piece].append(place)
    often = {piece: len(places) for piece, places in held.items() if len(places) > 1}
    covered = {part for piece, n in often.items() for part in _parts(piece) if often.get(part) == n}
    names = {piece.strip(_AFTER_WORD) for piece in often.keys() - covered if len(piece) <= LONGEST}
    return {name: held[name] for name in sorted(names & often.keys()) if not _HIRAGANA.fullmatch(name)}


def _pieces(text: str) -> set[str]:
    """Return all pieces of `text`, also those a little too long, which tell that a shorter one is part of more."""
    found = set()
    for run in _RUN.findall(text.lower()):
        cuts = [0, *(at for at in range(1, len(run)) if _may_part(run[at - 1], run[at])), len(run)]
        for start in cuts:
            found |= {run[start:end] for end in cuts if SHORTEST <= end - start <= 2 * LONGEST}
    return found


def _parts(piece: str) -> list[str]:
    """Return what is left of `piece` without something at its beginning or at its end."""
    cuts = [at for at in range(1, len(piece)) if _may_part(piece[at - 1], piece[at])]
    return [piece[cuts[0] :], piece[: cuts[-1]]] if cuts else []


def _may_part(one: str, other: str) -> bool:
    """Return whether a piece may end with `one` where `other` follows: not before a mark or within a Japanese word."""
    if unicodedata.category(other).startswith("M"):
        return False
    if _HIRAGANA.fullmatch(other):
        return one in _AFTER_WORD or other in _AFTER_WORD
    if _HIRAGANA.fullmatch(one):
        return one not in _BEFORE_WORD
    return _KATAKANA.fullmatch(one + other) is None
