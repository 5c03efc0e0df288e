"""What is learnt from the examples of moves, for each model once: the lake keeps it, as it keeps the model.

To learn takes seconds, nearly all of them to embed the examples. So the stage that has the model open for texts sees to
it, and later processes read the file. It bears a digest of all that it follows from, so it is never that of others.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.lake import files, sums
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake

if TYPE_CHECKING:
    from turret_pipeline.analysis.kinds.examples import Examples

PACKAGE = "turret_pipeline.analysis.kinds"

_known: dict[str, Examples] = {}


def examples_by(lake: Lake, model: str, open_model: Callable[[], Embedder]) -> Examples:
    """Return what the examples teach by the model of this key, which is opened where the lake does not hold it."""
    if model not in _known:
        # Here, not at the top: it loads scikit-learn, and a look for new work reads the module of each stage.
        from turret_pipeline.analysis.kinds.examples import Examples

        found = _read(lake, model)
        if found is None:
            found = Examples.of(open_model().embed)
            _write(lake, model, found)
        _known.clear()  # a process rarely uses two
        _known[model] = found
    return _known[model]


def _read(lake: Lake, model: str) -> Examples | None:
    from turret_pipeline.analysis.kinds.classifier import Classifier
    from turret_pipeline.analysis.kinds.examples import Examples

    address = _address(lake, model)
    try:
        with sums.reading(lake, address), files.open_input(lake, address) as stream:
            kept = np.load(io.BytesIO(stream.read()), allow_pickle=False)
            classes, of_words = tuple(kept["classes"].tolist()), kept["by_words"]
            classifier = Classifier(classes, kept["of_vector"], kept["of_features"])
            by_words = Classifier(classes, np.zeros((0, len(classes)), np.float32), of_words)
            kinds = dict(zip(kept["said"].tolist(), kept["kinds"].tolist(), strict=True))
            return Examples(classifier, by_words, frozenset(kept["words"].tolist()), kinds)
    except (FileNotFoundError, DamageError):
        return None


def _write(lake: Lake, model: str, examples: Examples) -> None:
    sink = io.BytesIO()
    np.savez(
        sink,
        classes=np.array(examples.classifier.classes),
        of_vector=examples.classifier.of_vector,
        of_features=examples.classifier.of_features,
        by_words=examples.by_words.of_features,
        words=np.array(sorted(examples.words)),
        said=np.array(list(examples.kinds)),
        kinds=np.array(list(examples.kinds.values())),
    )
    address = _address(lake, model)
    sums.unseal(lake, address)
    files.write(lake, address, sink.getbuffer())
    sums.seal(lake, address)


def _address(lake: Lake, model: str) -> str:
    digest = hashlib.blake2b(f"{model} {_source()}".encode(), digest_size=12).hexdigest()
    return f"{lake.root}/models/kinds-{digest}.npz"


@cache
def _source() -> str:
    """Return a digest of the examples and of all that learns from them."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(resources.files(PACKAGE).iterdir(), key=lambda each: each.name):
        if file.name.endswith((".py", ".tsv")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
