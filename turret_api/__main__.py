"""`python -m turret_api`: the `turret` command, for processes that must run under this very interpreter."""

from turret_api.command.main import main

main(prog_name="turret")
