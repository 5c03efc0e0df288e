"""Names of the marks that `topics` and `topic_assignments` carry for each text field."""

from __future__ import annotations

from collections.abc import Collection

from turret_pipeline.lake.commits import ProjectTable, fingerprint

TALLY = ("texts", "without topic", "since fit", "near since fit", "unembedded")
"""Names of the marks in `topic_assignments` that make up a `fits.field.Tally`."""

DEFINITIONS = "definitions"
"""Name of the mark in `topic_assignments` that stands for the definitions that they follow from."""


def field_mark(mark: str, field: str) -> str:
    """Return the name of the mark that says `mark` of one field."""
    return f"{mark} of {fingerprint(field)}"


def fit_marks(assignments: ProjectTable, fields: Collection[str]) -> list[tuple[object, ...]]:
    """Return each field with the number of the fit that its assignments are of, and what stands for definitions."""
    found: list[tuple[object, ...]] = []
    for name in sorted(fields):
        defined = assignments.mark(field_mark(DEFINITIONS, name))
        # Without definitions as it always was, so that counts from before there were any stay up to date.
        found.append((name, assignments.mark(field_mark("fit", name)), *([defined] if defined else [])))
    return found
