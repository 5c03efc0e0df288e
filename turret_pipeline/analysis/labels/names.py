"""Short, unique names of topics and themes in the words of their messages.

A label is a phrase of the topic's own texts (`labels.phrases`), best of two or three telling words. Many of the topic's
typical texts must hold it and few of other topics' (share and log ratio, as in c-TF-IDF), and none of its words may be
rare among the topic's messages (`labels.shares`); among the best of these the one is taken whose meaning is nearest the
topic and not near its next neighbour, seen from the middle of all topics. The meaning of a phrase is its embedding
where the caller lends the model, else the mean vector of the texts that hold it. A single word is a last resort; a
topic without a telling phrase, such as one of thanks, is named by a short typical text. Not here: themes
(`labels.themes`), summaries (`labels.summaries`), language models.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from turret_pipeline.analysis.labels.candidates import NAMELESS, Candidates
from turret_pipeline.analysis.labels.languages import ENGLISH, in_main_language, is_mixed, languages_of, main_languages
from turret_pipeline.analysis.labels.phrases import (
    ENDS,
    WEAK,
    is_denial,
    is_function_word,
    singular,
)
from turret_pipeline.analysis.labels.printable import printable
from turret_pipeline.analysis.labels.ranking import by_words
from turret_pipeline.analysis.labels.shares import Shares
from turret_pipeline.analysis.labels.summaries import summary
from turret_pipeline.analysis.labels.themes import MORE, theme_names
from turret_pipeline.analysis.labels.unspaced import is_unspaced
from turret_pipeline.analysis.labels.written import as_written
from turret_pipeline.analysis.topics.neighbours import READ_CHARACTERS, Terms, count_terms

Embed = Callable[[Sequence[str]], np.ndarray]

N_EMBEDDED = 10
"""Of these, those whose meaning is asked of the model."""

N_JOINED = 4
"""Of these, those that are tried in pairs."""

MAX_JOINED = 5
"""Words of such a pair."""

MOST_BETWEEN = 2
"""Words that most texts may have between the two."""

FEW_HOLD = 0.4
"""Share of a topic's typical texts that hold its best noun, below which a second noun stands beside it."""

ENOUGH_MORE = 3
"""Typical texts without the first noun that hold the second, at least."""

N_KEYWORDS = 10

WORD_RANK = 0.0
NEXT_TOPIC = 0.6
"""Weights of rank among the texts, and of the cosine to the next topic, beside the cosine to the topic."""

COVERED = 0.1
"""Weight of the share of the topic's messages that say the words of a phrase."""

HELD = 0.1
"""Weight of the square root of the share of its typical texts that hold the phrase itself."""

DENIED = 0.4
"""Weight of how much more of the topic's typical texts say "not" than others', for a phrase that says so too."""

WORD_RANK_ALONE = 0.4
"""Weight of rank among the texts where no model is lent: what texts tell of a phrase's meaning is less to go by."""

LONG = 0.03
"""What each word past the third takes off a score."""


