"""Servers, projects and commands for the tests of erasures."""

from tests.collector.conftest import accounts, make_server, new_project, preloaded, turret

__all__ = ["accounts", "make_server", "new_project", "preloaded", "turret"]
