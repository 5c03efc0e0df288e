"""The `turret` command: start, supervise, import, export, build."""