class Namer:
    """Names the topics of one field and its themes; no name is given twice, whatever the case."""

    def __init__(
        self,
        texts: list[str],
        vectors: np.ndarray,
        clusters: np.ndarray,
        centroids: np.ndarray,
        embed: Embed | None = None,
        *,
        n_messages: np.ndarray | None = None,
        terms: Terms | None = None,
        said_in: Sequence[str] | None = None,
        taken: Collection[str] = (),
    ) -> None:
        """Hold what labels are made from.

        texts, vectors, clusters: of n_texts; clusters -1 for none. centroids: float32 (n_topics, n_dims), unit rows.
        embed: the model that made `vectors`, as `Embedder.embed`. n_messages: of each text, one where none are given.
        terms, said_in: words and languages of the texts, where they are known already. taken: labels that are not to be
            given.
        """
        counts = np.ones(len(texts), dtype=np.int64) if n_messages is None else n_messages
        terms = terms or count_terms(texts)
        said_in = said_in or languages_of(texts)
        self._sizes = np.bincount(clusters[clusters >= 0], minlength=len(centroids))
        self._languages = main_languages(said_in, clusters, counts, len(centroids))
        self._mixed = is_mixed(clusters, said_in, self._languages)
        # Shares are counted over more texts than lend phrases: of a few, nothing tells which words fill slots.
        counted = in_main_language(clusters, said_in, self._languages, or_unknown=True)
        clusters = in_main_language(clusters, said_in, self._languages)
        self._shares = Shares(texts, terms, counted, counts, len(centroids), said_in)
        self._texts, self._vectors, self._centroids, self._embed = texts, vectors, centroids, embed
        self._middle = vectors.mean(axis=0)
        self._clusters = clusters
        self._taken = {label.lower() for label in taken}

    @cached_property
    def _candidates(self) -> Candidates:
        return Candidates(
            *(self._texts, self._vectors, self._clusters, self._centroids, self._shares, self._languages), self._mixed
        )

    def topics(self, kept: Mapping[int, str] | None = None, held: Collection[int] = ()) -> list[str]:
        """Return one label a topic.

        kept: labels that topics have already. They stay, but for those with a word that few of the topic's messages
        say where there is a better one. held: topics whose labels stay in any case.
        """
        labels = dict(kept or {})
        self._taken |= {label.lower() for label in labels.values()}
        missing = [topic for topic in range(len(self._centroids)) if topic not in labels]
        rare = [topic for topic in sorted(labels.keys() - held) if self._shares.is_rare(labels[topic], [topic])]
        if missing or rare:
            found = self._candidates
            ranked = self._by_meaning(by_words([lent.outer for lent in found.lent]), self._centroids)
            rare = [topic for topic in rare if ranked[topic] or found.outlines(topic)]
            self._taken -= {labels[topic].lower() for topic in rare}
            for topic in [*rare, *missing]:
                phrases = ranked[topic] if self._languages[topic] != ENGLISH else _covering(found, topic, ranked[topic])
                labels[topic] = as_written(self._take(_names(found, topic, phrases)), found.messages(topic))
        return [labels[topic] for topic in range(len(self._centroids))]

    def summaries(self, labels: Sequence[str], kept: Mapping[int, str] | None = None) -> list[str]:
        """Return one sentence a topic (`labels.summaries`).

        labels: of the topics. kept: sentences that topics have already, which stay.
        """
        found = []
        for topic, label in enumerate(labels):
            if kept and topic in kept:
                found.append(kept[topic])
            else:
                messages, language = self._candidates.messages(topic), self._languages[topic]
                found.append(summary(messages, topic, label, language, self._shares))
        return found

    def fits(self, topic: int, name: str) -> bool:
        """Return whether `name` has no word that some of the topic's messages say, but too few."""
        return not self._shares.is_rare(name, [topic])

    def renamed(self, labels: list[str], names: Mapping[int, str]) -> list[str]:
        """Return the topics' labels with `names` for some of them; labels that are free again may name themes."""
        self._taken -= {labels[topic].lower() for topic in names}
        self._taken |= {name.lower() for name in names.values()}
        return [names.get(topic, label) for topic, label in enumerate(labels)]

    def themes(self, themes: np.ndarray, labels: list[str], kept: Mapping[int, str] | None = None) -> list[str]:
        """Return one label a theme.

        It is a noun (`labels.themes`), or the label of its first topic with "…" behind it where people say none.

        themes: theme of each topic, 0 to n_themes-1. labels: of the topics, the largest topic first.
        kept: labels that themes have already. They stay unless a topic has taken them, or they hold a word that few of
        the messages say in each of the theme's topics.
        """
        kept = {
            theme: label
            for theme, label in (kept or {}).items()
            if label.lower() not in self._taken and not self._shares.is_rare(label, np.flatnonzero(themes == theme))
        }
        self._taken |= {label.lower() for label in kept.values()}
        if len(kept) == len(np.unique(themes)):
            return [kept[theme] for theme in range(len(kept))]
        found = theme_names(self._candidates, themes, self._sizes, self._aims, self._embed)
        names, named = {}, {label.lower().removesuffix(MORE) for label in kept.values()}
        for theme, (covering, _) in enumerate(found):
            free = [noun for noun in covering if noun.lower() not in self._taken | named]
            if theme not in kept and free:
                names[theme] = self._take(free)
                named.add(names[theme].lower())
        for theme, (_, others) in enumerate(found):
            if theme not in kept and theme not in names:
                largest = labels[int(np.flatnonzero(themes == theme)[0])]
                nouns = [noun for noun in others if noun.lower() not in named]
                names[theme] = self._take([*(noun + MORE for noun in nouns), largest + MORE])
        return [kept.get(theme) or as_written(names[theme], self._said(themes == theme)) for theme in range(len(found))]

    def _said(self, topics: np.ndarray) -> list[str]:
        return [text for topic in np.flatnonzero(topics) for text in self._candidates.messages(int(topic))]

    @cached_property
    def _aims(self) -> np.ndarray:
        """Where each topic lies seen from the middle of all texts: float32 (n_topics, n_dims), unit rows."""
        return _unit(self._centroids - self._middle)

    def _by_meaning(
        self, finalists: list[list[tuple[float, str]]], centroids: np.ndarray, single_word: float = 0.15
    ) -> list[list[str]]:
        """Return each group's phrases, best first. finalists: (rank among the texts, phrase in the singular)."""
        names = {key: self._candidates.surface(key) for found in finalists for _, key in found}
        if not names:
            return [[] for _ in finalists]
        aims = _unit(centroids - self._middle)
        ranks = [{key: rank / found[0][0] for rank, key in found} for found in finalists]
        of_texts = self._meaning_in_texts(sorted(names))
        ranked = self._in_order(ranks, names, of_texts, aims, single_word)
        if self._embed is None:
            return [[names[key] for key in found] for found in ranked]
        ranks = [{key: rank[key] for key in found[:N_EMBEDDED]} for rank, found in zip(ranks, ranked, strict=True)]
        keys = sorted({key for rank in ranks for key in rank})
        vectors = self._embed([names[key] for key in keys])
        middle = vectors.mean(axis=0)
        meaning = dict(zip(keys, _unit(vectors - middle), strict=True))
        ranked = self._in_order(ranks, names, meaning, aims, single_word)
        if len(finalists) == len(self._candidates.lent) and single_word:
            joined = [
                {} if self._languages[topic] == ENGLISH else self._joined(topic, found[:N_JOINED])
                for topic, found in enumerate(ranked)
            ]
            fresh = sorted({key for found in joined for key in found} - meaning.keys())
            if fresh:
                meaning |= dict(zip(fresh, _unit(self._embed(fresh) - middle), strict=True))
                names |= {key: key for key in fresh}
                for rank, found in zip(ranks, joined, strict=True):
                    for key, parts in found.items():
                        rank.setdefault(key, min(rank[part] for part in parts))
                ranked = self._in_order(ranks, names, meaning, aims, single_word)
        return [[names[key] for key in found] for found in ranked]

    def _meaning_in_texts(self, keys: list[str]) -> dict[str, np.ndarray]:
        """Return what each phrase means as far as the texts tell: the mean of the vectors of those that hold it."""
        rows: dict[str, list[int]] = {key: [] for key in keys}
        for lent in self._candidates.lent:
            for key in rows.keys() & lent.rows.keys():
                rows[key] += lent.rows[key]
        meaning = np.asarray([self._vectors[rows[key]].mean(axis=0) for key in keys])
        return dict(zip(keys, _unit(meaning - meaning.mean(axis=0)), strict=True))

    def _in_order(
        self,
        ranks: list[dict[str, float]],
        names: dict[str, str],
        meaning: dict[str, np.ndarray],
        aims: np.ndarray,
        single_word: float,
    ) -> list[list[str]]:
        """Return each group's keys, best first: near its own aim, far from the next, and telling among the texts.

        ranks: by key, 0 to 1. meaning: by key, unit rows. aims: float32 (n_groups, n_dims), unit rows.
        """
        ordered: list[list[str]] = []
        for group, rank in enumerate(ranks):
            if not rank:
                ordered.append([])
                continue
            keys = list(rank)
            near = np.asarray([meaning[key] for key in keys]) @ aims.T
            own = near[:, group].copy()
            near[:, group] = -1.0
            burden = np.asarray([self._burden(names[key], single_word) for key in keys])
            words = (WORD_RANK if self._embed else WORD_RANK_ALONE) * np.asarray(list(rank.values()))
            lent_to = self._candidates.lent[group] if len(ranks) == len(self._candidates.lent) else None
            covered = COVERED * np.asarray([lent_to.coverage.get(key, 0.0) if lent_to else 0.0 for key in keys])
            held = HELD * np.sqrt([lent_to.share.get(key, 0.0) if lent_to else 0.0 for key in keys])
            denied = DENIED * np.asarray([lent_to.denied * is_denial(key) if lent_to else 0.0 for key in keys])
            score = own - NEXT_TOPIC * near.max(axis=1) + words + covered + held + denied - burden
            ordered.append([keys[i] for i in np.argsort(-score, kind="stable")])
        return ordered

    def _joined(self, topic: int, keys: list[str]) -> dict[str, tuple[str, str]]:
        """Return what two of a topic's phrases say together, with the two: "top up" and "failed" are "top up failed".

        Only phrases that stand in that order in at least two of its typical texts and most of those that hold both,
        with at most `MOST_BETWEEN` words between: what stands far apart does not read as one phrase.
        """
        found: dict[str, tuple[str, str]] = {}
        held = self._candidates.lent[topic].rows
        for first in keys:
            for second in keys:
                one, two = first.split(), second.split()
                overlap = set(one) & set(two)
                chained = one[-1] == two[0]
                both = set(held[first]) & set(held[second])
                if first == second or (overlap and not (chained and len(overlap) == 1)) or len(both) < 2:
                    continue
                if is_unspaced(first) or is_unspaced(second):
                    continue
                words = self._candidates.surface(first).split() + self._candidates.surface(second).split()[chained:]
                texts = [self._texts[row][:READ_CHARACTERS].lower() for row in both]
                follows = sum(_words_between(text, one[-1], two[0]) <= MOST_BETWEEN for text in texts)
                if len(words) <= MAX_JOINED and 2 * follows >= len(both):
                    found.setdefault(" ".join(words), (first, second))
        return found

    def _burden(self, phrase: str, single_word: float) -> float:
        """Return what is taken off a phrase's score for being too short, too long, vague, or somebody's name."""
        words = phrase.split()
        length = single_word if len(words) == 1 else LONG * max(0, len(words) - 3)
        return length + 0.1 * sum(
            (word in WEAK or word in ENDS) + (word in self._shares.names) for word in words
        ) / len(words)

    def _take(self, candidates: Iterable[str]) -> str:
        """Return the first candidate that can be seen and names nothing yet, with a number behind where all do."""
        last = NAMELESS
        for candidate in candidates:
            label = printable(candidate)
            last = label or last
            if label and label.lower() not in self._taken:
                break
        name, number = last, 2
        while name.lower() in self._taken:
            name = f"{last} ({number})"
            number += 1
        self._taken.add(name.lower())
        return name


