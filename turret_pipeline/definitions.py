"""What Dagster loads: `defs`, for the settings of the environment."""

from __future__ import annotations

import dagster as dg

from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.workshop import Workshop, fanout_of
from turret_pipeline.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions for the environment's settings; called by Dagster when it loads this module."""
    settings = Settings.from_environment()
    return build_definitions(Workshop(settings, fanout=fanout_of(settings)))
