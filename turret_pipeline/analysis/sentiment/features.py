"""What a text looks like to the sentiment classifier, without a model: its words and its letters, hashed.

Hashed words and pairs of words tell of wordings that vectors smooth over ("not bad"); runs of letters tell of languages
that the model hardly knows, and of endings. Smileys and single marks count as words.
"""

from __future__ import annotations

from collections.abc import Sequence

import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer

from turret_pipeline.analysis.kinds.words import plain

N_HASHED = 2**16

READ_CHARACTERS = 1_000
"""Of a text, from its beginning."""

SCALE = 3.0
"""How much words and letters count beside a vector; flat between 2 and 5 (see `benchmarks/sentiment.md`)."""

_LETTERS = HashingVectorizer(
    analyzer="char_wb", ngram_range=(3, 5), n_features=N_HASHED, alternate_sign=False, lowercase=False, dtype="float32"
)
_WORDS = HashingVectorizer(
    token_pattern=r"[^\W_]+(?:'\w+)?|[^\w\s]",
    ngram_range=(1, 2),
    n_features=N_HASHED,
    alternate_sign=False,
    lowercase=False,
    dtype="float32",
)


def features(texts: Sequence[str]) -> sp.csr_matrix:
    """Return float32 of shape (n_texts, 2 * N_HASHED): hashed letters, then hashed words, each of length `SCALE`."""
    said = [plain(text[:READ_CHARACTERS]) for text in texts]
    return sp.hstack([SCALE * _LETTERS.transform(said), SCALE * _WORDS.transform(said)], format="csr")