def _names(candidates: Candidates, topic: int, phrases: list[str]) -> Iterator[str]:
    """Yield what may name the topic, best first; outlines are read only where no phrase is free."""
    yield from phrases
    outlines = candidates.outlines(topic)
    yield from outlines
    if not phrases and not outlines:
        yield candidates.message(topic)


def _covering(candidates: Candidates, topic: int, phrases: list[str]) -> list[str]:
    """Return the phrases, with "keyboards and chord progressions" before them where the best one names too little.

    That is a single noun that few typical texts of an English topic hold. The other is the best noun that `ENOUGH_MORE`
    of the texts without the first hold, and half as many as hold the first. phrases: best first, as written.
    """
    lent = candidates.lent[topic]
    keys = {candidates.surface(key): key for key in lent.outer}
    first = keys.get(phrases[0], "") if phrases else ""
    if first not in lent.nouns or " " in first or lent.share[first] >= FEW_HOLD:
        return phrases
    held = set(lent.rows[first])
    nouns = [keys[phrase] for phrase in phrases[1:N_EMBEDDED] if keys.get(phrase) in lent.nouns]
    least = max(ENOUGH_MORE, len(held) / 2)
    second = next((key for key in nouns if len(set(lent.rows[key]) - held) >= least and first not in key.split()), "")
    if not second:
        return phrases
    both = f"{candidates.plural(first)} and {candidates.plural(second)}"
    return [both, *phrases] if len(both.split()) <= MAX_JOINED else phrases


def _words_between(text: str, first: str, second: str) -> float:
    """Return how many words stand between the words (or their beginnings) `first` and `second`; inf if not in order."""
    start = text.find(first)
    end = text.find(second, start + (0 if first == second else 1)) if start >= 0 else -1
    return max(0, len(text[start:end].split()) - 1) if end >= 0 else float("inf")


def clean_keywords(words: Sequence[str]) -> list[str]:
    """Return the first `N_KEYWORDS` of `words` that say something, each once whatever its number (card, cards)."""
    found: dict[str, str] = {}
    for word in words:
        if len(word) > 1 and not is_function_word(word) and not word.isdigit() and word.strip("_"):
            found.setdefault(singular(word), word)
    return list(found.values())[:N_KEYWORDS]


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit
