"""Asks `/v1` what a tool is called for: over HTTP, or in this process for a principal that was let in already.

Both go through the route itself. In the process nothing lies between but the framework: the request that called the
tool has had its turn, and its key was judged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from turret_api.assistants.telling import Told, tell, tell_error
from turret_api.assistants.tool import WrongArgumentError
from turret_api.assistants.tools import NAMED
from turret_api.auth import HEADER, Principal, let_in

PATIENCE_S = 150.0
"""Longer than the read API takes for its longest answer, by default."""

logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request, with what is searched for


class Asker:
    """Asks the read API through `client`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, name: str, arguments: Mapping[str, Any]) -> Told:
        """Return what a model reads of the answer to a call of the tool `name`; `structured` is None if it failed."""
        tool = NAMED[name]
        try:
            path, query = tool.request(arguments)
            response = await self._client.get(path, params=tuple(query))
        except WrongArgumentError as error:
            return Told(str(error))
        except (httpx.HTTPError, httpx.InvalidURL):
            return Told("Turret does not answer, or not in time. Try again, or ask for less.")
        if response.status_code == 200:
            return tell(tool, orjson.loads(response.content), tool.text_length(arguments))
        return tell_error(response.status_code, _error(response), _retry_after_s(response))

    async def obstacle(self) -> str | None:
        """Return why no tool can be answered, in words; None: the server answers, and takes the key."""
        try:
            response = await self._client.get("/v1/usage")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"there is no answer ({type(error).__name__})"
        if response.status_code == 200:
            return None
        return f"it answers {response.status_code}: {_error(response)}"


def over_http(url: str, key: str) -> httpx.AsyncClient:
    """Return a client of the server at `url` that sends `key`."""
    return httpx.AsyncClient(base_url=url, headers={HEADER: key}, timeout=PATIENCE_S)


def in_process(app: ASGIApp, principal: Principal) -> httpx.AsyncClient:
    """Return a client of `app`, which is in this process, that asks as `principal`."""

    async def as_principal(scope: Scope, receive: Receive, send: Send) -> None:
        let_in(scope, principal)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(as_principal, raise_app_exceptions=False)
    # Between two rooms of a process nothing is packed, and no proxy of the environment is asked.
    headers = {"Accept-Encoding": "identity"}
    return httpx.AsyncClient(transport=transport, base_url="http://turret", headers=headers, trust_env=False)


def _error(response: httpx.Response) -> str:
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return "What answered is not Turret."
    return str(found.get("error", "")) if isinstance(found, dict) else "What answered is not Turret."


def _retry_after_s(response: httpx.Response) -> int | None:
    seconds = response.headers.get("Retry-After", "")
    return int(seconds) if seconds.isdecimal() and len(seconds) < 6 else None
