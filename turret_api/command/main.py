"""The `turret` command: one lazy group, so that `turret --help` and quick commands load only what they need."""

from __future__ import annotations

import importlib
import os
import resource

import click

from turret_api.command.private_home import UMASK
from turret_pipeline.lake.bucket import UnsuitableError
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.settings import SettingError

COMMANDS = {
    "up": ("turret_api.command.up:command", "Run everything: database, API, dashboard and pipeline."),
    "serve": ("turret_api.command.serve:command", "Run the API alone."),
    "demo": ("turret_api.command.demo:command", "Run everything on a sample and show what comes out."),
    "build": ("turret_api.command.build:command", "Bring every table up to date in the foreground."),
    "project": ("turret_api.command.project:command", "Create, list and delete projects."),
    "key": ("turret_api.command.key:command", "Create, list and revoke API keys."),
    "people": ("turret_api.command.people:command", "Let people sign in by OpenID Connect."),
    "audit": ("turret_api.command.audit:command", "Show who did what."),
    "spool": ("turret_api.command.spool:command", "Look after events that are not yet in the lake."),
    "import": ("turret_api.command.import_events:command", "Import historical events from a file."),
    "export": ("turret_api.command.export:command", "Write a table to a file."),
    "erase": ("turret_api.command.erase:command", "Erase a user, a session, an event, or texts."),
    "unsuppress": ("turret_api.command.unsuppress:command", "Take events again of a user who was suppressed."),
    "mcp": ("turret_api.command.mcp:command", "Let an assistant ask a project, on stdin and stdout (MCP)."),
    "backup": ("turret_api.command.backup:command", "Write everything that Turret knows into one file."),
    "restore": ("turret_api.command.restore:command", "Make an empty home what a backup holds."),
    "doctor": ("turret_api.command.doctor:command", "Find what is damaged, and mend it."),
    "status": ("turret_api.command.status:command", "Show what runs and what there is."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each command, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, whose files only their owner reads, and whose memory no crash writes to a disk.

        A setting, or a store of the lake, that cannot be used comes out as one line.
        """
        os.umask(UMASK)
        # What is masked before it is stored is in memory as it came; processes that this one starts do likewise.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        try:
            return super().invoke(ctx)
        except (SettingError, UnreachableError, UnsuitableError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="turret")
def main() -> None:
    """Self-hosted product analytics for LLM apps.

    Settings are environment variables, TURRET_…; docs/operate.md lists them.
    """
