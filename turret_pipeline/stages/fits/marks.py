"""Names of the marks that `topics` and `topic_assignments` carry for each text field."""

from __future__ import annotations

from turret_pipeline.lake.commits import fingerprint

TALLY = ("texts", "without topic", "since fit", "near since fit", "unembedded")
"""Names of the marks in `topic_assignments` that make up a `fits.field.Tally`."""

DEFINITIONS = "definitions"
"""Name of the mark in `topic_assignments` that stands for the definitions that they follow from."""


def field_mark(mark: str, field: str) -> str:
    """Return the name of the mark that says `mark` of one field."""
    return f"{mark} of {fingerprint(field)}"
