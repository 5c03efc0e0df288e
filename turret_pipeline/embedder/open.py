"""The project's embedding model, opened with what the lake keeps of it.

To open it takes seconds, so what asks for it while it is open in the process gets the same one. It is not kept open for
that: once many texts went through it, it holds hundreds of megabytes, which a fit may need.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakValueDictionary

from turret_pipeline.embedder.embed import Embedder, model_key, open_embedder
from turret_pipeline.embedder.kept import keeps_model, read_model, write_model
from turret_pipeline.embedder.runtime import ConvertedModel
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake

_open: MutableMapping[str, Embedder] = WeakValueDictionary()
"""The embedders that are in use in the process, by their keys."""


def open_lake_embedder(
    lake: Lake,
    model: str | None,
    in_turn: Callable[[], AbstractContextManager[object]] = nullcontext,
    n_threads: int = 0,
) -> Embedder:
    """Return the loaded model; after this call the lake keeps it converted, if it can be.

    model: as in the settings. in_turn: returns a block that one process is in at a time: there the model is converted,
    which takes seconds (with torch half a minute), and a process that waited for that finds it done. n_threads: that it
    computes with, unless the process has it open; 0: all.
    Raise `ModelError` where it cannot be loaded.
    """
    there = _open.get(model_key(model))
    if there is not None and (there.converted is None or keeps_model(lake, there.key)):
        return there
    if (kept := _kept(lake, model)) is not None:
        return _opened(there or open_embedder(model, kept, n_threads=n_threads))
    with in_turn():
        kept = _kept(lake, model)
        embedder = there or open_embedder(model, kept, n_threads=n_threads)
        if kept is None and embedder.converted is not None:
            write_model(lake, embedder.key, embedder.converted)
        return _opened(embedder)


def _opened(embedder: Embedder) -> Embedder:
    _open[embedder.key] = embedder
    return embedder


def _kept(lake: Lake, model: str | None) -> ConvertedModel | None:
    try:
        return read_model(lake, model_key(model))
    except DamageError as error:
        # It is made anew from the package; until then the API may have found it.
        logging.getLogger(__name__).warning("the kept model is damaged", extra={"reason": str(error)})
        return None


if __name__ == "__main__":  # `python -m turret_pipeline.embedder.open LAKE MODEL`: the lake keeps the model, converted
    open_lake_embedder(Lake(sys.argv[1]), sys.argv[2] or None)
