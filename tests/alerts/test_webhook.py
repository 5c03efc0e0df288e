"""Webhooks: signed, tried again for a day, given up and sent again by hand; and what a crash leaves."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.alerts.conftest import DAY, HOUR, MINUTE, Receiver, Shop
from turret_api.alerts.delivery import Delivering
from turret_api.alerts.outbox import LEASE_S, MOST_ATTEMPTS, PAUSES_S, SendError
from turret_api.alerts.post import post
from turret_api.alerts.rules import Filters
from turret_api.alerts.targets import Target

SECONDS = dt.timedelta(seconds=1)


def with_hook(shop: Shop, receiver: Receiver) -> Target:
    """Return a webhook of a project that has something to tell."""
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    return shop.store.add_target(shop.project_id, "webhook", "hook", f"{receiver.url}/hook?a=b")


def states(shop: Shop) -> list[tuple[str, int]]:
    return [(each.state, each.n_attempts) for each in shop.outbox.deliveries(shop.project_id)]


def test_a_message_is_signed_as_standard_webhooks_has_it(shop: Shop, receiver: Receiver) -> None:
    shop.now = dt.datetime.now(dt.UTC)
    secret = with_hook(shop, receiver).secret
    assert shop.run()["sent"] == 1
    ((path, headers, body),) = receiver.got
    assert path == "/hook?a=b" and secret is not None and secret.startswith("whsec_")
    told = Webhook(secret).verify(body, headers)
    assert told["id"] == headers["webhook-id"] == shop.outbox.deliveries(shop.project_id)[0].delivery_id
    assert headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"Declined", b"Accepted"), headers)


@pytest.mark.slow
def test_a_message_is_tried_again_for_a_day_under_one_id_and_then_given_up(shop: Shop, receiver: Receiver) -> None:
    with_hook(shop, receiver)
    receiver.statuses = [500] * MOST_ATTEMPTS
    assert shop.run()["failed"] == 1
    for n, pause_s in enumerate(PAUSES_S, start=1):
        assert states(shop) == [("waiting", n)]
        assert shop.run(after=(pause_s - 1) * SECONDS)["failed"] == 0
        shop.run(after=SECONDS)
    (given_up,) = shop.outbox.deliveries(shop.project_id, "dead")
    assert (given_up.n_attempts, given_up.error) == (8, "127.0.0.1 answered 500 Internal Server Error")
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1 and len(receiver.got) == 8
    assert 0.9 * DAY < sum(PAUSES_S) * SECONDS < DAY
    assert shop.run(after=DAY)["dead_in_all"] == 1 and len(receiver.got) == 8
    again = shop.outbox.send_again(shop.project_id, given_up.delivery_id, shop.now)
    assert again is not None and shop.run()["sent"] == 1
    assert receiver.got[-1][1]["webhook-id"] == given_up.delivery_id
    assert shop.outbox.send_again(shop.project_id, given_up.delivery_id, shop.now) is None


def test_a_receiver_that_says_when_is_not_asked_before(shop: Shop, receiver: Receiver) -> None:
    with_hook(shop, receiver)
    receiver.statuses, receiver.headers = [429], {"Retry-After": "600"}
    shop.run()
    assert shop.run(after=9 * MINUTE)["sent"] == 0 and shop.run(after=MINUTE)["sent"] == 1


def test_a_receiver_that_is_gone_gets_nothing_more_until_it_is_enabled(shop: Shop, receiver: Receiver) -> None:
    target = with_hook(shop, receiver)
    receiver.statuses = [410]
    shop.run()
    assert states(shop) == [("dead", 1)]
    found = shop.store.target(shop.project_id, target.target_id)
    assert found is not None and found.disabled_at == shop.now and found.disabled_for == "127.0.0.1 answered 410 Gone"
    shop.store.remove_rule(shop.project_id, shop.store.rules(shop.project_id)[0].rule_id)
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    assert shop.run(after=HOUR)["new"] and len(receiver.got) == 1
    changed = shop.store.change_target(
        shop.project_id, target.target_id, "hook", has_texts=False, quiet=None, digest=None
    )
    assert changed is not None and changed.disabled_at is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.statuses, receiver.headers = [status], {"Location": f"{receiver.url}/elsewhere"}
    with pytest.raises(SendError, match="redirects are not followed"):
        post(receiver.url, b"{}", {}, private=True)
    assert len(receiver.got) == 1


def test_a_receiver_that_never_finishes_its_answer_is_left(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turret_api.alerts.post.WHOLE_S", 0.3)
    is_left = threading.Event()
    receiver.before_answer = is_left.wait
    with pytest.raises(SendError, match="cannot be reached"):
        post(receiver.url, b"{}", {}, private=True)
    is_left.set()


def test_a_slow_receiver_holds_up_no_other(shop: Shop, receiver: Receiver) -> None:
    for name in ("one", "two", "three", "four"):
        shop.store.add_target(shop.project_id, "webhook", name, receiver.url)
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    receiver.before_answer = lambda: time.sleep(0.5)
    looked = shop.run()
    began = min(each.sent_at for each in shop.outbox.deliveries(shop.project_id) if each.sent_at)
    assert looked["sent"] == 4 and began == shop.now


KILLED = """
import os, signal, sys
from turret_pipeline import failpoint
failpoint.on_reached = lambda name: name == sys.argv[1] and os.kill(os.getpid(), signal.SIGKILL)
from turret_api.alerts.__main__ import main
main(["shop"])
"""


@pytest.mark.slow
def test_killed_after_it_was_sent_a_message_comes_once_more_under_the_same_id(shop: Shop, receiver: Receiver) -> None:
    with_hook(shop, receiver)
    shop.now = dt.datetime.now(dt.UTC)
    environment = {
        "TURRET_HOME": str(shop.settings.home),
        "TURRET_DATABASE_URL": str(shop.settings.database_url),
        "TURRET_ALERTS_PRIVATE": "1",
    }
    killed = subprocess.run([sys.executable, "-c", KILLED, "alerts.after_send"], env=environment, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert states(shop) == [("waiting", 1)] and len(receiver.got) == 1
    assert shop.run()["sent"] == 0
    shop.now = dt.datetime.now(dt.UTC)
    assert shop.run(after=(LEASE_S + 1) * SECONDS)["sent"] == 1
    first, second = (headers["webhook-id"] for _, headers, _ in receiver.got)
    assert first == second
    done = subprocess.run(
        [sys.executable, "-m", "turret_api.alerts", "shop"], env=environment, capture_output=True, check=True
    )
    assert b'"sent":0' in done.stdout.splitlines()[-1]


def test_a_message_that_cannot_be_made_holds_up_no_other(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_hook(shop, receiver)
    shop.store.add_target(shop.project_id, "slack", "chat", receiver.url)
    monkeypatch.setattr("turret_api.alerts.shapes.slack", lambda message: 1 / 0)
    looked = shop.run()
    assert (looked["sent"], looked["failed"]) == (1, 1)
    (waiting,) = shop.outbox.deliveries(shop.project_id, "waiting")
    assert waiting.error == "it could not be made: ZeroDivisionError"


def test_a_test_of_a_target_says_at_once_whether_it_arrived(shop: Shop, receiver: Receiver) -> None:
    target = shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url)
    delivering = Delivering(shop.settings, shop.accounts)
    receiver.statuses = [503, 200]
    for expected in ("dead", "sent"):
        made = shop.outbox.put_test(shop.project_id, target.target_id, shop.now)
        found = delivering.send(made, shop.now)
        assert found is not None and found.state == expected
    assert [body["type"] for body in receiver.bodies] == ["test", "test"]


def test_users_texts_are_sent_only_where_the_target_asks_for_them(shop: Shop, receiver: Receiver) -> None:
    with_hook(shop, receiver)
    shop.store.add_target(shop.project_id, "webhook", "all", receiver.url, has_texts=True)
    shop.run()
    told = {path: body for (path, _, _), body in zip(receiver.got, receiver.bodies, strict=True)}
    assert "examples" not in told["/hook?a=b"]["data"]["alerts"][0]
    assert told["/"]["data"]["alerts"][0]["examples"] == ["My card was declined."]
