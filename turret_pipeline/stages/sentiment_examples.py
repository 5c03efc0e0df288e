"""What is learnt from the examples of sentiment, for each model once (see `learnt`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.learnt import Embeds, read_learnt, write_learnt

if TYPE_CHECKING:
    from turret_pipeline.analysis.kinds.classifier import Classifier

PACKAGES = ("turret_pipeline.analysis.sentiment", "turret_pipeline.analysis.kinds")

_known: dict[str, Classifier] = {}


def sentiment_by(lake: Lake, model: str, open_model: Callable[[], Embeds]) -> Classifier:
    """Return what the examples teach by the model of this key, which is opened where the lake does not hold it."""
    if model not in _known:
        # Here, not at the top: it loads scikit-learn, and a look for new work reads the module of each stage.
        from turret_pipeline.analysis.kinds.classifier import Classifier
        from turret_pipeline.analysis.sentiment.examples import learnt

        kept = read_learnt(lake, model, PACKAGES)
        if kept is None:
            kept = arrays_of(learnt(open_model().embed))
            write_learnt(lake, model, PACKAGES, kept)
        _known.clear()  # a process rarely uses two
        _known[model] = Classifier(tuple(kept["classes"].tolist()), kept["of_vector"], kept["of_features"])
    return _known[model]


def arrays_of(classifier: Classifier) -> dict[str, np.ndarray]:
    """Return what the examples taught as arrays by name, to be written."""
    return {
        "classes": np.array(classifier.classes),
        "of_vector": classifier.of_vector,
        "of_features": classifier.of_features,
    }
