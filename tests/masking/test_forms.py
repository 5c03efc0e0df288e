"""What an id may be stored as: the hash that masking makes of it, whichever kinds were masked when it came."""

from __future__ import annotations

import pytest

from turret_api.masking.forms import forms_of
from turret_api.masking.mask import Mask
from turret_api.masking.rule import Rule, RuleError, stored

SECRET_KEY = "5e" * 32
ADDRESS = "ann@example.com"


def rule(*kinds: str, **options: bool) -> Rule:
    return Rule(frozenset(kinds), secret=SECRET_KEY, **options)


@pytest.mark.parametrize(
    ("given", "kind"),
    [(ADDRESS, "email"), ("+44 20 7946 0958", "phone"), ("203.0.113.77", "ip"), (" a@b.co ", "email")],
)
def test_the_form_that_masking_makes_is_among_them(given: str, kind: str) -> None:
    made = Mask(rule(kind), "home").identifier(given)
    assert made.startswith(f"{kind}-") and made in forms_of(stored(rule(kind), rule()), "home", given)


def test_they_stay_when_the_rule_masks_other_kinds_no_ids_or_nothing_any_more() -> None:
    wanted = [Mask(rule("email"), "home").identifier(ADDRESS)]
    for now in (rule("card"), rule("email", ids=False), rule()):
        assert forms_of({**stored(now, rule()), "secret": SECRET_KEY}, "home", ADDRESS) == wanted


def test_an_id_that_is_nothing_and_a_project_that_never_masked_have_none() -> None:
    assert forms_of(stored(rule("email"), rule()), "home", "u_81") == []
    assert forms_of(None, "home", ADDRESS) == forms_of({"kinds": []}, "home", ADDRESS) == []
    masked = Mask(rule("email"), "home").identifier(ADDRESS)
    assert forms_of(stored(rule("email"), rule()), "home", masked) == []


def test_a_name_has_a_form_without_the_recogniser_as_long_as_names_are_masked() -> None:
    made = Mask(rule("name"), "home", lambda text: [(0, len(text), "name")]).identifier("Ann Lee")
    assert forms_of(stored(rule("name"), rule()), "home", "Ann Lee") == [made]


def test_a_rule_of_a_later_version_is_refused() -> None:
    with pytest.raises(RuleError):
        forms_of({"kinds": ["shoe"], "secret": SECRET_KEY}, "home", ADDRESS)
