"""What is learnt from the examples of moves, for each model once (see `learnt`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.learnt import Embeds, read_learnt, write_learnt

if TYPE_CHECKING:
    from turret_pipeline.analysis.kinds.examples import Examples

PACKAGES = ("turret_pipeline.analysis.kinds",)

_known: dict[str, Examples] = {}


def examples_by(lake: Lake, model: str, open_model: Callable[[], Embeds]) -> Examples:
    """Return what the examples teach by the model of this key, which is opened where the lake does not hold it."""
    if model not in _known:
        # Here, not at the top: it loads scikit-learn, and a look for new work reads the module of each stage.
        from turret_pipeline.analysis.kinds.examples import Examples

        found = _read(lake, model)
        if found is None:
            found = Examples.of(open_model().embed)
            write_learnt(lake, model, PACKAGES, arrays_of(found))
        _known.clear()  # a process rarely uses two
        _known[model] = found
    return _known[model]


def _read(lake: Lake, model: str) -> Examples | None:
    from turret_pipeline.analysis.kinds.classifier import Classifier
    from turret_pipeline.analysis.kinds.examples import Examples

    kept = read_learnt(lake, model, PACKAGES)
    if kept is None:
        return None
    classes, of_words = tuple(kept["classes"].tolist()), kept["by_words"]
    classifier = Classifier(classes, kept["of_vector"], kept["of_features"])
    by_words = Classifier(classes, np.zeros((0, len(classes)), np.float32), of_words)
    kinds = dict(zip(kept["said"].tolist(), kept["kinds"].tolist(), strict=True))
    return Examples(classifier, by_words, frozenset(kept["words"].tolist()), kinds)


def arrays_of(examples: Examples) -> dict[str, np.ndarray]:
    """Return what the examples taught as arrays by name, to be written."""
    return {
        "classes": np.array(examples.classifier.classes),
        "of_vector": examples.classifier.of_vector,
        "of_features": examples.classifier.of_features,
        "by_words": examples.by_words.of_features,
        "words": np.array(sorted(examples.words)),
        "said": np.array(list(examples.kinds)),
        "kinds": np.array(list(examples.kinds.values())),
    }
