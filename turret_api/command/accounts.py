"""Opening the accounts from a command, with errors in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from turret_pipeline.settings import Settings

if TYPE_CHECKING:
    from turret_api.accounts import Accounts


@contextlib.contextmanager
def open_accounts(settings: Settings | None = None) -> Iterator[Accounts]:
    """Yield the accounts of the settings, their tables made; an error that a user can cause comes out as one line."""
    from sqlalchemy.exc import SQLAlchemyError

    from turret_api.accounts import AccountError
    from turret_api.accounts import Accounts as Opened
    from turret_api.processes.postgres import database

    with database(settings or Settings.from_environment()) as url:
        accounts = Opened(url)
        try:
            accounts.migrate()
            yield accounts
        except AccountError as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise click.ClickException(f"the database cannot be used: {reason}") from error
        finally:
            accounts.close()
