"""The stages: each brings tables of one project up to date, without Dagster.

    events → field_profiles → field_types → messages → shared_frames → embeddings → text_kinds,
    text_sentiment → topics, topic_assignments → journey_steps → topic_days, step_values, friction, journey_moves
    → answers, journey_edges

A stage reads the lake, calls the analysis and writes the lake. All that is known of it stands in one record, `STAGE` of
the file that bears the table's name (`stage`); `STAGES` are all of them, so a new table is a declaration in
`lake.tables`, a file here, and a test.

What is new a stage finds from state: each commit carries the fingerprint of the input it was made from
(`lake.commits`), so a stage compares fingerprints and does the difference, or nothing. Killed anywhere and called again
it leaves the same tables as if it had not been killed; two calls in a row leave what one left. Only one process at a
time may run stages of a project: the callers see to it (`lake.locks`), and the lake refuses the second commit
if they fail. Models are imported when there is something to embed or to fit, not before.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from turret_pipeline.lake.tables import TABLES
from turret_pipeline.stages.check import Check
from turret_pipeline.stages.stage import Stage, checks_of_every

_FILES = {module.name for module in iter_modules(__path__)}

STAGES: tuple[Stage, ...] = tuple(import_module(f"{__name__}.{name}").STAGE for name in TABLES if name in _FILES)
"""Every stage, in the order in which they run: that of the declarations of their tables."""

STAGE_OF: dict[str, Stage] = {product.table.name: stage for stage in STAGES for product in stage.makes}
"""By table the stage that makes it, in the same order; by-products are left out."""

BY_DAY = frozenset(name for name, stage in STAGE_OF.items() if stage.by_day)
"""The tables that are brought up to date, and materialized, by day of receipt."""

CHECKS: dict[str, dict[str, Check]] = {name: checks_of_every(table) for name, table in TABLES.items()} | {
    product.table.name: product.all_checks for stage in STAGES for product in stage.products
}
"""Checks by table and name, of those too that no stage makes."""
