"""In which language a text is, as far as its small words tell, and which words say little in that language.

The lists are those of `stopwordsiso`, 57 languages. A text is of the language with the most of its words, each weighed
by how few languages have it; one without any is of none. That is enough to name a topic in the language of its
messages: a dialect counts as the language nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy.sparse as sp

from turret_pipeline.analysis.labels.phrases import FUNCTION_WORDS
from turret_pipeline.analysis.topics.neighbours import Terms

ENGLISH = "en"
UNKNOWN = ""

MOST = 0.5
"""Share of a topic's messages from which their language is the topic's."""

SOME = 0.05
"""Share of English among the messages of a topic in which no language has most, from which it is the topic's."""

FEWEST = 0.02
"""Share of the texts below which a language is believed to be a mistake."""

_SCRIPTS = {
    "ja": re.compile("[\u3041-\u309f\u30a1-\u30ff]"),
    "th": re.compile("[\u0e01-\u0e4e]"),
    "zh": re.compile("[\u4e00-\u9fff]"),
}
"""What tells a language of a script without spaces, the first that is found."""


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the words, in lower case, that say little in a language; none for a language without a list."""
    import stopwordsiso

    if language == ENGLISH:
        return FUNCTION_WORDS
    return frozenset(stopwordsiso.stopwords(language)) if stopwordsiso.has_lang(language) else frozenset()


@cache
def _known() -> tuple[list[str], dict[str, list[int]]]:
    """Return the languages, and by small word the numbers of those that have it."""
    import stopwordsiso

    languages = sorted(stopwordsiso.langs())
    held: dict[str, list[int]] = {}
    for number, language in enumerate(languages):
        for word in stopwordsiso.stopwords(language):
            held.setdefault(word.lower(), []).append(number)
    return languages, held


def languages_of(texts: Sequence[str], terms: Terms) -> list[str]:
    """Return the language of each text, `UNKNOWN` where no word tells it. terms: of the texts."""
    languages, held = _known()
    places = [
        (row, number, 1 / len(held[word])) for row, word in enumerate(terms.words) for number in held.get(word, ())
    ]
    rows, columns, weights = zip(*places, strict=True) if places else ((), (), ())
    table = sp.csr_matrix((weights, (rows, columns)), (len(terms.words), len(languages)))
    scores = np.asarray((terms.of_words @ table).todense())
    first = np.bincount(scores.argmax(axis=1)[scores.max(axis=1) > 0], minlength=len(languages))
    scores[:, first < FEWEST * len(texts)] = 0
    best = scores.argmax(axis=1)
    found: list[str] = np.where(scores.max(axis=1) > 0, np.array(languages, dtype=object)[best], UNKNOWN).tolist()
    for row, text in enumerate(texts):
        if not text.isascii():
            found[row] = next((name for name, script in _SCRIPTS.items() if script.search(text[:200])), found[row])
    return found


def main_languages(languages: Sequence[str], clusters: np.ndarray, n_messages: np.ndarray, n_topics: int) -> list[str]:
    """Return the language of each topic: that of most of its messages, else English, else the most frequent one.

    languages, clusters (-1 for none), n_messages: of n_texts. Where no language has most, English is taken if some
    messages are in it, as the pages around the name are in English too. A topic whose language no word tells has that
    of most topics, else English.
    """
    names, numbers = np.unique(np.array(languages, dtype=str), return_inverse=True)
    counts = np.zeros((n_topics, len(names)))
    placed = clusters >= 0
    np.add.at(counts, (clusters[placed], numbers[placed]), n_messages[placed])
    counts[:, names == UNKNOWN] = 0
    found = []
    most = counts.sum(axis=0)
    usual = str(names[int(most.argmax())]) if most.any() else ENGLISH
    for row in counts:
        total, english = row.sum(), row[names == ENGLISH].sum()
        best = int(row.argmax()) if total else -1
        if best >= 0 and row[best] < MOST * total and english >= SOME * total:
            found.append(ENGLISH)
        else:
            found.append(str(names[best]) if best >= 0 else usual)
    return found


def in_main_language(clusters: np.ndarray, languages: Sequence[str], main: Sequence[str]) -> np.ndarray:
    """Return the clusters with -1 for texts in another language than the topic's.

    languages: of texts. main: of topics.
    """
    own = np.array([*main, UNKNOWN], dtype=object)[clusters]
    said = np.array(languages, dtype=object)
    return np.where((said == own) | (said == UNKNOWN) | (own == UNKNOWN), clusters, -1)
