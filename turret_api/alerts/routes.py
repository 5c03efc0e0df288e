"""`/v1/alerts`: what rules found; the rules, targets and messages behind it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Query

from turret_api.accounts import Accounts, audit
from turret_api.alerts.book import AlertBook
from turret_api.alerts.delivery import Delivering
from turret_api.alerts.models import (
    AlertRows,
    DeliveryRow,
    DeliveryRows,
    NewTargetRow,
    RuleChoice,
    RuleRow,
    RuleRows,
    TargetChange,
    TargetChoice,
    TargetRow,
    TargetRows,
    alert_row,
    delivery_row,
    rule_row,
    target_row,
)
from turret_api.alerts.outbox import Outbox
from turret_api.alerts.rules import KINDS, Filters
from turret_api.alerts.store import AlertStore, FullError
from turret_api.alerts.targets import AddressError, Target, checked_address
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import NotFoundError, invalid
from turret_api.read.http.parameters import Cursor, Limit, only_known_parameters
from turret_api.read.http.reached import reached
from turret_api.read.questions.pages import after, offset_of
from turret_pipeline.settings import Settings

Thing = TypeVar("Thing")
State = Annotated[Literal["waiting", "sent", "dead"] | None, Query(description="only these")]


def alert_router(settings: Settings, accounts: Accounts, gate: Gate) -> APIRouter:
    """Return the routes of alerts, for clients that `gate` lets in."""
    known = [Depends(only_known_parameters)]
    router = APIRouter(prefix="/v1/alerts", tags=["alerts"], dependencies=known, route_class=KeyFirst)
    reader, editor, admin = Depends(gate.reader), Depends(gate.editor), Depends(gate.admin)
    store, book = AlertStore(accounts), AlertBook(accounts)
    delivering, outbox = Delivering(settings, accounts), Outbox(accounts)

    def told(principal: Principal, target: Target, what: str) -> None:
        """The audit log has it: where data goes is a setting."""
        about = {"setting": "alert target", "what": what, "target": target.target_id, "kind": target.kind}
        about["texts"] = "with texts" if target.has_texts else "without texts"
        audit.record(accounts, principal.project_id, principal.actor, "setting_changed", about)

    @router.get("", response_model=AlertRows)
    def get_alerts(
        principal: Principal = reader,
        state: Annotated[Literal["open", "ended"] | None, Query(description="only these")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> AlertRows:
        """What rules found, newest first: what is still so (open), and what has ended."""
        offset, is_open = offset_of(cursor), None if state is None else state == "open"
        with reached():
            found = book.alerts(principal.project_id, is_open=is_open, limit=limit + 1, offset=offset)
        return AlertRows(data=[alert_row(each) for each in found[:limit]], next=_next(found, limit, offset))

    @router.get("/rules", response_model=RuleRows)
    def get_rules(principal: Principal = reader) -> RuleRows:
        """The rules of the project, oldest first."""
        with reached():
            return RuleRows(data=[rule_row(each) for each in store.rules(principal.project_id)], next=None)

    @router.post("/rules", response_model=RuleRow)
    def post_rule(choice: RuleChoice, principal: Principal = editor) -> RuleRow:
        """Add a rule: it is looked at within minutes, then whenever the tables were built, each 15 minutes at most."""
        with reached():
            _check_rule(store, principal, choice)
            try:
                made = store.add_rule(principal.project_id, *_parts(choice), urgent=choice.urgent)
            except FullError as error:
                raise invalid(f"{str(error).capitalize()}.") from None
        return rule_row(made)

    @router.put("/rules/{rule_id}", response_model=RuleRow)
    def put_rule(rule_id: str, choice: RuleChoice, principal: Principal = editor) -> RuleRow:
        """Make a rule say something else; it keeps its id and what it found."""
        with reached():
            _check_rule(store, principal, choice)
            found = store.change_rule(principal.project_id, rule_id, *_parts(choice), urgent=choice.urgent)
        return rule_row(_there(found, "rule", rule_id))

    @router.delete("/rules/{rule_id}", response_model=RuleRow)
    def delete_rule(rule_id: str, principal: Principal = editor) -> RuleRow:
        """Remove a rule, with what it found."""
        with reached():
            return rule_row(_there(store.remove_rule(principal.project_id, rule_id), "rule", rule_id))

    @router.get("/targets", response_model=TargetRows)
    def get_targets(principal: Principal = reader) -> TargetRows:
        """Where messages go, oldest first; of the address of a hook its host and end, of a secret nothing."""
        with reached():
            return TargetRows(data=[target_row(each) for each in store.targets(principal.project_id)], next=None)

    @router.post("/targets", response_model=NewTargetRow)
    def post_target(choice: TargetChoice, principal: Principal = admin) -> NewTargetRow:
        """Add a target. This answer is the only one that shows a webhook's secret."""
        try:
            address = checked_address(choice.kind, choice.address, private=settings.alerts_private)
        except AddressError as error:
            raise invalid(f"{str(error)[0].upper()}{str(error)[1:]}.", field="address") from None
        if choice.kind == "email" and settings.smtp_url is None:
            raise invalid(
                "No mail server is set: the operator sets TURRET_SMTP_URL and TURRET_SMTP_FROM.", field="kind"
            )
        with reached():
            try:
                made = store.add_target(
                    principal.project_id,
                    choice.kind,
                    choice.name or choice.kind,
                    address,
                    has_texts=choice.texts,
                    quiet=choice.quiet,
                    digest=choice.digest,
                )
            except FullError as error:
                raise invalid(f"{str(error).capitalize()}.") from None
            told(principal, made, "added")
        return NewTargetRow(**dict(target_row(made)), secret=made.secret)

    @router.put("/targets/{target_id}", response_model=TargetRow)
    def put_target(target_id: str, choice: TargetChange, principal: Principal = admin) -> TargetRow:
        """Give a target another name, quiet hours or digest; one that was disabled is enabled. Its address stays."""
        with reached():
            found = store.change_target(
                principal.project_id,
                target_id,
                choice.name,
                has_texts=choice.texts,
                quiet=choice.quiet,
                digest=choice.digest,
            )
            told(principal, _there(found, "target", target_id), "changed")
        return target_row(_there(found, "target", target_id))

    @router.delete("/targets/{target_id}", response_model=TargetRow)
    def delete_target(target_id: str, principal: Principal = admin) -> TargetRow:
        """Remove a target, with the messages that wait for it."""
        with reached():
            found = _there(store.remove_target(principal.project_id, target_id), "target", target_id)
            told(principal, found, "removed")
        return target_row(found)

    @router.post("/targets/{target_id}/test", response_model=DeliveryRow)
    def post_test(target_id: str, principal: Principal = admin) -> DeliveryRow:
        """Send a test message to a target now, and say whether it arrived."""
        with reached():
            target = _there(store.target(principal.project_id, target_id), "target", target_id)
            now = dt.datetime.now(dt.UTC)
            made = outbox.put_test(target.project_id, target.target_id, now)
            return delivery_row(delivering.send(made, now) or made)

    @router.get("/deliveries", response_model=DeliveryRows)
    def get_deliveries(
        principal: Principal = reader, state: State = None, limit: Limit = 100, cursor: Cursor = None
    ) -> DeliveryRows:
        """Messages, newest first: those that wait, were sent, or are dead, which means that they were given up."""
        offset = offset_of(cursor)
        with reached():
            found = outbox.deliveries(principal.project_id, state, limit + 1, offset)
        return DeliveryRows(data=[delivery_row(each) for each in found[:limit]], next=_next(found, limit, offset))

    @router.post("/deliveries/{delivery_id}/send", response_model=DeliveryRow)
    def post_send(delivery_id: str, principal: Principal = editor) -> DeliveryRow:
        """Send a dead message once more, within minutes, under the same id."""
        with reached():
            found = outbox.send_again(principal.project_id, delivery_id, dt.datetime.now(dt.UTC))
        return delivery_row(_there(found, "dead message", delivery_id))

    return router


def _parts(choice: RuleChoice) -> tuple[str, str, Filters, list[str] | None]:
    return choice.name or choice.kind.replace("_", " "), choice.kind, choice.filters, choice.targets


def _check_rule(store: AlertStore, principal: Principal, choice: RuleChoice) -> None:
    """Raise an `ApiError` where the rule makes no sense."""
    if stranger := choice.filters.misfit(choice.kind):
        known = ", ".join(sorted(KINDS[choice.kind].filters)) or "none"
        words = f"A rule of the kind {choice.kind} has no filter {stranger!r}; it has: {known}."
        raise invalid(words, field=f"filters.{stranger}")
    there = {each.target_id for each in store.targets(principal.project_id)} if choice.targets else set()
    if choice.targets and (strange := set(choice.targets) - there):
        raise NotFoundError(f"There is no target {min(strange)!r}; GET /v1/alerts/targets lists them.", field="targets")


def _there(found: Thing | None, what: str, thing_id: str) -> Thing:
    if found is None:
        raise NotFoundError(f"There is no {what} {thing_id!r} in this project.")
    return found


def _next(found: Sequence[object], limit: int, offset: int) -> str | None:
    return after(offset + limit) if len(found) > limit else None
