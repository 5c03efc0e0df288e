"""Projects, plans, API keys and quota grants, in Postgres.

`plans` says what a plan allows and when; `keys` makes and checks the text of keys; `tables` declares the tables;
`store` (as `Accounts`) reads and writes them; `directory` is the copy in memory, at most two seconds old, that
requests are judged by, and that lets the API go on, and even start, while Postgres is away.
"""

from turret_api.accounts.store import (
    AccountError,
    Accounts,
    Key,
    NewKey,
    NewProject,
    Project,
    Usage,
)

__all__ = ["AccountError", "Accounts", "Key", "NewKey", "NewProject", "Project", "Usage"]
