"""The kind of each answer: whether it refuses, apologises, or answers, told by how it begins.

Answers are long, and what is said in their midst ("I cannot say how large it will be") is seldom about the request. So
the first sentences are read, each by itself: a ridge classifier of what the sentence looks like (`kinds.words`), with
cues beside it, says whether it refuses, apologises, is a courtesy ("Thanks for reaching out") or says something else.
No vectors: refusals are set phrases, and the answers' vectors are of whole texts; to embed their first sentences too
would cost as much as the messages do (`benchmarks/answers.md` has what it would gain).

Of each language there are examples (`examples.tsv`: kind, ISO 639-1, phrase) and cues (`cues.tsv`: cue, ISO 639-1,
regular expression of the plain text), both written for Turret. Cues are words that apologise (`sorry`), regret
(`pity`), deny (`denial`) or tell of something that failed (`trouble`). In languages without them little is found.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import polars as pl
import scipy.sparse as sp

from turret_pipeline.analysis.kinds.classifier import Classifier, fit
from turret_pipeline.analysis.kinds.examples import phrases
from turret_pipeline.analysis.kinds.words import features, plain
from turret_pipeline.semantics.answers import ANSWERED, APOLOGISED, MADE_GOOD, OPENING_CHARACTERS, REFUSED
from turret_pipeline.semantics.kinds import REQUEST

COURTESY = "courtesy"
"""Kind of a sentence that says nothing of the request yet."""

CUES = ("sorry", "pity", "denial", "trouble")

OPENING_SENTENCES = 3
"""How many sentences are read, of as much as `OPENING_CHARACTERS` says."""

LEAST, LATE = 0.1, 0.3
"""Lead in the score from which a sentence refuses or apologises, and from which it does so behind one that answers."""

SHORT_CHARACTERS = 40
"""Below this an apology has no room for more than itself."""

DIGITS = 3
"""Of `sureness`."""

CHUNK_TEXTS = 8192

_END = re.compile(r"(?<=[.!?\u061f\u0964])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
"""Where a sentence ends: not at the point of a number."""

_QUESTION = ("?", "\uff1f", "\u061f")


@dataclass(frozen=True)
class Told:
    """What an answer does, one of `ANSWER_KINDS`; sureness: 0.5 to 1, of that."""

    kind: str
    sureness: float


@dataclass(frozen=True)
class _Sentence:
    """A sentence of an answer.

    scores: by kind, near 1 for its own. is_sorry: whether it has a word that apologises. has_cue: whether it has a cue
    at all; without one it neither refuses nor apologises.
    """

    text: str
    scores: dict[str, float]
    is_sorry: bool
    has_cue: bool

    @property
    def is_question(self) -> bool:
        return self.text.rstrip().endswith(_QUESTION)

    def lead(self, kind: str) -> float:
        """Return by how much the kind's score leads over those of sentences that neither refuse nor apologise."""
        if not self.has_cue:
            return -1.0
        others = [self.scores[ANSWERED], self.scores[COURTESY]]
        if self.is_sorry:
            others.append(self.scores[MADE_GOOD])
        return self.scores[kind] - max(others)


def answer_kinds(texts: Sequence[str]) -> list[Told]:
    """Return the kind of each answer, in order."""
    found: list[Told] = []
    for start in range(0, len(texts), CHUNK_TEXTS):
        found += _of_chunk(texts[start : start + CHUNK_TEXTS])
    return found


def _of_chunk(texts: Sequence[str]) -> list[Told]:
    openings = [_opening(text) for text in texts]
    cues_of = _with_cues({sentence for sentences in openings for sentence in sentences})
    # Most answers have no cue where they begin, and only what stands beside one is scored.
    in_doubt = [row for row, sentences in enumerate(openings) if any(cues_of[each].any() for each in sentences)]
    found = [Told(ANSWERED, 1.0)] * len(texts)
    read = _read({sentence: cues_of[sentence] for row in in_doubt for sentence in openings[row]})
    for row in in_doubt:
        found[row] = _told([read[sentence] for sentence in openings[row]])
    return found


def _with_cues(sentences: Collection[str]) -> dict[str, np.ndarray]:
    ordered = sorted(sentences)
    return dict(zip(ordered, _cues(ordered), strict=True))


