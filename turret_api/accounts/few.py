"""How many users a count must be of: what a project chose, or what holds where it chose nothing."""

from __future__ import annotations

from typing import Any

import msgspec

USUAL_OF_VIEWERS = 5
MOST = 1000


class Few(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Users that whatever is shown without texts must be of; 0: any number.

    viewers: of what a viewer is shown. exports: of files and messages that hold no texts, for whatever role.
    """

    viewers: int = USUAL_OF_VIEWERS
    exports: int = 0


def few_of(rule: Any) -> Few:
    """Return what the rule `privacy.FEW` says; None: there is none."""
    return Few() if rule is None else msgspec.convert(rule, Few)
