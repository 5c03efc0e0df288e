"""Sending what waits: each message is claimed, made of what is true now, sent, and noted."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, assert_never, cast

import orjson
import polars as pl
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks import Webhook

from turret_api.accounts import AccountError, Accounts, privacy
from turret_api.accounts.few import few_of
from turret_api.alerts import shapes
from turret_api.alerts.book import Alert, AlertBook
from turret_api.alerts.mail import mail, send_mail
from turret_api.alerts.message import (
    MOST_EXAMPLES,
    Message,
    alert_message,
    digest_message,
    payload,
    test_message,
)
from turret_api.alerts.outbox import ALERT, DEAD, DIGEST, SENT, TEST, WAITING, Delivery, Outbox, SendError
from turret_api.alerts.post import post
from turret_api.alerts.store import AlertStore
from turret_api.alerts.targets import Target, TargetKind
from turret_api.errors import ApiError
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.question import Question
from turret_api.read.questions.digest import DigestOfField
from turret_api.read.questions.digest_words import digest_blocks
from turret_api.read.questions.viewers import of_viewer
from turret_pipeline import failpoint
from turret_pipeline.lake.tables import TOPICS
from turret_pipeline.settings import Settings

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Messages that are sent at once: one slow receiver holds up no other."""


@dataclass(frozen=True)
class Delivering:
    """What sending needs. engine: None where only tests of targets are sent, which say nothing of the tables."""

    settings: Settings
    accounts: Accounts
    engine: Engine | None = None

    @property
    def outbox(self) -> Outbox:
        """The messages."""
        return Outbox(self.accounts)

    def deliver(self, clock: Callable[[], dt.datetime]) -> dict[str, int]:
        """Send all that is due, and what becomes due meanwhile; return how many messages were sent, failed, died."""
        counts = Counter[str]()
        self.outbox.put_digests(clock())
        with ThreadPoolExecutor(AT_ONCE, "deliveries") as threads:
            while due := self.outbox.claim(clock(), AT_ONCE):
                found = threads.map(lambda each: self.send(each, clock()), due)
                counts.update(each.state for each in found if each is not None)
        return {"sent": counts[SENT], "failed": counts[WAITING], "dead": counts[DEAD]}

    def send(self, delivery: Delivery, now: dt.datetime) -> Delivery | None:
        """Send a message that was claimed; return it as it is then, or None if nothing is left that it would tell."""
        outbox = self.outbox
        target = AlertStore(self.accounts).target(delivery.project_id, delivery.target_id)
        if target is None:
            return None  # removed since, and the message with it
        try:
            if target.disabled_at is not None:
                raise SendError(f"the target is disabled: {target.disabled_for}", is_final=True)
            message = self._message(delivery, target)
            if message is None:
                outbox.remove(delivery)
                return None
            self._send(delivery, target, message, now)
        except SendError as error:
            log.warning("a message did not arrive", extra={"delivery_id": delivery.delivery_id, "reason": str(error)})
            return outbox.failed(delivery, error, now)
        except SQLAlchemyError:
            raise  # nothing can be noted; it is due again when its lease has ended
        except Exception as error:
            # A bug with one message must hold up no other, nor go on for ever.
            log.exception("a message could not be made", extra={"delivery_id": delivery.delivery_id})
            return outbox.failed(delivery, SendError(f"it could not be made: {type(error).__name__}"), now)
        failpoint.reached("alerts.after_send")
        return outbox.sent(delivery, now)

    def _message(self, delivery: Delivery, target: Target) -> Message | None:
        """Return what the message says now; None: all that it told of is gone. Raise `SendError`."""
        project_id, url = delivery.project_id, self.settings.public_url
        try:
            project = self.accounts.find_project(project_id).name
        except AccountError:
            return None  # deleted a moment ago
        if delivery.kind == TEST:
            return test_message(project, project_id, target.name, url)
        try:
            if delivery.kind == DIGEST:
                return self._digest(project, target)
            assert delivery.kind == ALERT
            alerts = AlertBook(self.accounts).by_ids(delivery.alerts)
            examples = self._examples(project_id, alerts) if target.has_texts else {}
            return alert_message(project, project_id, alerts, examples, url) if alerts else None
        except (ApiError, OSError) as error:
            raise SendError(f"the tables cannot be read: {error}") from None

    def _digest(self, project: str, target: Target) -> Message | None:
        if target.digest is None or self.engine is None:
            return None
        days = target.digest.days
        few = few_of(privacy.rules_of(self.accounts, target.project_id).get(privacy.FEW)).exports
        question: Question = DigestOfField(target.digest.field, days=days)
        question = of_viewer(question, few) if few else question
        answer: dict[str, Any] = orjson.loads(self.engine.ask(target.project_id, question).content or b"")
        digest = question.answer(self.engine.library.snapshot(target.project_id))
        blocks = list(digest_blocks(digest))
        return digest_message(project, target.project_id, blocks, answer, days, self.settings.public_url)

    def _examples(self, project_id: str, alerts: Sequence[Alert]) -> dict[str, list[str]]:
        """Return by alert some texts of the topic that it is about."""
        if self.engine is None:
            return {}
        topics = self.engine.library.snapshot(project_id).scan(TOPICS).select("field", "topic_id", "examples").collect()
        found = {}
        for each in alerts:
            about = (pl.col("field") == each.finding.get("field"), pl.col("topic_id") == each.finding.get("topic_id"))
            examples = topics.filter(*about)["examples"].explode().drop_nulls().to_list()
            found[each.alert_id] = [str(text) for text in examples[:MOST_EXAMPLES]]
        return found

    def _send(self, delivery: Delivery, target: Target, message: Message, now: dt.datetime) -> None:
        """Send the message; raise `SendError` if it does not arrive."""
        settings, headers = self.settings, dict[str, str]()
        kind = cast(TargetKind, target.kind)
        match kind:
            case "email":
                if settings.smtp_url is None or settings.smtp_from is None:
                    raise SendError("TURRET_SMTP_URL and TURRET_SMTP_FROM are not set, so no e-mail can be sent")
                send_mail(mail(message, settings.smtp_from, target.address, delivery.delivery_id), settings.smtp_url)
                return
            case "slack":
                body = orjson.dumps(shapes.slack(message))
            case "teams":
                body = orjson.dumps(shapes.teams(message))
            case "webhook":
                body = orjson.dumps(payload(delivery, message, now))
                headers = signed(delivery.delivery_id, now, body, target.secret or "")
            case _:
                assert_never(kind)
        post(target.address, body, headers, private=settings.alerts_private)


def signed(delivery_id: str, now: dt.datetime, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers of Standard Webhooks: the message's id, the time of this attempt, and the signature."""
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(delivery_id, now, body.decode()),
    }
