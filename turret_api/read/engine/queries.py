"""What a question says of the SQL behind its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Views = dict[str, tuple[str, str]]
"""Views by name: what a row is, and the `SELECT` that makes them."""


@dataclass(frozen=True)
class Queries:
    """What an answer is made of.

    parts: by part of the answer, the statement that gives it. views: that statements may name. left_out: what of the
    answer no statement gives, and how it comes from what they give; "": nothing.
    """

    parts: Mapping[str, str]
    views: Views = field(default_factory=dict)
    left_out: str = ""
