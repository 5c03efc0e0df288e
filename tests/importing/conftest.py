"""`turret import` runs as other commands do: as a process of its own, against a real database."""

from __future__ import annotations

from tests.collector.conftest import accounts, new_project, preloaded, turret

__all__ = ["accounts", "new_project", "preloaded", "turret"]
