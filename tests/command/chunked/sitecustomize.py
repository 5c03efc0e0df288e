"""Imported by every Python process that has this folder on its PYTHONPATH: a small lake comes in several chunks there.

As in `fanned_out.SMALL_CHUNKS`, but no process imports more for it than it would: what a stage does in chunks is set
when the run comes to a failpoint before, and there is one before each.
"""

import importlib
import sys

from turret_pipeline import failpoint

SMALL_CHUNKS = {
    "turret_pipeline.stages.field_profiles": ("SPREAD_EVENTS", 0),
    "turret_pipeline.stages.embeddings": ("CHUNK_TEXTS", 20),
    "turret_pipeline.stages.by_day": ("BATCH_ROWS", 50),
    "turret_pipeline.stages.fits.field": ("ASSIGN_TEXTS", 20),
    "turret_pipeline.stages.fits.fit": ("MAX_FIT_TEXTS", 150),
}


def _set(point: str) -> None:
    if point.startswith("text_kinds."):  # `topics` imports it only when there is something to do
        importlib.import_module("turret_pipeline.stages.fits.fit")
    for module, (name, value) in SMALL_CHUNKS.items():
        if module in sys.modules:
            setattr(sys.modules[module], name, value)


failpoint.on_reached = _set
