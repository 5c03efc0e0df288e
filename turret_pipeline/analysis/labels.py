"""Short, unique names of topics in the words of their messages.

A label is a phrase of one to six words, in the order in which people wrote them, from the topic's most typical texts.
Many of these must hold it and few of other topics' (share times log ratio, as in c-TF-IDF); among the best of them the
one is taken whose meaning is near the topic and not near its next neighbour. The meaning of a phrase is its embedding
where the caller lends the model, else the mean vector of the texts that hold it. Not here: language models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from turret_pipeline.analysis.topics_neighbours import READ_CHARACTERS, WORD

Embed = Callable[[Sequence[str]], np.ndarray]

N_TYPICAL = 80
"""Texts of a topic that lend phrases, the most typical ones."""

N_FINALISTS = 24
MAX_WORDS = 6
MAX_CHARACTERS = 60

_EDGE_WORDS = """
    a an the this that these those my your his her its our their i me you he she it we they them us myself one some
    any all both each other another such same and or but if so as than then too very just also only even still of at by
    for with about against between into through during before after above below to from in on off over under again out
    up down is am are was were be been being do does did doing done has have had having can could will would shall
    should may might must not no nor don't doesn't didn't can't couldn't won't isn't wasn't what which who whom when
    where why how there here please want need like know hi hello hey thanks thank ok okay yes i'm i've i'd i'll it's
    that's let's there's what's im ive let make sure tell going got way something someone anything now today really much
    many more most s t m ve d ll re"""
EDGE_WORDS = frozenset(_EDGE_WORDS.split())
"""English words that a label neither begins nor ends with; in other languages the choice by meaning has to do."""


def choose_labels(
    texts: list[str],
    vectors: np.ndarray,
    clusters: np.ndarray,
    centroids: np.ndarray,
    *,
    kept: Mapping[int, str] | None = None,
    embed: Embed | None = None,
) -> list[str]:
    """Return one label a topic, no two alike whatever their case.

    texts, vectors, clusters: of n_texts; clusters -1 for none. centroids: float32 (n_topics, n_dims), unit rows.
    kept: labels that topics have already; they stay. embed: the model that made `vectors`, as `Embedder.embed`.
    """
    kept = kept or {}
    labels = dict(kept)
    taken = {label.lower() for label in kept.values()}
    typical = [_typical(vectors, clusters, centroids, topic) for topic in range(len(centroids))]
    ranked = _rank_phrases(texts, vectors, typical, centroids, embed) if len(kept) < len(centroids) else []
    for topic in range(len(centroids)):
        if topic not in labels:
            label = _first_free([*ranked[topic], _clip(texts[typical[topic][0]])], taken)
            labels[topic] = label
            taken.add(label.lower())
    return [labels[topic] for topic in range(len(centroids))]


def _typical(vectors: np.ndarray, clusters: np.ndarray, centroids: np.ndarray, topic: int) -> np.ndarray:
    members = np.flatnonzero(clusters == topic)
    return members[np.argsort(-(vectors[members] @ centroids[topic]), kind="stable")][:N_TYPICAL]


def _rank_phrases(
    texts: list[str], vectors: np.ndarray, typical: list[np.ndarray], centroids: np.ndarray, embed: Embed | None
) -> list[list[str]]:
    """Return each topic's phrases, best first."""
    rows = np.concatenate(typical)
    counter = CountVectorizer(ngram_range=(1, MAX_WORDS), token_pattern=WORD, binary=True, min_df=2, dtype=np.float32)
    try:
        counts = counter.fit_transform([texts[row][:READ_CHARACTERS] for row in rows])
    except ValueError:  # no word stands in two texts
        return [[] for _ in typical]
    phrases = counter.get_feature_names_out()
    n_typical = np.asarray([len(members) for members in typical])
    owner = np.repeat(np.arange(len(typical)), n_typical)
    members = sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (owner, np.arange(len(rows)))))
    share = np.asarray((members @ counts).todense()) / n_typical[:, None]
    elsewhere = (share.sum(axis=0) - share) / max(len(typical) - 1, 1)
    fits = np.asarray([_may_be_label(phrase) for phrase in phrases], dtype=bool)
    n_words = np.asarray([phrase.count(" ") + 1 for phrase in phrases])
    score = np.where(fits & (share > 0), share * np.log1p(share / np.maximum(elsewhere, 1e-3)) * n_words**0.5, 0.0)
    finalists = [
        [int(column) for column in np.argsort(-row, kind="stable")[:N_FINALISTS] if row[column] > 0] for row in score
    ]
    columns = sorted({column for row in finalists for column in row})
    if not columns:
        return [[] for _ in typical]
    if embed is not None:
        meaning = embed([str(phrases[column]) for column in columns])
    else:
        meaning = np.asarray(counts[:, columns].T @ vectors[rows])
        meaning /= np.maximum(np.linalg.norm(meaning, axis=1, keepdims=True), 1e-9)
    place = {column: number for number, column in enumerate(columns)}
    ranked = []
    for topic, row in enumerate(finalists):
        near = meaning[[place[column] for column in row]] @ centroids.T
        own = near[:, topic].copy()
        near[:, topic] = -1.0
        contrast = own - 0.5 * near.max(axis=1) if len(centroids) > 1 else own
        ranked.append([str(phrases[row[i]]) for i in np.argsort(-contrast, kind="stable")])
    return ranked


def _may_be_label(phrase: str) -> bool:
    words = phrase.replace("\u2019", "'").split()
    readable = len(phrase) <= MAX_CHARACTERS and any(character.isalpha() for character in phrase)
    return readable and len(phrase) > 1 and words[0] not in EDGE_WORDS and words[-1] not in EDGE_WORDS


def _clip(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1].rstrip() + "…"


def _first_free(candidates: list[str], taken: set[str]) -> str:
    for label in candidates:
        if label.lower() not in taken:
            return label
    number = 2
    while f"{candidates[-1]} ({number})".lower() in taken:
        number += 1
    return f"{candidates[-1]} ({number})"
