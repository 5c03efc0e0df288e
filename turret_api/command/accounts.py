"""Opening the accounts from a command, with errors in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from turret_pipeline.settings import Settings

if TYPE_CHECKING:
    from turret_api.accounts import Accounts
    from turret_api.masking.mask import Mask


@contextlib.contextmanager
def open_accounts(settings: Settings | None = None) -> Iterator[Accounts]:
    """Yield the accounts of the settings, of a home that is of this version; a user's error comes out as one line.

    A lake that cannot be reached keeps nobody from the accounts.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from turret_api.accounts import AccountError
    from turret_api.accounts import Accounts as Opened
    from turret_api.command.system import running
    from turret_api.command.upgrade import upgrade
    from turret_api.processes.postgres import database

    settings = settings or Settings.from_environment()
    with database(settings) as url:
        accounts = Opened(url)
        try:
            try:
                upgrade(settings, url, lambda line: click.echo(line, err=True), running(settings))
            except OSError:
                accounts.migrate()
            yield accounts
        except AccountError as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise click.ClickException(f"the database cannot be used: {reason}") from error
        finally:
            accounts.close()


def mask_of_project(settings: Settings, accounts: Accounts, project_id: str) -> Mask | None:
    """Return what masks a project's events; None: nothing does.

    Where its rule cannot be followed a user's error comes out as one line, rather than events that are not masked.
    """
    from turret_api.accounts.privacy import MASKING, rules_of
    from turret_api.masking.masks import mask_of
    from turret_api.masking.rule import RuleError

    try:
        return mask_of(rules_of(accounts, project_id).get(MASKING), project_id, settings.mask_names)
    except RuleError as error:
        raise click.ClickException(f"what {project_id} masks cannot be masked here: {error}") from error
