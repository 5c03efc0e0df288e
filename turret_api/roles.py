"""What a key, or a person, may do: scopes of keys, and the roles of those who read.

A key's scope is one of three, and none contains another's right to write events: `write` sends events and nothing
else, `read` reads, `admin` reads and changes settings.

Who may read has a role, and may do what the roles before it may do:

    viewer    counts, labels and journeys, no text of an event
    analyst   texts too: messages, sessions, examples, exports
    editor    changes what people make of the data: topics, field types, notes, views, rules of alerts
    owner     keys, people, privacy, erasure, targets of alerts, the audit log, Dagster's pages

A read key is an analyst's, or a viewer's where that was chosen for it; an admin key is an owner's, or an editor's.
"""

from __future__ import annotations

WRITE, READ, ADMIN = SCOPES = ("write", "read", "admin")
VIEWER, ANALYST, EDITOR, OWNER = ROLES = ("viewer", "analyst", "editor", "owner")

ROLES_OF_SCOPE: dict[str, tuple[str, ...]] = {WRITE: (), READ: (ANALYST, VIEWER), ADMIN: (OWNER, EDITOR)}
"""What a key of a scope may be; first what it is where no role was chosen."""
SCOPE_OF_ROLE = {role: scope for scope, roles in ROLES_OF_SCOPE.items() for role in roles}


def role_of(scope: str, given_role: str | None) -> str | None:
    """Return the role of a key of `scope` for which `given_role` was chosen, or none was; None: it may read nothing."""
    roles = ROLES_OF_SCOPE[scope]
    return (given_role or roles[0]) if roles else None


def includes(role: str | None, other: str) -> bool:
    """Return whether `role` may do what `other` may do."""
    return role is not None and ROLES.index(role) >= ROLES.index(other)


def highest(*roles: str | None) -> str:
    """Return the role of `roles`, one of them at least, that may do most."""
    return max((role for role in roles if role is not None), key=ROLES.index)
