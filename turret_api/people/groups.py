"""What a provider says of a person's groups, and the roles that these give.

Providers put groups into claims of many shapes: a list (`groups` of Okta, Entra ID and most others), one within another
(Keycloak's `realm_access.roles`), a name that is an address (Auth0 wants `https://example.com/roles`), a single text
(Google's `hd`). Entra ID leaves them out where they are too many for a token, and says only where else to ask; then
nothing is known of them, which is not the same as that there are none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from turret_api.accounts.admission import GivenRole
from turret_api.roles import highest
from turret_pipeline.settings import GroupRole


def groups_in(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """Return the groups in the claim `name`, as they are spelled; None: there is no such claim.

    A dot in the name leads into a claim, unless the name as a whole is one: `resource_access.turret.roles`.
    """
    if name in claims:
        found = claims[name]
        if isinstance(found, str):
            return frozenset([found])
        return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()
    for place in (at for at, letter in enumerate(name) if letter == "."):
        inner = claims.get(name[:place])
        within = groups_in(inner, name[place + 1 :]) if isinstance(inner, dict) else None
        if within is not None:
            return within
    return None


def are_left_out(claims: Mapping[str, Any], name: str) -> bool:
    """Return whether the claim `name` is one that was too large (OpenID Connect Core 1.0, section 5.6.2)."""
    elsewhere = claims.get("_claim_names")
    return isinstance(elsewhere, dict) and (name in elsewhere or name.partition(".")[0] in elsewhere)


def roles_of(
    mapping: Iterable[GroupRole], groups: Collection[str], projects: Mapping[str, str]
) -> tuple[dict[str, GivenRole], set[str]]:
    """Return what `groups` give, by the ids of projects, and which projects of `mapping` are not there.

    Of several roles in a project the highest counts, and of several groups that give it the first of `mapping`.

    projects: the names of all projects by their ids. A name that is another project's id means the latter.
    """
    ids = {name: project_id for project_id, name in projects.items()} | {each: each for each in projects}
    given: dict[str, GivenRole] = {}
    for each in mapping:
        if each.group not in groups:
            continue
        for project_id in projects if each.project is None else filter(None, [ids.get(each.project)]):
            known = given.get(project_id)
            if known is None or highest(known.role, each.role) != known.role:
                given[project_id] = GivenRole(each.role, each.group)
    return given, {each.project for each in mapping if each.project is not None} - ids.keys()
