"""The project's embedding model, opened with what the lake keeps of it."""

from __future__ import annotations

from turret_pipeline.embedder.embed import Embedder, model_key, open_embedder
from turret_pipeline.embedder.kept import read_model, write_model
from turret_pipeline.lake.paths import Lake


def open_lake_embedder(lake: Lake, model: str | None) -> Embedder:
    """Return the loaded model; after this call the lake keeps it converted, if it can be.

    model: as in the settings. Raise `ModelError` where it cannot be loaded.
    """
    kept = read_model(lake, model_key(model))
    embedder = open_embedder(model, kept)
    if kept is None and embedder.converted is not None:
        write_model(lake, embedder.key, embedder.converted)
    return embedder
