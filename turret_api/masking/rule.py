"""What a project chose to mask: kinds for all fields, and other kinds for some."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from turret_api.masking.kinds import KINDS

MOST_FIELDS = 200
_SECRET_BYTES = 32


class RuleError(ValueError):
    """A rule that cannot be followed; the message says why."""


class Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A project's rule.

    Args:
        kinds: what is masked in every field, in the event's name, and in the keys of objects.
        fields: by field, or by path as `order.customer`, what is masked there and beneath instead; empty: nothing.
        linked: whether the same value has the same placeholder within a session, and another in other sessions.
        ids: whether a user, session or event id that is such a value is replaced too, always by the same.
        secret: keys the hashes, in hexadecimal digits; it stays when the rule is changed, so that ids stay the same.
    """

    kinds: frozenset[str] = frozenset()
    fields: dict[str, frozenset[str]] = {}
    linked: bool = False
    ids: bool = True
    secret: str = ""

    @property
    def is_on(self) -> bool:
        """Whether anything is masked."""
        return bool(self.kinds) or any(self.fields.values())

    @property
    def all_kinds(self) -> frozenset[str]:
        """What is masked anywhere."""
        return self.kinds.union(*self.fields.values())


def rule_of(value: Any) -> Rule:
    """Return the rule that was stored as `value`; raise `RuleError` if it cannot be read, as one of a later version."""
    if value is None:
        return Rule()
    try:
        rule = msgspec.convert(value, Rule)
    except msgspec.ValidationError as error:
        raise RuleError(str(error)) from None
    unknown = rule.all_kinds - set(KINDS)
    if unknown:
        raise RuleError(f"unknown kinds: {', '.join(sorted(unknown))}")
    if rule.is_on and len(rule.secret) < 2 * _SECRET_BYTES:
        raise RuleError("it has no secret")
    return rule


def stored(rule: Rule, before: Rule) -> dict[str, Any]:
    """Return what is stored of `rule`: with the secret of the rule before it, or with a new one."""
    secret = before.secret or secrets.token_hex(_SECRET_BYTES)
    return {
        "kinds": sorted(rule.kinds),
        "fields": {field: sorted(kinds) for field, kinds in sorted(rule.fields.items())},
        "linked": rule.linked,
        "ids": rule.ids,
        "secret": secret,
    }
