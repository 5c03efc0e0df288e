"""Make each `learnt.npz` of `turret_pipeline/analysis`: what the default model learns from the examples beside it.

    python tools/learn.py

Run it whenever the examples, what learns from them, or the default model changes; a test says when it was not.
"""

from __future__ import annotations

from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.analysis.sentiment.examples import learnt
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.stages import kind_examples, sentiment_examples
from turret_pipeline.stages.learnt import EachOnce, write_shipped


def main() -> None:
    """Write the files."""
    model = open_embedder(None)
    teacher = EachOnce(model)
    write_shipped(model.key, kind_examples.PACKAGES, kind_examples.arrays_of(Examples.of(teacher.embed)))
    write_shipped(model.key, sentiment_examples.PACKAGES, sentiment_examples.arrays_of(learnt(teacher.embed)))


if __name__ == "__main__":
    main()
