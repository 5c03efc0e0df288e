"""What the tests of the command's room share with those of the processes'."""

from tests.processes.conftest import cluster, home, used_home

__all__ = ["cluster", "home", "used_home"]
