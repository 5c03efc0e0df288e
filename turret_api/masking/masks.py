"""The masks of all projects, each as its rule is now.

Masking fails closed: where a rule cannot be followed, because a later version wrote it or its recogniser of names is
not there, `RuleError` says so, and the event is refused rather than stored as it came.
"""

from __future__ import annotations

from typing import Any, Protocol

from turret_api.masking.kinds import RECOGNISED
from turret_api.masking.mask import Mask
from turret_api.masking.names import recogniser_of
from turret_api.masking.rule import RuleError, rule_of


class Rules(Protocol):
    """What knows the rules: `turret_api.accounts.directory.Directory`."""

    def privacy(self, project_id: str, name: str) -> Any:
        """Return the project's rule of this name; None: it has none. Never blocks."""


class Masks:
    """The masks of the projects that `rules` knows.

    Args:
        rules: what knows the rules.
        names: `TURRET_MASK_NAMES`, where the recogniser of names is; None: there is none.
    """

    def __init__(self, rules: Rules, names: str | None) -> None:
        self._rules = rules
        self._names = names
        self._made: dict[str, tuple[Any, Mask | None]] = {}

    def of(self, project_id: str) -> Mask | None:
        """Return the project's mask; None: nothing is masked. Raise `RuleError` if its rule cannot be followed."""
        value = self._rules.privacy(project_id, "masking")
        if value is None:
            return None
        known = self._made.get(project_id)
        if known is not None and (known[0] is value or known[0] == value):
            return known[1]
        mask = mask_of(value, project_id, self._names)
        self._made[project_id] = value, mask
        return mask


def mask_of(value: Any, project_id: str, names: str | None) -> Mask | None:
    """Return the mask that a rule stored as `value` stands for; None: nothing is masked. Raise `RuleError`."""
    rule = rule_of(value)
    if not rule.is_on:
        return None
    recognise = None
    if rule.all_kinds & RECOGNISED:
        if names is None:
            raise RuleError("names and places are to be masked, and TURRET_MASK_NAMES names no recogniser")
        recognise = recogniser_of(names)
    return Mask(rule, project_id, recognise)
