"""How a benchmark tells a person how far it is, and what it has measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping


def say(line: str) -> None:
    """Tell a person at a terminal how far it is; figures go to the standard output."""
    print(line, file=sys.stderr, flush=True)


def show(figures: Mapping[str, float], as_json: bool) -> None:
    """Print the figures by name: as one line of JSON, or as a table."""
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<28} {value:>14,.2f}")