def _read(cues_of: Mapping[str, np.ndarray]) -> dict[str, _Sentence]:
    """Return the sentences read, by their texts. cues_of: by text, bool of shape (n_cues,)."""
    if not cues_of:
        return {}
    texts, cues = list(cues_of), np.stack(list(cues_of.values()))
    classifier = learnt()
    scores = classifier.scores(np.zeros((len(texts), 0), np.float32), _looks(texts, cues))
    return {
        text: _Sentence(text, dict(zip(classifier.classes, row.tolist(), strict=True)), bool(of[0]), bool(of.any()))
        for text, row, of in zip(texts, scores, cues, strict=True)
    }


def _opening(text: str) -> list[str]:
    """Return the sentences of the text that are read: the first that have a letter."""
    sentences = (sentence.strip() for sentence in _END.split(text[:OPENING_CHARACTERS]))
    return [sentence for sentence in sentences if any(map(str.isalpha, sentence))][:OPENING_SENTENCES]


def _told(sentences: Sequence[_Sentence]) -> Told:
    """Return the kind of an answer that begins with these sentences."""
    failed: float | None = None
    sorry = has_answered = False
    surest = 1.0
    for sentence in sentences:
        refuses, apologises = sentence.lead(REFUSED), sentence.lead(APOLOGISED)
        least = LATE if has_answered else LEAST
        if refuses > max(apologises, least):
            return Told(REFUSED, _sureness(refuses))
        if apologises > least:
            failed = max(failed or 0.0, apologises)
            continue
        surest = min(surest, _sureness(-max(refuses, apologises)))
        if sentence.is_sorry:
            sorry = sorry or not has_answered
            has_answered = True
        elif not sentence.is_question and sentence.scores[COURTESY] <= sentence.scores[ANSWERED]:
            has_answered = True
            if failed is not None:
                return Told(MADE_GOOD, surest)
    if failed is not None:
        return Told(APOLOGISED, _sureness(failed))
    return Told(MADE_GOOD if sorry else ANSWERED, surest)


def _sureness(lead: float) -> float:
    return round(min(max(0.5 + lead / 2, 0.5), 1.0), DIGITS)


@functools.cache
def learnt() -> Classifier:
    """Return the classifier of sentences, which takes a second to learn.

    What users ask, of which there are examples in more languages, says neither that something is refused nor sorry.
    """
    examples = _table("examples.tsv")
    asked = phrases().filter(pl.col("kind") == REQUEST)["phrase"].to_list()
    texts = [*(phrase for _, _, phrase in examples), *asked]
    kinds = [*(kind for kind, _, _ in examples), *[ANSWERED] * len(asked)]
    return fit(np.zeros((len(texts), 0), np.float32), _looks(texts, _cues(texts)), kinds)


def _looks(texts: Sequence[str], cues: np.ndarray) -> sp.csr_matrix:
    """Return float32 of shape (n_texts, n_features): what the sentences look like, and which cues they have."""
    sorry, pity, denial, trouble = cues.T
    short = np.array([len(plain(text)) < SHORT_CHARACTERS for text in texts])
    asks = np.array([text.rstrip().endswith(_QUESTION) for text in texts])
    pairs = [sorry & denial, pity & denial, trouble & denial, sorry & trouble]
    rest = [asks, sorry & ~denial & ~trouble, sorry & short, ~cues.any(axis=1)]
    of_cues = np.stack([*cues.T, *pairs, *rest], axis=1).astype(np.float32)
    return sp.hstack([features(texts, [frozenset()] * len(texts)), sp.csr_matrix(of_cues)], format="csr")


def _cues(texts: Sequence[str]) -> np.ndarray:
    """Return bool of shape (n_texts, n_cues): which of `CUES` each text has."""
    said = pl.Series([plain(text) for text in texts], dtype=pl.String)
    return np.stack([said.str.contains(pattern).to_numpy() for pattern in _patterns()], axis=1)


@functools.cache
def _patterns() -> tuple[str, ...]:
    rows = _table("cues.tsv")
    return tuple("|".join(plain(pattern) for cue, _, pattern in rows if cue == name) for name in CUES)


def _table(name: str) -> list[tuple[str, str, str]]:
    lines = resources.files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()
    return [(first, second, third) for first, second, third in (line.split("\t") for line in lines)]
