"""The examples that kinds of texts are told by, embedded once in a process for each model.

The stage that embeds texts has the model open, so it embeds them too: to open the model again takes a second.
"""

from __future__ import annotations

from collections.abc import Callable

from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.embedder.embed import Embedder

_known: dict[str, Examples] = {}


def examples_by(model: str, open_model: Callable[[], Embedder]) -> Examples:
    """Return the examples with their vectors by the model of this key; it is opened where this process lacks them."""
    if model not in _known:
        _known.clear()  # a process rarely uses two
        _known[model] = Examples.of(open_model().embed)
    return _known[model]
