"""The types that people chose for fields: in force at once, while the tables follow with the next build."""

from __future__ import annotations

from typing import Literal

from turret_api.read.engine.library import Snapshot
from turret_pipeline.lake.tables import FIELD_OVERRIDES

FieldType = Literal["text", "enum", "number", "other"]


def overrides_of(snapshot: Snapshot) -> dict[str, FieldType | None]:
    """Return by field the type that a person chose; None, or no entry: it is left to detection."""
    overrides = snapshot.scan(FIELD_OVERRIDES).sort("decided_at", maintain_order=True).collect()
    last = overrides.unique("field", keep="last", maintain_order=True)
    return dict(last.select("field", "type").iter_rows())
