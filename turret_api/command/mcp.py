"""`turret mcp`: the tools for assistants on stdin and stdout, as desktop programs start them.

Two ways lead to the same routes of `/v1`: those of a server, asked over HTTP with a read key; or those of this home,
asked within this process, whether or not a server runs on it. Nothing but the protocol is written to stdout.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Coroutine
from typing import Any

import click

from turret_pipeline.settings import Settings

KEY = "TURRET_READ_KEY"
MOST_NAMED = 20


@click.command("mcp")
@click.option("--project", help="Id or name of the project of this home; default: the only one.")
@click.option("--url", help=f"Address of a server to ask instead, with the key in {KEY}: https://turret.example.")
def command(project: str | None, url: str | None) -> None:
    """Let an assistant ask a project's topics, journeys, friction and messages, by the Model Context Protocol.

    Speaks the protocol on stdin and stdout until stdin ends: an assistant's program starts it. It only reads. A running
    server offers the same at /mcp.
    """
    if url is None:
        _serve_home(project)
        return
    if project is not None:
        raise click.ClickException("with --url the key says which project it is; leave out --project")
    _serve_url(url)


def _serve_url(url: str) -> None:
    from turret_api.assistants.asking import Asker, over_http
    from turret_api.assistants.server import serve_stdio

    if not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", url):
        raise click.ClickException(f"{url!r} is no address of a server; expected http://HOST:PORT or https://HOST")
    key = (Settings.from_environment().read_key or "").strip()
    if not (key and key.isascii() and key.isprintable()):
        raise click.ClickException(f"{KEY} is not set to a read key; `turret key create --scope read` makes one")

    async def serve() -> None:
        async with over_http(url, key) as client:
            asker = Asker(client)
            if reason := await asker.obstacle():
                raise click.ClickException(f"{url}: {reason}")
            await serve_stdio(asker)

    _run(serve())


def _serve_home(project: str | None) -> None:
    from starlette.types import ASGIApp

    from turret_api.accounts import Accounts
    from turret_api.app import create_app
    from turret_api.assistants.asking import Asker, in_process
    from turret_api.assistants.server import serve_stdio
    from turret_api.auth import Principal
    from turret_api.command.accounts import open_accounts
    from turret_api.roles import READ

    def project_id_of(accounts: Accounts) -> str:
        if project is not None:
            return accounts.find_project(project).project_id
        found = accounts.projects()
        if len(found) != 1:
            names = ", ".join(each.name for each in found[:MOST_NAMED]) or "none yet; `turret project create` makes one"
            raise click.ClickException(f"choose one of the projects with --project; they are: {names}")
        return found[0].project_id

    async def serve(app: ASGIApp, project_id: str) -> None:
        async with in_process(app, Principal(project_id, READ, "")) as client:
            await serve_stdio(Asker(client))

    settings = Settings.from_environment()
    with open_accounts(settings) as accounts:
        project_id = project_id_of(accounts)
        _run(serve(create_app(settings, accounts), project_id))


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """Run it to its end. Ctrl-C ends the process at once: there is nothing to save, and a thread waits for stdin."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(serving)
