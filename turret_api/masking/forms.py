"""What may stand for an id where a project masks ids: the hashes of it that the project's rules ever made.

Who erases a user names the address that is known, and events have the hash. Which kinds were masked when they came
nobody remembers, but the secret that keys the hashes stays with the rule; so all kinds that are found in the id count.
"""

from __future__ import annotations

from typing import Any

from turret_api.masking.kinds import KINDS, RECOGNISED
from turret_api.masking.mask import Mask
from turret_api.masking.rule import Rule, rule_of


def forms_of(value: Any, project_id: str, given: str) -> list[str]:
    """Return what may stand for the id `given` in the project; empty: nothing, it is stored as it is.

    value: the project's rule as it is stored, which may mask nothing any more. Names and places are not looked for, as
    a recogniser may be gone: where the rule masks them, their form is among what is returned. Raise `RuleError` for a
    rule that cannot be read.
    """
    rule = rule_of(value)
    if not rule.secret:
        return []
    found = []
    for kind in KINDS:
        if kind not in RECOGNISED:
            masked = Mask(Rule(kinds=frozenset([kind]), secret=rule.secret), project_id).identifier(given)
            if masked != given:
                found.append(masked)
        elif kind in rule.kinds:
            found.append(Mask(rule, project_id).stands_for(given, kind))
    return found
