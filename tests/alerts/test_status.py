"""`turret status` says how many messages wait, and shows those that were given up."""

from __future__ import annotations

import click

from tests.alerts.conftest import Receiver, Shop
from turret_api.alerts.rules import Filters
from turret_api.command.status import _text, status
from turret_api.command.upgrade import upgrade


def test_the_status_counts_messages_that_wait_and_shows_that_some_were_given_up(shop: Shop, receiver: Receiver) -> None:
    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url)
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    upgrade(shop.settings, str(shop.settings.database_url), print)
    receiver.statuses = [500, 410]
    shop.run()
    assert status(shop.settings)["alerts"] == {"waiting": 1, "dead": 0}
    (waiting,) = shop.outbox.deliveries(shop.project_id, "waiting")
    shop.now = waiting.next_at
    shop.run()
    found = status(shop.settings)
    assert found["alerts"] == {"waiting": 0, "dead": 1}
    assert "ALERTS     1 message was given up" in click.unstyle(_text(found, shows_all=True))
