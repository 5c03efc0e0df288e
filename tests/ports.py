"""TCP ports for the servers that tests start."""

from __future__ import annotations

import socket


def free_ports(n: int) -> list[int]:
    """Return so many ports of 127.0.0.1, no two the same, on which nobody listens now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
