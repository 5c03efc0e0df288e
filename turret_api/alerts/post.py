"""One POST of JSON to a hook: to an address that was checked, without redirects, and never for long.

The client is the standard library's: it is told the very address to connect to, while TLS and the header `Host` keep
the name. Proxies of the environment are not asked, for they would look the name up anew.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping
from importlib.metadata import version

from turret_api.alerts.outbox import SendError
from turret_api.alerts.private import PrivateAddressError, resolve

CONNECT_S = 5.0
WHOLE_S = 20.0
"""Seconds that a whole attempt may take, however slowly the receiver answers."""
READ_BYTES = 10_000
GONE, REQUEST_TIMEOUT, TOO_MANY = 410, 408, 429


def post(address: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> int:
    """Send `body` and return the answer's status, which is 2xx; raise `SendError` where it did not arrive.

    private: whether the address may be one of our own network.
    """
    parts = urllib.parse.urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port)
    whole = threading.Timer(WHOLE_S, _shut, [connection])
    whole.daemon = True
    whole.start()
    try:
        _connect(connection, parts.scheme == "https", private=private)
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        shown_host = f"[{host}]" if ":" in host else host
        connection.request(
            "POST",
            path,
            body,
            {
                "Host": shown_host if parts.port is None else f"{shown_host}:{parts.port}",
                "Content-Type": "application/json",
                "User-Agent": f"Turret/{version('turret')}",
                "Connection": "close",
                **headers,
            },
        )
        answer = connection.getresponse()
        answer.read(READ_BYTES)
    except PrivateAddressError as error:
        raise SendError(str(error), is_final=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise SendError(f"{host} cannot be reached: {str(error) or type(error).__name__}") from None
    finally:
        whole.cancel()
        connection.close()
    if 200 <= answer.status < 300:
        return answer.status
    reason = f"{host} answered {answer.status} {answer.reason}".strip()
    if 300 <= answer.status < 400:
        reason += "; redirects are not followed, give the address that it leads to"
    after_s = _seconds(answer.headers.get("Retry-After"))
    raise SendError(reason, is_gone=answer.status == GONE, after_s=after_s)


def _connect(connection: http.client.HTTPConnection, is_tls: bool, *, private: bool) -> None:
    """Connect to one of the host's addresses, all of which were checked."""
    host, failed = connection.host, OSError("the name has no address")
    for family, address in resolve(host, connection.port, private=private)[:4]:
        opened = connection.sock = socket.socket(family, socket.SOCK_STREAM)
        opened.settimeout(CONNECT_S)
        try:
            opened.connect((address, connection.port))
            if is_tls:
                context = ssl.create_default_context()
                # Known before the handshake, so that its end can be seen to.
                secure = context.wrap_socket(opened, server_hostname=host, do_handshake_on_connect=False)
                connection.sock = secure
                secure.do_handshake()
            connection.sock.settimeout(WHOLE_S)
        except OSError as error:
            connection.sock.close()
            failed = error
        else:
            return
    raise failed


def _shut(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a header `Retry-After` asks for; None: it asks for none, or cannot be read."""
    if retry_after is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        return max(0.0, float(int(retry_after)))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    return None
