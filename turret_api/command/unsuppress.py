"""`turret unsuppress`: take the events of a user again who was erased with `--suppress`."""

from __future__ import annotations

import click

from turret_api.command.accounts import open_accounts


@click.command("unsuppress")
@click.option("--project", required=True, metavar="P", help="Id or name of the project.")
@click.option("--user", required=True, metavar="ID", help="The user's id, as it was erased.")
def command(project: str, user: str) -> None:
    """Take later events of a user again, everywhere within seconds; what was erased stays erased."""
    from turret_api.accounts import audit
    from turret_api.accounts.privacy import MASKING, rules_of
    from turret_api.accounts.suppression import USER, hasher_of, unsuppress
    from turret_api.masking.forms import forms_of
    from turret_api.masking.rule import RuleError

    with open_accounts() as accounts:
        project_id = accounts.find_project(project).project_id
        try:
            forms = [user, *forms_of(rules_of(accounts, project_id).get(MASKING), project_id, user)]
        except RuleError as error:
            raise click.ClickException(f"what {project_id} masks cannot be read: {error}") from error
        were = [unsuppress(accounts, project_id, each) for each in forms]
        if not any(were):
            raise click.ClickException(f"no such user of {project_id} is suppressed")
        hashed = hasher_of(accounts).hash(project_id, USER, user)
        about = {"setting": "suppression", "user": hashed, "state": "taken again"}
        audit.record(accounts, project_id, audit.command_actor(), "setting_changed", about)
    click.echo(f"events of this user are taken again in {project_id}")
