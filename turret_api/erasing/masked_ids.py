"""What else an id that an erasure, or an export, names is stored as."""

from __future__ import annotations

from turret_api.accounts import Accounts
from turret_api.accounts.privacy import MASKING, rules_of
from turret_api.erasing.erased import OF_IDS
from turret_api.masking.forms import forms_of
from turret_api.masking.rule import RuleError


def stored_as(accounts: Accounts, project_id: str, kind: str, value: str) -> tuple[str, ...]:
    """Return what else the id is stored as, because the project masks ids or did; of a text nothing.

    Raise `RuleError`, which says so, where what the project masks cannot be read by this version of Turret.
    """
    if kind not in OF_IDS:
        return ()
    try:
        return tuple(forms_of(rules_of(accounts, project_id).get(MASKING), project_id, value))
    except RuleError as error:
        raise RuleError(f"what the project masks cannot be read by this version of Turret: {error}") from None
