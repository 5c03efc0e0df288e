"""What a text looks like, as numbers, without a model: its words, its letters, and its shape."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer

N_HASHED = 2**15

_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-~\xa1-\xbf\u2000-\u206f\u3000-\u303f\u060c\u061b\u061f\u0964\u0965]+")
"""What stands between words; what `\\W` calls so would cut words of Hindi and Thai at their vowels."""

_MARK = re.compile("[?\u061f;]")  # a question's: of most scripts, the Arabic, the Greek
_LETTERS = HashingVectorizer(
    analyzer="char_wb", ngram_range=(1, 4), n_features=N_HASHED, alternate_sign=False, lowercase=False, dtype=np.float32
)
_WORDS = HashingVectorizer(
    token_pattern=r"[^\W_]+(?:'\w+)?|[?]",
    ngram_range=(1, 2),
    n_features=N_HASHED,
    alternate_sign=False,
    lowercase=False,
    dtype=np.float32,
)
_SCALE_HASHED, _SCALE_SHAPE = 5.0, 2.0


def plain(text: str) -> str:
    """Return `text` in lower case, in one of the spellings that look alike."""
    return unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")


def words_of(text: str) -> list[str]:
    """Return the words of `text`, plain and in order; a run of Chinese, Japanese or Thai counts as one."""
    return _BETWEEN.sub(" ", plain(text)).split()


def features(texts: Sequence[str], known: Sequence[frozenset[str]]) -> sp.csr_matrix:
    """Return float32 of shape (n_texts, n_features): hashed letters and words, of unit length each, and the shape.

    known: for each text, the words that moves are made of.
    """
    said = [plain(text) for text in texts]
    shape = np.array([_shape(text, words) for text, words in zip(said, known, strict=True)], dtype=np.float32)
    hashed = [_SCALE_HASHED * each.transform(said) for each in (_LETTERS, _WORDS)]
    return sp.hstack([*hashed, sp.csr_matrix(_SCALE_SHAPE * shape.reshape(len(said), -1))], format="csr")


def _shape(text: str, known: frozenset[str]) -> tuple[float, ...]:
    words = _BETWEEN.sub(" ", text).split()
    unknown = sum(word not in known for word in words)
    return (
        1.0,
        np.log1p(len(text)) / 3,
        np.log1p(len(words)) / 2,
        float(any(letter.isdigit() for letter in text)),
        float(_MARK.search(text) is not None),
        unknown / max(1, len(words)),
        min(unknown, 4) / 4,
    )
