"""How a name's words are written: "Rechnung stimmt nicht", "change PIN"; with the capitals that people give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from turret_pipeline.analysis.labels.phrases import INNER_WORD

MOSTLY = 0.6
"""Share of a word's places within sentences that have the same capitals, from which a name has them too."""

LEAST = 3
"""Places within sentences that tell how a word is written."""


def as_written(name: str, texts: Sequence[str]) -> str:
    """Return `name` with its words in capitals where `texts` mostly write them so within sentences.

    A name that has capitals already is somebody's own words and stays as it is.
    """
    if name != name.lower():
        return name
    forms: dict[str, Counter[str]] = {word: Counter() for word in name.split()}
    for text in texts:
        for match in INNER_WORD.finditer(text):
            word = match[1].lower()
            if word in forms and not _is_shouted(text, match.start()):
                forms[word][match[1]] += 1
    return " ".join(_form(word, forms.get(word, Counter())) for word in name.split())


def _form(word: str, forms: Counter[str]) -> str:
    if forms.total() < LEAST:
        return word
    form, count = forms.most_common(1)[0]
    return form if count >= MOSTLY * forms.total() else word


def _is_shouted(text: str, place: int) -> bool:
    """Return whether the word before the one at `place` is in capitals: "BUY CHEAP WATCHES" tells of no word."""
    before = text[:place].split()[-1].strip(",")
    return len(before) > 1 and before.isupper()
