"""TCP ports for the servers that tests start."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, PER_WORKER, N_WORKERS = 15_000, 2_000, 8
"""Below those that the system gives out by itself: what a test is told is free stays free until its server listens,
whatever else connects or listens meanwhile, and no two workers are told the same."""

_first = FIRST + PER_WORKER * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % N_WORKERS)
_begun_at = random.SystemRandom().randrange(PER_WORKER)  # for two runs of the tests at a time
_numbers = itertools.count()


def free_ports(n: int) -> list[int]:
    """Return so many ports of 127.0.0.1, no two the same, on which nobody listens now."""
    ports: list[int] = []
    while len(ports) < n:
        port = _first + (_begun_at + next(_numbers)) % PER_WORKER
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        ports.append(port)
    return ports
