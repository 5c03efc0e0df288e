"""`/dagster/…`: Dagster's own pages behind the dashboard's sign-in, passed on from its web server on this host.

That server knows no sign-in, so it listens on 127.0.0.1 alone. Its pages show the runs of all projects, and can start
and end them; so they are for those who own every project that there is. What changes something has to come from these
pages themselves, by POST: that server would take it by GET too, which a mere picture on a page next door can send.
Neither cookies nor keys are passed on.

There are no WebSockets here (`turret_api.serve.server`): where Dagster's pages find none, they ask again every few
seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.background import BackgroundTask
from starlette.types import Receive, Scope, Send

from turret_api import error_answers
from turret_api.dashboard import html
from turret_api.dashboard.sessions import Sessions, is_same_origin
from turret_api.dashboard.sign_in import SignIn
from turret_api.errors import ApiError, InvalidKeyError, invalid
from turret_api.roles import OWNER
from turret_pipeline.settings import Settings

if TYPE_CHECKING:
    import httpx

    from turret_api.accounts.directory import Directory

PREFIX = "/dagster"
PREFIX_HEADER = "X-Forwarded-Prefix"
"""Says to `turret_pipeline.orchestration.ui` where its pages are, so that they find their files and their data."""
_METHODS = ("GET", "HEAD", "POST")
_ASKED = ("accept", "accept-encoding", "content-type", "if-modified-since", "if-none-match", "range")
_ANSWERED = (
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "etag",
    "last-modified",
    "referrer-policy",
    "vary",
    "x-content-type-options",
)
"""Header fields that are passed on, there and back."""
_CONNECT_S, _ANSWER_S = 3.0, 60.0


class PipelinePages:
    """ASGI application that passes requests on to Dagster's web server.

    Args:
        settings: name its port.
        sessions: know who is signed in.
        keys: know which projects there are.
        sign_in: shows who is not signed in how to.
    """

    def __init__(self, settings: Settings, sessions: Sessions, keys: Directory, sign_in: SignIn) -> None:
        self._settings = settings
        self._sessions = sessions
        self._keys = keys
        self._sign_in = sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        request = Request(scope, receive)
        try:
            response = await run_in_threadpool(self._instead, request)
            if response is None:
                response = await self._passed_on(request)
        except ApiError as error:
            response = error_answers.answer(error)
        await response(scope, receive, send)

    def may_open(self, request: Request) -> bool:
        """Return whether who is signed in owns every project that there is."""
        principals = self._sessions.principals(request)
        return bool(principals) and self._keys.projects() <= {each.project_id for each in principals if each.may(OWNER)}

    def _instead(self, request: Request) -> Response | None:
        """Return the answer to one who may not have the page; None: they may. Raise an `ApiError` to a script."""
        if request.method not in _METHODS:
            raise ApiError(405, "INVALID_REQUEST", "Only GET and POST are taken here.", headers={"Allow": "GET, POST"})
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not self._sessions.principals(request):
            if is_page:
                return self._sign_in.page(request, destination=request.url.path)
            raise InvalidKeyError
        if not self.may_open(request):
            words = "These pages show and change the runs of all projects, so they are for owners of every one of them."
            if is_page:
                return html.page("message.html", 403, {"title": "For owners only", "words": words})
            raise invalid(words, status=403)
        if request.method == "POST" and not is_same_origin(request):
            raise invalid("Pages of other sites may change nothing here.", status=403)
        if request.method != "POST" and not is_page and "query" in request.query_params:
            raise invalid("Send GraphQL by POST.", status=405, field="query")
        if request.url.path == PREFIX:
            return RedirectResponse(f"{PREFIX}/", status_code=303)
        return None

    async def _passed_on(self, request: Request) -> Response:
        import httpx  # here, not at the top: most servers are never asked for these pages

        path = request.scope["raw_path"].decode("latin-1").removeprefix(PREFIX)
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        headers[PREFIX_HEADER] = PREFIX
        client = httpx.AsyncClient(trust_env=False, verify=False, timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S))
        try:
            asked = client.build_request(
                request.method,
                f"http://127.0.0.1:{self._settings.dagster_port}{path}",
                params=request.scope["query_string"].decode("latin-1") or None,
                headers=headers,
                content=await request.body() if request.method == "POST" else None,
            )
            answer = await client.send(asked, stream=True)
        except (httpx.TransportError, httpx.InvalidURL):
            await client.aclose()
            words = "Dagster's web server does not answer on this host. It runs where `turret up` has the pipeline."
            return html.page("message.html", 503, {"title": "The pipeline is not here", "words": words})
        except BaseException:
            await client.aclose()
            raise
        kept = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
        kept["X-Frame-Options"] = "SAMEORIGIN"
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(_close, client, answer)
        )


async def _close(client: httpx.AsyncClient, answer: httpx.Response) -> None:
    await answer.aclose()
    await client.aclose()
