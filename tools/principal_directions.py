"""Make `turret_pipeline/embedder/directions.npy`: the directions in which the multilingual model's vectors are kept.

    python tools/principal_directions.py

They are the 256 in which vectors have most of their length, of 20,000 texts of three random word pieces each: the
model's own vocabulary, in all its languages, so that nobody's texts are needed. What came of it stands in
`benchmarks/topics.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from turret_pipeline.embedder import universal

N_WORDS = 60_000
WORDS_A_TEXT = 3


def main() -> None:
    """Write the file."""
    pieces = [piece.replace("\u2581", " ").strip() for piece in universal.load_weights().sp._pieces[3:]]
    words = [piece for piece in pieces if len(piece) > 2 and piece.isalpha()]
    words = [words[place] for place in np.random.default_rng(0).permutation(len(words))[:N_WORDS]]
    texts = [" ".join(words[at : at + WORDS_A_TEXT]) for at in range(0, len(words), WORDS_A_TEXT)]
    vectors = universal.UniversalEncoder(bfloat16=False).embed_whole(texts)
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    kept = directions[:, ::-1][:, : universal.N_DIMS].astype(np.float16)
    np.save(Path(universal.__file__).with_name("directions.npy"), kept)


if __name__ == "__main__":
    main()
