"""`/v1/masking`: what a project masks before it is stored, and what that does to a text.

A change reaches every collector within two seconds. What was stored before stays as it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.audit import record
from turret_api.accounts.privacy import MASKING, rules_of, set_rule
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import UnavailableError, invalid
from turret_api.masking.finding import find
from turret_api.masking.kinds import ALWAYS, WORDS
from turret_api.masking.mask import Mask
from turret_api.masking.masks import mask_of
from turret_api.masking.names import RecogniserError
from turret_api.masking.rule import MOST_FIELDS, Rule, RuleError, rule_of, stored
from turret_api.read.http.parameters import only_known_parameters

Kind = Literal["email", "phone", "card", "iban", "national_id", "ip", "secret", "name", "place"]
FieldPath = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_SESSION = "a session"
_MOST_TRIED = 20_000


class Model(BaseModel):
    """An answer, or what is asked for; it has no further keys."""

    model_config = ConfigDict(extra="forbid")


class MaskingRule(Model):
    """What a project masks."""

    kinds: list[Kind] = Field(description="what is masked in every field; empty: nothing", max_length=len(WORDS))
    fields: dict[FieldPath, list[Kind]] = Field(
        default={},
        max_length=MOST_FIELDS,
        description="what is masked instead in a field and in all that is in it; `order.customer` is a path",
    )
    linked: bool = Field(
        default=False,
        description="whether a placeholder tells the same value from others within a session: `<EMAIL_3f9a2c>`",
    )
    ids: bool = Field(
        default=True,
        description="whether a user, session or event id that is such a value is replaced, always by the same",
    )


class MaskingState(MaskingRule):
    """What a project masks, and what it could."""

    available: dict[Kind, str] = Field(description="the kinds that can be masked here, in words")


class MaskingTrial(Model):
    """A text to be masked; nothing of it is stored."""

    text: str = Field(max_length=_MOST_TRIED)
    rule: MaskingRule | None = Field(default=None, description="null: the rule that the project has")


class MaskedPlace(Model):
    """What was found at a place in the text."""

    kind: Kind
    start: int = Field(description="first character")
    end: int = Field(description="the character behind the last")


class Tried(Model):
    """What becomes of the text."""

    text: str
    found: list[MaskedPlace]
    as_id: str = Field(description="what the text becomes where it is the id of a user, a session or an event")


def masking_router(gate: Gate, accounts: Accounts, names: str | None) -> APIRouter:
    """Return the routes about masking, for clients that `gate` lets in; names: where the recogniser of names is."""
    only_known = Depends(only_known_parameters)
    router = APIRouter(prefix="/v1", tags=["privacy"], dependencies=[only_known], route_class=KeyFirst)
    admin = Depends(gate.admin)

    @router.get("/masking", response_model=MaskingState)
    def get_masking(principal: Principal = admin) -> MaskingState:
        """What the project masks before it is stored."""
        return _state(_known(accounts, principal), names)

    @router.put("/masking", response_model=MaskingState)
    def put_masking(rule: MaskingRule, principal: Principal = admin) -> MaskingState:
        """Choose what is masked from now on, within two seconds; what was stored before stays as it is."""
        before = _known(accounts, principal)
        value = _made(rule, before, principal, names)
        about = {"setting": MASKING, **{key: each for key, each in value.items() if key != "secret"}}
        try:
            set_rule(accounts, principal.project_id, MASKING, value)
            record(accounts, principal.project_id, principal.actor, "setting_changed", about)
        except SQLAlchemyError:
            raise _away() from None
        return _state(rule_of(value), names)

    @router.post("/masking/try", response_model=Tried)
    def try_masking(trial: MaskingTrial, principal: Principal = admin) -> Tried:
        """Mask a text by the project's rule, or by another. Nothing is stored."""
        known = _known(accounts, principal)
        value = _made(trial.rule, known, principal, names) if trial.rule is not None else stored(known, known)
        mask = _mask(value, principal, names)
        if mask is None:
            return Tried(text=trial.text, found=[], as_id=trial.text)
        try:
            found, _ = find(trial.text, mask.rule.kinds, "", mask.recognise)
            text, as_id = mask.text(trial.text, _SESSION), mask.identifier(trial.text)
        except RecogniserError as error:
            raise UnavailableError(f"{error}.") from None
        places: list[Any] = [MaskedPlace.model_validate(each._asdict()) for each in found]
        return Tried(text=text, found=places, as_id=as_id)

    return router


def _known(accounts: Accounts, principal: Principal) -> Rule:
    try:
        return rule_of(rules_of(accounts, principal.project_id).get(MASKING))
    except SQLAlchemyError:
        raise _away() from None
    except RuleError as error:
        raise UnavailableError(f"The rule that is stored cannot be read by this version: {error}.") from None


def _made(rule: MaskingRule, before: Rule, principal: Principal, names: str | None) -> dict[str, Any]:
    """Return what is stored of a rule; raise `ApiError` (400) if it cannot be followed here."""
    fields: dict[str, frozenset[str]] = {field: frozenset(kinds) for field, kinds in rule.fields.items()}
    value = stored(Rule(frozenset(rule.kinds), fields, rule.linked, rule.ids), before)
    _mask(value, principal, names)
    return value


def _mask(value: dict[str, Any], principal: Principal, names: str | None) -> Mask | None:
    try:
        return mask_of(value, principal.project_id, names)
    except RuleError as error:
        raise invalid(f"This cannot be masked here: {error}.", field="kinds") from None


def _state(rule: Rule, names: str | None) -> MaskingState:
    state = {
        "kinds": _in_order(rule.kinds),
        "fields": {field: _in_order(kinds) for field, kinds in rule.fields.items()},
        "linked": rule.linked,
        "ids": rule.ids,
        "available": {kind: words for kind, words in WORDS.items() if kind in ALWAYS or names is not None},
    }
    return MaskingState.model_validate(state)


def _in_order(kinds: frozenset[str]) -> list[str]:
    return [kind for kind in WORDS if kind in kinds]


def _away() -> UnavailableError:
    return UnavailableError("The database of projects and keys cannot be reached; try again.")
