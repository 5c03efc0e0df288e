"""Whether a process on this machine serves others: looked at from outside, as its users do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import urllib.request

import psycopg2

from turret_pipeline.lake.election import elected
from turret_pipeline.lake.session import open_session

TIMEOUT_S = 5
HEARTBEAT_S = 120.0
"""Age of the daemon's last sign of life past which it does not count as healthy; it gives one every half minute."""
_HEARTBEAT = "SELECT extract(epoch FROM max(timestamp))::float8 FROM dagster.daemon_heartbeats"
_UNNAMED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The certificate is of the name that users know, and this is our own process on 127.0.0.1."""
_UNNAMED.check_hostname = False
_UNNAMED.verify_mode = ssl.CERT_NONE


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered 200."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=_UNNAMED) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def accepts(port: int) -> bool:
    """Whether something listens on `port` of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True


def connects(database_url: str) -> bool:
    """Whether a database can be connected to."""
    try:
        psycopg2.connect(database_url.replace("+psycopg2", ""), connect_timeout=TIMEOUT_S).close()
    except psycopg2.OperationalError:
        return False
    return True


def daemon_works(database_url: str, within_s: float = HEARTBEAT_S) -> bool:
    """Whether the daemon that was elected has said within that time that it works, on whichever host it is."""
    try:
        with contextlib.closing(open_session(database_url, "turret health", TIMEOUT_S)) as session:
            found = elected(session)
            if found is None:
                return False
            with session.cursor() as cursor:
                cursor.execute(_HEARTBEAT)
                (row,) = cursor.fetchall()
            return max(float(found.since), time.time() - within_s) < float(row[0] or 0)
    except psycopg2.Error:
        return False


def daemon_elsewhere(database_url: str, pid: int | None) -> str | None:
    """Return the host that runs the daemon; None: none does, or it is ours, with this pid."""
    try:
        with contextlib.closing(open_session(database_url, "turret health", TIMEOUT_S)) as session:
            found = elected(session)
    except psycopg2.Error:
        return None
    return None if found is None or (found.is_here and found.pid == pid) else found.host
