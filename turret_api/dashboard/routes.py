"""The dashboard's addresses: its pages, its files, and those of `sign_in`.

Every page is the same shell; which view it shows is in its address, and `static/app.js` draws it from `/v1`. Someone
who is not signed in gets the sign-in page at the same address, so a shared link still leads where it should.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from turret_api import path_ids
from turret_api.accounts import AccountError, Accounts
from turret_api.auth import Principal
from turret_api.dashboard import files, html
from turret_api.dashboard.sessions import Sessions
from turret_api.dashboard.sign_in import SignIn
from turret_api.errors import NotFoundError
from turret_api.roles import ANALYST, OWNER
from turret_pipeline.settings import Settings

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


class Dashboard:
    """The pages that show a project, and sign-in.

    Args:
        settings: name the port of Dagster's UI.
        accounts: know the projects' names.
        sessions: know who is signed in.
        sign_in: lets others in.
        may_open_pipeline: tells who may see Dagster's pages at `/dagster`.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        sessions: Sessions,
        sign_in: SignIn,
        may_open_pipeline: Callable[[Request], bool],
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._sessions = sessions
        self._sign_in = sign_in
        self._may_open_pipeline = may_open_pipeline

    def router(self) -> APIRouter:
        """Return the dashboard's addresses."""
        path_ids.install()
        router = APIRouter(include_in_schema=False)
        for path in PAGES:
            router.add_api_route(path, self.page, methods=["GET"])
        router.include_router(self._sign_in.router())
        router.add_api_route("/static/{version}/{name}", static_file, methods=["GET"])
        return router

    def page(self, request: Request) -> Response:
        """The dashboard's shell, if the browser is signed in to the project that the address names; else sign-in."""
        wanted = request.query_params.get("project")
        principal = self._sessions.principal(request, wanted)
        if principal is None:
            elsewhere = wanted is not None and bool(self._sessions.principals(request))
            words = f"You are not signed in to the project {wanted!r}."
            problem = words if elsewhere else ""
            return self._sign_in.page(request, destination=_relative(request), problem=problem)
        return html.page("dashboard.html", 200, self._about(request, principal))

    def _about(self, request: Request, principal: Principal) -> dict[str, Any]:
        """What the shell says that `/v1` does not: the projects' names, and where events and the pipeline are."""
        others = [each.project_id for each in self._sessions.principals(request)]
        names = self._names(others)
        return {
            "project": names[principal.project_id],
            "project_id": principal.project_id,
            "projects": sorted(names.items(), key=lambda each: each[1].lower()),
            "role": principal.role,
            "may_read_texts": principal.may(ANALYST),
            "oidc": "" if self._settings.oidc is None else self._settings.oidc.name,
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "dagster": self._dagster(request) if principal.may(OWNER) else "",
            "modules": files.modules(),
        }

    def _dagster(self, request: Request) -> str:
        """Return where an owner's browser finds Dagster's pages; "": nowhere, for they are at 127.0.0.1 of a host."""
        if self._may_open_pipeline(request):
            return "/dagster/"
        host = request.url.hostname
        return f"http://{host}:{self._settings.dagster_port}" if host in ("127.0.0.1", "localhost", "::1") else ""

    def _names(self, project_ids: list[str]) -> dict[str, str]:
        """Return the names of projects by their ids; without the database, when pages still show the lake, the ids."""
        names = {project_id: project_id for project_id in project_ids}
        with contextlib.suppress(AccountError, SQLAlchemyError):
            for project_id in project_ids:
                names[project_id] = self._accounts.find_project(project_id).name
        return names


def nothing_here(request: Request) -> Response:
    """The page for an address at which there is nothing."""
    return html.page("nothing_here.html", 404, {"path": request.url.path})


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


def _relative(request: Request) -> str:
    """Return path and query as the browser sent them: decoded, a `?` in an id would end the path."""
    path, query = (request.scope[each].decode("latin-1") for each in ("raw_path", "query_string"))
    return f"{path}?{query}" if query else path
