"""What the routes of alerts take and answer, as the OpenAPI document has it."""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from turret_api.alerts.book import Alert
from turret_api.alerts.hours import DigestPlan, QuietHours
from turret_api.alerts.outbox import Delivery
from turret_api.alerts.rules import Filters, Rule, RuleKind
from turret_api.alerts.targets import Target, TargetKind
from turret_pipeline.semantics.blank import is_blank


def _in_one_line(name: str) -> str:
    name = " ".join(name.split())
    if is_blank(name) or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise ValueError("a name has characters that can be seen, and no control characters")
    return name


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_in_one_line)]
Next = Annotated[str | None, Field(description="cursor of the next page; null: this is the last")]


class Model(BaseModel):
    """An answer, or what is asked for; it has no further keys."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, serialize_by_alias=True)


class RuleChoice(Model):
    """What a rule is to tell of."""

    kind: RuleKind
    name: Name | None = Field(default=None, description="what messages call it; null: its kind")
    filters: Filters = Field(default_factory=Filters, description="which there are depends on the kind")
    targets: list[Annotated[str, Field(max_length=40)]] | None = Field(
        default=None, description="ids of targets; null: all that the project has", max_length=50
    )
    urgent: bool = Field(default=False, description="whether its messages go in quiet hours too")


class RuleRow(Model):
    """A rule."""

    rule_id: str
    name: str
    kind: str
    filters: Filters
    targets: list[str] | None = Field(description="ids of targets; null: all that the project has")
    urgent: bool
    created_at: dt.datetime


class RuleRows(Model):
    """A project's rules."""

    data: list[RuleRow]
    next: Next


class TargetChange(Model):
    """What a target is from now on."""

    name: Name
    texts: bool = Field(default=False, description="whether messages may quote what users wrote")
    quiet: QuietHours | None = Field(default=None, description="when alerts wait; they come as one message afterwards")
    digest: DigestPlan | None = Field(default=None, description="when it gets the digest; null: never")


class TargetChoice(TargetChange):
    """Where messages are to go."""

    kind: TargetKind
    address: str = Field(
        min_length=1, max_length=2000, description="of a hook: http(s)://…; e-mail addresses with commas between them"
    )
    name: Name | None = Field(default=None, description="null: its kind")  # type: ignore[assignment]


class TargetRow(Model):
    """A target."""

    target_id: str
    kind: str
    name: str
    address: str = Field(description="of a hook its host and end: whoever has all of it can write there")
    texts: bool
    quiet: QuietHours | None
    digest: DigestPlan | None
    created_at: dt.datetime
    disabled_at: dt.datetime | None = Field(description="since when nothing goes there; null: it is enabled")
    disabled_for: str | None = Field(description="why")


class NewTargetRow(TargetRow):
    """A target that was made."""

    secret: str | None = Field(
        description="signs a webhook's messages (Standard Webhooks); it cannot be shown again. null of other kinds"
    )


class TargetRows(Model):
    """A project's targets."""

    data: list[TargetRow]
    next: Next


class AlertRow(Model):
    """Something that a rule found."""

    alert_id: str
    rule_id: str
    rule: str = Field(description="the rule's name")
    kind: str = Field(description="the rule's kind")
    sentence: str = Field(description="what was found, with its numbers when it was found first")
    finding: dict[str, Any] = Field(description="the same as data: of changes, the finding as `/v1/changes` had it")
    found_at: dt.datetime
    seen_at: dt.datetime = Field(description="when it was last found to be so")
    ended_at: dt.datetime | None = Field(description="when it was first found to be so no more; null: it is open")


class AlertRows(Model):
    """What a project's rules found."""

    data: list[AlertRow]
    next: Next


class DeliveryRow(Model):
    """A message to a target."""

    delivery_id: str = Field(description="what a webhook gets as `webhook-id`, at each attempt")
    target_id: str
    kind: str = Field(description="alert, digest or test")
    alerts: list[str] = Field(description="ids of the alerts that it tells of")
    state: str = Field(description="waiting, sent, or dead: given up")
    n_attempts: int
    next_at: dt.datetime | None = Field(description="when it is tried next, or again; null: never")
    error: str | None = Field(description="why the last attempt failed")
    created_at: dt.datetime
    sent_at: dt.datetime | None


class DeliveryRows(Model):
    """Messages of a project."""

    data: list[DeliveryRow]
    next: Next


def rule_row(rule: Rule) -> RuleRow:
    """Return the rule as it is answered."""
    return RuleRow.model_validate(rule)


def target_row(target: Target) -> TargetRow:
    """Return the target as it is answered."""
    return TargetRow(
        target_id=target.target_id,
        kind=target.kind,
        name=target.name,
        address=target.shown_address,
        texts=target.has_texts,
        quiet=target.quiet,
        digest=target.digest,
        created_at=target.created_at,
        disabled_at=target.disabled_at,
        disabled_for=target.disabled_for,
    )


def alert_row(alert: Alert) -> AlertRow:
    """Return the alert as it is answered."""
    return AlertRow.model_validate(alert)


def delivery_row(delivery: Delivery) -> DeliveryRow:
    """Return the message as it is answered."""
    return DeliveryRow(
        delivery_id=delivery.delivery_id,
        target_id=delivery.target_id,
        kind=delivery.kind,
        alerts=list(delivery.alerts),
        state=delivery.state,
        n_attempts=delivery.n_attempts,
        next_at=delivery.next_at if delivery.state == "waiting" else None,
        error=delivery.error,
        created_at=delivery.created_at,
        sent_at=delivery.sent_at,
    )
