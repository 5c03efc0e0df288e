"""The settings of sign-in by OpenID Connect: the provider, and which roles its groups give.

`TURRET_OIDC_ROLES` is JSON, for a group's name may hold anything: spaces, commas, `=` and `/` are common in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from turret_pipeline.settings.setting import Setting, SettingError, integer

ROLES = ("viewer", "analyst", "editor", "owner")
"""The roles of `turret_api.roles`, which these settings cannot ask."""
SCOPES = "openid email profile"
_ISSUER = re.compile(r"https://[^\s?#\"<>]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s?#\"<>]*)?")
_SCOPES = re.compile(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*")
"""Tokens as RFC 6749, section 3.3, has them."""
_EXAMPLE = '{"staff": "viewer", "shop-analysts": "analyst@shop", "admins": ["owner@shop", "owner@docs"]}'

OIDC_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "TURRET_OIDC_ISSUER",
        "unset",
        "OpenID Connect provider with which people sign in (`https://accounts.google.com`); needs `TURRET_PUBLIC_URL`",
    ),
    Setting("TURRET_OIDC_CLIENT_ID", "unset", "the id that Turret has at the provider; has to be set with it"),
    Setting("TURRET_OIDC_CLIENT_SECRET", "unset", "the secret that goes with it, if the provider gave one"),
    Setting("TURRET_OIDC_NAME", "your account", "what the button says: Sign in with …"),
    Setting(
        "TURRET_OIDC_TRUST_EMAIL",
        "0",
        "`1`: an address counts though the provider does not say whether it is verified, as Entra ID does not",
    ),
    Setting(
        "TURRET_OIDC_ROLES",
        "unset",
        'roles that the provider\'s groups give, as JSON: `{"staff": "viewer", "shop-analysts": "analyst@shop"}` makes '
        "those in *staff* viewers of every project, those in *shop-analysts* analysts of *shop*",
    ),
    Setting(
        "TURRET_OIDC_ROLES_CLAIM",
        "groups",
        "the claim that holds a person's groups; a dot leads into it (`realm_access.roles`)",
    ),
    Setting(
        "TURRET_OIDC_SCOPES",
        f"`{SCOPES}`",
        "what is asked of the provider; Okta sends groups with the scope `groups` only",
    ),
)


@dataclass(frozen=True)
class GroupRole:
    """The role that a group of the provider gives in a project, by its id or name; None: in every project."""

    group: str
    role: str
    project: str | None = None


@dataclass(frozen=True)
class Oidc:
    """The OpenID Connect provider with which people sign in.

    Args:
        issuer: its address, as its own description spells it, but for a slash at the end.
        client_id, client_secret: what Turret is there; a secret of None: a public client.
        name: what people call it.
        trusts_email: whether an address counts of which it does not say whether it is verified.
        roles: what its groups give; empty: nothing, so it is not asked for them.
        roles_claim: the claim with a person's groups.
        scopes: what is asked of it.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    name: str = "your account"
    trusts_email: bool = False
    roles: tuple[GroupRole, ...] = ()
    roles_claim: str = "groups"
    scopes: str = SCOPES


def oidc_of(env: Mapping[str, str], public_url: str | None) -> Oidc | None:
    """Return the provider that people sign in with; raise `SettingError`, whose message has no secret."""
    issuer, client_id = env.get("TURRET_OIDC_ISSUER") or None, env.get("TURRET_OIDC_CLIENT_ID") or None
    if issuer is None and client_id is None:
        if env.get("TURRET_OIDC_ROLES"):
            raise SettingError("TURRET_OIDC_ROLES needs a provider: set TURRET_OIDC_ISSUER and TURRET_OIDC_CLIENT_ID")
        return None
    if issuer is None or client_id is None:
        raise SettingError("TURRET_OIDC_ISSUER and TURRET_OIDC_CLIENT_ID belong together: set both, or neither")
    if not _ISSUER.fullmatch(issuer):
        raise SettingError(
            f"TURRET_OIDC_ISSUER is {issuer!r}; expected an address like https://accounts.google.com (http only for a "
            "provider on this machine)"
        )
    if public_url is None:
        raise SettingError("TURRET_OIDC_ISSUER needs TURRET_PUBLIC_URL: the provider sends people back to that address")
    return Oidc(
        issuer=issuer,
        client_id=client_id,
        client_secret=env.get("TURRET_OIDC_CLIENT_SECRET") or None,
        name=env.get("TURRET_OIDC_NAME") or Oidc.name,
        trusts_email=bool(integer(env, "TURRET_OIDC_TRUST_EMAIL", 0, 0, 1)),
        roles=_roles(env.get("TURRET_OIDC_ROLES") or None),
        roles_claim=env.get("TURRET_OIDC_ROLES_CLAIM") or Oidc.roles_claim,
        scopes=_scopes(env.get("TURRET_OIDC_SCOPES") or SCOPES),
    )


def _roles(text: str | None) -> tuple[GroupRole, ...]:
    if text is None:
        return ()
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SettingError(f"TURRET_OIDC_ROLES is no JSON ({error}); expected {_EXAMPLE}") from None
    if not isinstance(found, dict) or not found:
        raise SettingError(f"TURRET_OIDC_ROLES is no JSON object of groups and their roles; expected {_EXAMPLE}")
    return tuple(each for group, roles in found.items() for each in _roles_of(group, roles))


def _roles_of(group: str, roles: Any) -> Iterator[GroupRole]:
    if group in ("", "*"):
        raise SettingError(
            f"TURRET_OIDC_ROLES has {group!r} for a group; name each. For everybody of a company, name a claim that "
            "says so, such as Google's `hd` or Entra's `tid`, in TURRET_OIDC_ROLES_CLAIM"
        )
    for each in roles if isinstance(roles, list) and roles else [roles]:
        role, at, project = each.partition("@") if isinstance(each, str) else ("", "", "")
        if role not in ROLES or (at and not project.strip()):
            raise SettingError(
                f"TURRET_OIDC_ROLES gives the group {group!r} {each!r}; expected one of {', '.join(ROLES)}, or one "
                "with a project's id or name, such as analyst@shop"
            )
        yield GroupRole(group, role, project.strip() or None)


def _scopes(text: str) -> str:
    scopes = " ".join(text.split())
    if not _SCOPES.fullmatch(scopes) or "openid" not in scopes.split():
        raise SettingError(f"TURRET_OIDC_SCOPES is {text!r}; expected scopes with openid among them, like: {SCOPES}")
    return scopes
