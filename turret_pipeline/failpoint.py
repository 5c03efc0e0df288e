"""Named points between two steps at which a crash must do no harm.

In the product `reached` does nothing. A test's own launcher sets `on_reached` to a function that kills the process
there; there is no setting for it, so that no environment can switch it on.
"""

from __future__ import annotations

from collections.abc import Callable

on_reached: Callable[[str], None] | None = None


def reached(name: str) -> None:
    """Tell the test, if there is one, that the process is at the point `name`."""
    if on_reached is not None:
        on_reached(name)
