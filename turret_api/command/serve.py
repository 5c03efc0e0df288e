"""`turret serve`: the API alone."""

from __future__ import annotations

import functools
import logging
import socket
import sys

import click

from turret_pipeline.settings import Settings


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default: TURRET_PORT. 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Collector processes.")
@click.option("--events-only", is_flag=True, help="Only take events: no read API and no dashboard.")
@click.option("--inherited-socket", type=int, hidden=True, help="Descriptor to listen on, from the parent process.")
def command(host: str, port: int | None, workers: int, events_only: bool, inherited_socket: int | None) -> None:
    """Run the API: POST /track, the read routes and the dashboard.

    Ends on Ctrl-C or SIGTERM, after what was taken is stored and in the lake.
    """
    from turret_api.command.private_home import make_private
    from turret_api.processes.postgres import database, database_kept
    from turret_api.serve.log import to_stderr
    from turret_api.serve.tls import check_tls

    settings = Settings.from_environment()
    check_tls(settings)
    to_stderr(logging.INFO)
    if inherited_socket is not None:
        _serve(settings, socket.socket(fileno=inherited_socket), str(settings.database_url), events_only)
        return
    listener = listen(host, settings.port if port is None else port)
    address = "{}://{}:{}".format(settings.scheme, *listener.getsockname()[:2])
    log = logging.getLogger(__name__)
    settings.home.mkdir(parents=True, exist_ok=True)
    if open_to_others := make_private(settings.home):
        log.warning(open_to_others)
    # Events of known keys are taken without the database too, so its loss is no reason to end.
    with (
        listener,
        database(settings, log.error) as url,
        database_kept(settings, url, log.warning, log.error),
    ):
        _upgrade(settings, url)
        if workers > 1:
            from turret_api.serve.workers import run_workers

            click.echo(f"Turret listens on {address} with {workers} workers")
            sys.exit(run_workers(workers, listener, url, events_only))
        _serve(settings, listener, url, events_only, address)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`; raise `click.ClickException` if it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another port with TURRET_PORT or --port"
        ) from error
    return listener


def _upgrade(settings: Settings, url: str) -> None:
    """After this call the home is of this version, or Postgres or the lake is away, and events are still taken."""
    import psycopg2
    from sqlalchemy.exc import SQLAlchemyError

    from turret_api.command.system import running
    from turret_api.command.upgrade import upgrade

    log = logging.getLogger(__name__)
    try:
        upgrade(settings, url, log.info, running(settings))
    except (SQLAlchemyError, psycopg2.Error, OSError) as error:
        log.warning("not known whether an upgrade is needed", extra={"reason": str(error)[:300]})


def _serve(
    settings: Settings, listener: socket.socket, url: str, events_only: bool, address: str | None = None
) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from turret_api.accounts import Accounts
    from turret_api.app import create_app
    from turret_api.collector.collector import Collector
    from turret_api.collector.slots import SlotError
    from turret_api.collector.spool import SpoolError
    from turret_api.serve.server import serve

    accounts = Accounts(url)
    try:
        accounts.migrate()
    except SQLAlchemyError as error:
        # Keys and plans as last seen are kept beside the spool, so events can be taken all the same.
        logging.getLogger(__name__).warning("Postgres is away", extra={"reason": str(error)[:300]})
    try:
        collector = Collector(settings, accounts)
    except (SlotError, SpoolError) as error:
        raise click.ClickException(str(error)) from error
    on_ready = (lambda: click.echo(f"Turret listens on {address}")) if address is not None else (lambda: None)
    make_app = functools.partial(
        create_app, settings, accounts, collector=collector, keys=collector.keys, events_only=events_only
    )
    serve(make_app, collector, listener, on_ready, settings.tls_cert, settings.tls_key)
    accounts.close()
