"""Whether a process on this machine serves others: looked at from outside, as its users do."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request

import psycopg2

TIMEOUT_S = 5
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


def last_heartbeat(database_url: str) -> float:
    """Return when Dagster's daemon last said that it works, as Unix seconds; 0 if it never did."""
    query = "SELECT extract(epoch FROM max(timestamp))::float8 FROM dagster.daemon_heartbeats"
    try:
        connection = psycopg2.connect(database_url.replace("+psycopg2", ""), connect_timeout=TIMEOUT_S)
    except psycopg2.OperationalError:
        return 0.0
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
    except psycopg2.Error:
        return 0.0
    finally:
        connection.close()
    return float(row[0]) if row and row[0] is not None else 0.0
