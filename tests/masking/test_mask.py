"""Values in, values out: at any depth, by field, linked within sessions, ids that stay one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.masking.kinds import ALWAYS, CARD, EMAIL, NATIONAL_ID, PHONE, SECRET
from turret_api.masking.mask import Mask
from turret_api.masking.masks import Masks, mask_of
from turret_api.masking.rule import Rule, RuleError, rule_of, stored

from .table import TRUE

SECRET_KEY = "5e" * 32


def mask(*kinds: str, project: str = "home", **options: Any) -> Mask:
    return Mask(Rule(frozenset(kinds or ALWAYS), secret=SECRET_KEY, **options), project)


def masked(value: Any, by: Mask, session_id: str = "s1") -> Any:
    return by.value(value, session_id, by.kinds_in(json.dumps(value).encode()))


def test_a_placeholder_says_what_was_there() -> None:
    assert mask().text("Mail ann@example.com or call +1 415 555 2671.", "s1") == "Mail <EMAIL> or call <PHONE>."


def test_every_text_at_any_depth_is_masked_and_all_else_stays() -> None:
    given = {"a": ["x", {"b": [["ann@example.com"]]}], "n": 412, "f": 1.5, "t": True, "none": None}
    assert masked(given, mask()) == {"a": ["x", {"b": [["<EMAIL>"]]}], "n": 412, "f": 1.5, "t": True, "none": None}


def test_what_holds_nothing_is_the_same_object() -> None:
    value = {"prompt": "How do I cook rice?", "deep": [{"n": 1}]}
    assert mask().value(value, "s1", frozenset(ALWAYS)) is value


def test_keys_of_objects_are_masked_and_stay_apart() -> None:
    found = masked({"scores": {"ann@example.com": 1, "bob@example.com": 2}}, mask())
    assert list(found["scores"].values()) == [1, 2]
    assert all(key.startswith("<EMAIL_") for key in found["scores"])
    assert found == masked({"scores": {"ann@example.com": 1, "bob@example.com": 2}}, mask(), "s2")


@pytest.mark.parametrize("number", [4111111111111111, 4111111111111111.0])
def test_a_card_that_is_sent_as_a_number_is_masked(number: float) -> None:
    assert masked({"card": number, "n": 1700000000000}, mask()) == {"card": "<CARD>", "n": 1700000000000}


def test_a_number_is_an_id_or_a_phone_only_where_its_field_says_so() -> None:
    found = masked({"ssn": 536904399, "order": 536904399, "phone": 4155552671, "item": 4155552671}, mask())
    assert found == {"ssn": "<NATIONAL_ID>", "order": 536904399, "phone": "<PHONE>", "item": 4155552671}


@pytest.mark.parametrize("key", ["password", "client_secret", "apiKey", "x-api-key", "accessToken", "DB_PASSWORD"])
def test_a_field_that_says_that_it_holds_a_secret_is_masked_whole(key: str) -> None:
    assert masked({key: "correcthorse"}, mask()) == {key: "<SECRET>"}


@pytest.mark.parametrize("key", ["tokens", "max_tokens", "compass", "passenger", "secretary", "keyboard", "author"])
def test_a_field_whose_name_only_sounds_like_a_secret_is_not(key: str) -> None:
    assert masked({key: "correcthorse"}, mask()) == {key: "correcthorse"}


def test_a_field_may_be_masked_otherwise_or_not_at_all() -> None:
    by = mask(EMAIL, fields={"note": frozenset(), "order": frozenset((CARD,)), "order.mail": frozenset((EMAIL,))})
    given = {
        "prompt": "ann@example.com 4111111111111111",
        "note": "ann@example.com",
        "order": {"text": "ann@example.com 4111111111111111", "mail": ["ann@example.com"]},
        "notes": "ann@example.com",
    }
    assert masked(given, by) == {
        "prompt": "<EMAIL> 4111111111111111",
        "note": "ann@example.com",
        "order": {"text": "ann@example.com <CARD>", "mail": ["<EMAIL>"]},
        "notes": "<EMAIL>",
    }


def test_only_one_field_may_be_masked() -> None:
    by = mask(PHONE, fields={"prompt": frozenset((EMAIL,))})
    by = Mask(Rule(frozenset(), {"prompt": frozenset((EMAIL,))}, secret=SECRET_KEY), "home")
    assert masked({"prompt": "a@b.co", "other": "a@b.co"}, by) == {"prompt": "<EMAIL>", "other": "a@b.co"}


def test_linked_placeholders_tell_values_apart_within_a_session_and_nothing_over_sessions() -> None:
    by = mask(linked=True)
    first = by.text("ann@example.com, bob@example.com, ANN@example.com", "s1")
    ann, bob, again = first.split(", ")
    assert ann == again != bob and ann.startswith("<EMAIL_") and len(ann) == len("<EMAIL_3f9a2c>")
    assert by.text("ann@example.com", "s2") != ann
    assert mask(linked=True, project="other").text("ann@example.com", "s1") != ann
    assert by.text("4111-1111-1111-1111", "s1") == by.text("4111111111111111", "s1")


def test_an_id_that_is_masked_is_always_the_same_and_says_nothing() -> None:
    by = mask()
    found = by.identifier("ann@example.com")
    assert found == by.identifier("Ann@Example.com") != by.identifier("bob@example.com")
    assert found.startswith("email-") and len(found) == len("email-") + 32 and by.identifier(found) == found
    assert mask(ids=False).identifier("ann@example.com") == "ann@example.com"
    assert mask(CARD).identifier("ann@example.com") == "ann@example.com"


@pytest.mark.parametrize(
    "given",
    ["user-1", "12345678", "550e8400-e29b-41d4-a716-446655440000", "usr_063a1b2c3d4e5f60718293a4b5c6d7", "auth0|5f7c8"],
)
def test_an_ordinary_id_stays(given: str) -> None:
    assert mask().identifier(given) == given


@given(
    st.lists(
        st.sampled_from([text.replace("⟦", "").replace("⟧", "") for texts in TRUE.values() for text in texts])
        | st.text(max_size=12)
        | st.sampled_from(["<EMAIL>", "<CARD_411111>", " ", "@", "password=", "Bearer ", ":", "-", "+1 ", "\n", "\\n"]),
        max_size=6,
    ),
    st.booleans(),
)
def test_masking_twice_is_masking_once(pieces: list[str], linked: bool) -> None:
    by, text = mask(linked=linked), "".join(pieces)
    once = by.text(text, "s1")
    assert by.text(once, "s1") == once


@given(st.text(max_size=40), st.sampled_from(["ann@example.com", "4111 1111 1111 1111"]), st.text(max_size=40))
def test_what_the_sieve_holds_back_holds_nothing(before: str, value: str, after: str) -> None:
    by = mask(EMAIL, CARD)
    text = f"{before} {value} {after}"
    if by.text(text, "s1") != text:
        assert by.kinds_in(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def test_a_mask_is_as_its_rule_is_now() -> None:
    rules: dict[str, Any] = {}

    class Known:
        def privacy(self, project_id: str, name: str) -> Any:
            return rules.get(project_id)

    masks = Masks(Known(), None)
    assert masks.of("home") is None
    rules["home"] = stored(Rule(frozenset((EMAIL,))), Rule())
    first = masks.of("home")
    assert first is not None and first is masks.of("home")
    rules["home"] = stored(Rule(frozenset((SECRET,))), rule_of(rules["home"]))
    second = masks.of("home")
    assert second is not None and second.rule.kinds == {SECRET} and second.rule.secret == first.rule.secret
    rules["home"] = stored(Rule(), second.rule)
    assert masks.of("home") is None


@pytest.mark.parametrize(
    "value",
    [{"kinds": ["shoe"]}, {"kinds": ["email"]}, {"kinds": ["email"], "later": 1}, [], {"kinds": "email"},
     {"kinds": ["name"], "secret": SECRET_KEY}],
)  # fmt: skip
def test_a_rule_that_cannot_be_followed_is_an_error_and_no_mask(value: Any) -> None:
    with pytest.raises(RuleError):
        mask_of(value, "home", None)


def test_a_field_of_the_kind_may_hold_a_placeholder() -> None:
    by = mask(SECRET, NATIONAL_ID)
    assert masked({"password": "<SECRET>", "ssn": "<NATIONAL_ID>"}, by) == {
        "password": "<SECRET>",
        "ssn": "<NATIONAL_ID>",
    }
