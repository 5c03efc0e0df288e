"""The dashboard's addresses: its pages, its files, sign-in and sign-out.

Every page is the same shell; which view it shows is in its address, and `static/app.js` draws it from `/v1`. Someone
who is not signed in gets the sign-in page at the same address, so a shared link still leads where it should.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from typing import Any

import jinja2
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError

from turret_api import path_ids
from turret_api.accounts import AccountError, Accounts
from turret_api.auth import Principal
from turret_api.dashboard import files
from turret_api.dashboard.sessions import Sessions, is_same_origin
from turret_api.errors import NotFoundError
from turret_pipeline.settings import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # plotly sets style attributes, and has two style elements: an empty one that its script fills (the first hash
        # is that of nothing), and the one of its maps. Any other style element is refused.
        "style-src 'self'",
        "style-src-elem 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
        "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_LARGEST_FORM = 20_000
PAGES = (
    "/",
    "/topics",
    "/topics/{topic_id:id}",
    "/journeys",
    "/answers",
    "/digest",
    "/alerts",
    "/sessions/{session_id:id}",
    "/settings",
    "/settings/{section}",
)

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(files.HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
)


class Dashboard:
    """The pages that show a project, and sign-in.

    Args:
        settings: name the port of Dagster's UI.
        accounts: know the projects' names.
        sessions: know who is signed in.
    """

    def __init__(self, settings: Settings, accounts: Accounts, sessions: Sessions) -> None:
        self._settings = settings
        self._accounts = accounts
        self._sessions = sessions

    def router(self) -> APIRouter:
        """Return the dashboard's addresses."""
        path_ids.install()
        router = APIRouter(include_in_schema=False)
        for path in PAGES:
            router.add_api_route(path, self.page, methods=["GET"])
        router.add_api_route("/sign-in", self.sign_in_page, methods=["GET"])
        router.add_api_route("/sign-in", self.sign_in, methods=["POST"])
        router.add_api_route("/sign-out", self.sign_out, methods=["POST"])
        router.add_api_route("/static/{version}/{name}", static_file, methods=["GET"])
        return router

    def page(self, request: Request) -> Response:
        """The dashboard's shell, if the browser is signed in to the project that the address names; else sign-in."""
        wanted = request.query_params.get("project")
        principal = self._sessions.principal(request, wanted)
        if principal is None:
            elsewhere = wanted is not None and bool(self._sessions.principals(request))
            words = f"You are not signed in to the project {wanted!r}; sign in with one of its keys."
            problem = words if elsewhere else ""
            return self._sign_in_page(request, destination=_relative(request), problem=problem)
        return _html("dashboard.html", 200, self._about(request, principal))

    def sign_in_page(self, request: Request) -> Response:
        """The sign-in page; a key behind `#key=` in the address, which no server ever sees, is used at once."""
        return self._sign_in_page(request, destination="/")

    async def sign_in(self, request: Request) -> Response:
        """Start a session with a read or admin key (form: `key`) and go to `destination`, a path of this server."""
        form = await _form(request)
        # Looking a key up may ask the database, and this is the event loop.
        return await run_in_threadpool(
            self._sign_in, request, form.get("key", "").strip(), form.get("destination", "/")
        )

    def sign_out(self, request: Request) -> Response:
        """End the session of this browser, wherever its cookie may have got to."""
        response: Response = RedirectResponse("/sign-in", status_code=303)
        if is_same_origin(request):
            try:
                self._sessions.sign_out(request, response)
            except SQLAlchemyError:
                problem = "You are still signed in: the server cannot reach its database now. Please try again."
                return self._sign_in_page(request, destination="/", problem=problem, status=503)
        return response

    def _sign_in(self, request: Request, key: str, destination: str) -> Response:
        if not is_same_origin(request):
            return self._sign_in_page(request, destination="/", problem="Please sign in from this page.", status=403)
        response = RedirectResponse(_own_path(destination), status_code=303)
        if self._sessions.sign_in(request, key, response, secure=request.url.scheme == "https") is None:
            problem = (
                "That is a write key: it sends events. Sign in with the project's read key (tr_…) or admin key (ta_…)."
                if key.startswith("tw_")
                else "No project has this key. Check that it is whole, and that it was not revoked."
            )
            return self._sign_in_page(request, destination=_own_path(destination), problem=problem, status=401)
        return response

    def _about(self, request: Request, principal: Principal) -> dict[str, Any]:
        """What the shell says that `/v1` does not: the projects' names, and where events and the pipeline are."""
        others = [each.project_id for each in self._sessions.principals(request)]
        names = self._names(others)
        host = request.url.hostname or "localhost"
        return {
            "project": names[principal.project_id],
            "project_id": principal.project_id,
            "projects": sorted(names.items(), key=lambda each: each[1].lower()),
            "role": principal.role,
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "dagster": f"http://{host}:{self._settings.dagster_port}",
            "modules": files.modules(),
        }

    def _names(self, project_ids: list[str]) -> dict[str, str]:
        """Return the names of projects by their ids; without the database, when pages still show the lake, the ids."""
        names = {project_id: project_id for project_id in project_ids}
        with contextlib.suppress(AccountError, SQLAlchemyError):
            for project_id in project_ids:
                names[project_id] = self._accounts.find_project(project_id).name
        return names

    def _sign_in_page(self, request: Request, *, destination: str, problem: str = "", status: int = 200) -> Response:
        signed_in = bool(self._sessions.principals(request))
        return _html("sign_in.html", status, {"destination": destination, "problem": problem, "signed_in": signed_in})


def nothing_here(request: Request) -> Response:
    """The page for an address at which there is nothing."""
    return _html("nothing_here.html", 404, {"path": request.url.path})


def static_file(request: Request, version: str, name: str) -> Response:
    """One of the dashboard's files."""
    found = files.load(name)
    if found is None:
        raise NotFoundError("There is no such file.")
    # Under another version's address (a page from before an upgrade) the file must not be kept for good.
    kept = "public, max-age=31536000, immutable" if version == files.version() else "no-cache"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=found.content_type)
    return Response(found.plain, headers=headers, media_type=found.content_type)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form as browsers send it by default; nothing of what is larger than `_LARGEST_FORM`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return {}
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))


def _html(template: str, status: int, values: dict[str, Any]) -> Response:
    text = _templates.get_template(template).render(values, version=files.version())
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(text, status, headers)


def _relative(request: Request) -> str:
    """Return path and query as the browser sent them: decoded, a `?` in an id would end the path."""
    path, query = (request.scope[each].decode("latin-1") for each in ("raw_path", "query_string"))
    return f"{path}?{query}" if query else path


def _own_path(destination: str) -> str:
    r"""Return `destination` if it is a path of this server, else "/": `//host` and `/\host` lead elsewhere."""
    parts = urllib.parse.urlsplit(destination)
    is_own = destination.startswith("/") and not destination.startswith(("//", "/\\"))
    return destination if is_own and not parts.scheme and not parts.netloc and destination.isprintable() else "/"
