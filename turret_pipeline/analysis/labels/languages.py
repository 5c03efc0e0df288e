"""In which language a topic is named, and which words say little in that language.

The language of a text is told by fastText's identifier (`semantics.language`); the words that say little are those of
`stopwordsiso`, 57 languages. That is enough to name a topic in the language of its messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from turret_pipeline.analysis.labels.phrases import FUNCTION_WORDS
from turret_pipeline.semantics.language import languages

ENGLISH = "en"
UNKNOWN = ""

MOST = 0.5
"""Share of a topic's messages from which their language is the topic's."""

SOME = 0.02
"""Share of English among the messages of a topic in which no language has most, from which it is the topic's."""

FEWEST = 0.02
"""Share of the texts below which a language is believed to be a mistake."""

FIRST_READ = 4_000
"""Texts that tell whether there is more than one language; in most fields there is not, and no more are read."""

ENOUGH, ENOUGH_OF_MANY = 20, 5
"""Texts known to be in a topic's language from which texts of unknown language say nothing for its name; the same in a
topic that has more texts in other languages."""

LEAST = 0.3
"""Probability below which a text is not believed to be in a language."""


_DENIALS = {
    "ar": "لا لم لن ليس ليست",
    "bg": "не няма",
    "ca": "no mai cap",
    "cs": "ne není nemá nikdy žádný žádná žádné",
    "da": "ikke ingen intet aldrig",
    "de": "nicht nichts kein keine keinen keinem keiner keines nie niemals",
    "el": "δεν μη μην ποτέ",
    "es": "no nunca ningún ninguna nada",
    "et": "ei pole",
    "fa": "نیست نه نمی",
    "fi": "ei en et emme ette eivät",
    "fr": "pas jamais aucun aucune rien",
    "he": "לא אין",
    "hi": "नहीं मत",
    "hr": "ne nije nisam nema nikad",
    "hu": "nem nincs soha",
    "id": "tidak bukan belum tak",
    "it": "non mai nessun nessuna niente",
    "kk": "емес жоқ",
    "lt": "ne nėra neveikia",
    "lv": "nav ne nekad",
    "ms": "tidak bukan belum tak",
    "nl": "niet niets geen nooit",
    "no": "ikke ingen aldri",
    "pl": "nie nigdy brak",
    "pt": "não nao nunca nenhum nenhuma nada",
    "ro": "nu niciodată",
    "ru": "не нет никогда",
    "sk": "nie nikdy žiadny žiadna",
    "sl": "ne ni nisem nikoli",
    "sr": "не није нема ne nije nema",
    "sv": "inte inget ingen aldrig",
    "tr": "değil yok asla",
    "uk": "не немає ніколи",
    "vi": "không chưa",
}
"""Words that deny by language (ISO 639): a list of stop words has them, and a name without them says the opposite."""


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the words, in lower case, that say little in a language; none for a language without a list."""
    import stopwordsiso

    if language == ENGLISH:
        return FUNCTION_WORDS
    return frozenset(stopwordsiso.stopwords(language)) if stopwordsiso.has_lang(language) else frozenset()


@cache
def denials(language: str) -> frozenset[str]:
    """Return the words, in lower case, that deny in a language; English has rules of its own (`labels.clauses`)."""
    return frozenset(_DENIALS.get(language, "").split())


def languages_of(texts: Sequence[str]) -> list[str]:
    """Return the language of each text, `UNKNOWN` where none is likely; the first texts are a random sample of all.

    Where next to none of the first is in another language than the others, all are taken to be in that one.
    """
    told = languages(texts[:FIRST_READ])
    if len(texts) > FIRST_READ:
        usual = _usual(told, FEWEST / 2)
        if len(usual) < 2:
            return [next(iter(usual), UNKNOWN)] * len(texts)
        told += languages(texts[FIRST_READ:])
    usual = _usual(told, FEWEST)
    return [
        next((name for name, likely in each.items() if name in usual and likely >= LEAST), UNKNOWN)
        if any(map(str.isalpha, text))
        else UNKNOWN
        for text, each in zip(texts, told, strict=True)
    ]


def _usual(told: Sequence[dict[str, float]], least: float) -> set[str]:
    """Return the languages that at least this share of the texts are likeliest to be in."""
    likeliest = Counter(next(iter(each), UNKNOWN) for each in told)
    return {name for name, count in likeliest.items() if count >= least * len(told)} - {UNKNOWN}


def main_languages(said_in: Sequence[str], clusters: np.ndarray, n_messages: np.ndarray, n_topics: int) -> list[str]:
    """Return the language of each topic: that of most of its messages, else English, else the most frequent one.

    said_in (languages), clusters (-1 for none), n_messages: of n_texts. Where no language has most, English is taken if
    some messages are in it, as the pages around the name are in English too. A topic of no known language has that of
    most topics, else English.
    """
    names, numbers = np.unique(np.array(said_in, dtype=str), return_inverse=True)
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


def in_main_language(
    clusters: np.ndarray, said_in: Sequence[str], main: Sequence[str], *, or_unknown: bool = False
) -> np.ndarray:
    """Return the clusters with -1 for texts that are not in their topic's language.

    Texts of unknown language stay where few are known to be in it: most of those are short, but among many languages
    some are in one that the identifier does not know. said_in: languages of texts. main: of topics. or_unknown: whether
    they stay in any case.
    """
    own = np.array([*main, UNKNOWN], dtype=object)[clusters]
    said = np.array(said_in, dtype=object)
    is_own = (said == own) & (said != UNKNOWN)
    n_own = np.bincount(clusters[is_own & (clusters >= 0)], minlength=len(main) + 1)
    n_known = np.bincount(clusters[(said != UNKNOWN) & (clusters >= 0)], minlength=len(main) + 1)
    is_short_of = or_unknown | (n_own < np.where(2 * n_own >= n_known, ENOUGH, ENOUGH_OF_MANY))
    unknown_stays = (said == UNKNOWN) & is_short_of[clusters]
    return np.where(is_own | unknown_stays | (own == UNKNOWN), clusters, -1)


def is_mixed(clusters: np.ndarray, said_in: Sequence[str], main: Sequence[str]) -> np.ndarray:
    """Return for each topic whether most of its texts of known language are in others: bool (n_topics,)."""
    said = np.array(said_in, dtype=object)
    is_known = (clusters >= 0) & (said != UNKNOWN)
    is_own = is_known & (said == np.array([*main, UNKNOWN], dtype=object)[clusters])
    n_own, n_known = (np.bincount(clusters[found], minlength=len(main)) for found in (is_own, is_known))
    mixed: np.ndarray = 2 * n_own < n_known
    return mixed
