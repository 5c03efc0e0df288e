"""Slack, Teams and e-mail: their shapes, their limits, and that no word of a user is markup in them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import email
import email.policy
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import orjson
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.alerts.conftest import NOW, Receiver, Shop
from tests.ports import free_ports
from turret_api.alerts.book import Alert
from turret_api.alerts.mail import mail, send_mail
from turret_api.alerts.message import Message, alert_message
from turret_api.alerts.outbox import SendError
from turret_api.alerts.rules import Filters
from turret_api.alerts.shapes import slack, teams

HOSTILE = [
    "<!channel> look",
    "<@U123> & <https://evil.example|click>",
    "[click](https://evil.example) **bold**",
    "<script>alert(1)</script>",
    "a\r\nBcc: x@evil.example",
    "*_~`>",
    "\u202egnp.exe",
    "<at>everyone</at>",
]


def alert(number: int, sentence: str, rule: str = "New topic") -> Alert:
    return Alert(
        f"a{number}", "shop", "r1", rule, "new_topic", f"s{number}", sentence, {"kind": "topic"}, NOW, NOW, None
    )


def message(*sentences: str, project: str = "Shop", examples: list[str] | None = None) -> Message:
    alerts = [alert(number, sentence) for number, sentence in enumerate(sentences)]
    given = {"a0": examples} if examples else {}
    return alert_message(project, "shop", alerts, given, "https://turret.example")


def test_slack_gets_a_header_sections_of_plain_text_and_a_link() -> None:
    assert slack(message("“Cards” is new: 4% of sessions, 0% before.", examples=["card declined"])) == {
        "text": "Shop: New topic",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Shop: New topic", "emoji": False}},
            {
                "type": "section",
                "text": {
                    "type": "plain_text",
                    "text": "• “Cards” is new: 4% of sessions, 0% before. (New topic)\n“card declined”",
                    "emoji": False,
                },
            },
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": "<https://turret.example/alerts?project=shop|Open in Turret>"}],
            },
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def test_teams_gets_an_adaptive_card_of_plain_runs_and_a_link() -> None:
    (attachment,) = teams(message("“Cards” is new."))["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [run["inlines"][0]["text"] for run in card["body"]] == ["Shop: New topic", "• “Cards” is new. (New topic)"]
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open in Turret", "url": "https://turret.example/alerts?project=shop"}
    ]


def texts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each object of a JSON value that has words."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("words", HOSTILE)
def test_no_word_of_a_user_is_markup_anywhere(words: str) -> None:
    made = message(f"“{words}” is new.", project=words, examples=[words])
    marked = [each for each in texts(slack(made)) if each.get("type") != "plain_text"]
    assert all("<!" not in each["text"] and "<@" not in each["text"] for each in marked)
    assert all("<https://evil" not in each["text"] for each in marked)
    assert {each["type"] for each in texts(teams(made))} == {"TextRun"}
    sent = mail(made, "turret@shop.example", "a@b.example", "msg_1")
    assert sent["Bcc"] is None and len(sent.get_all("Subject")) == 1
    html = sent.get_body(("html",))
    assert html is not None
    content = html.get_content()
    assert "<script" not in content and "<at>" not in content and "<https" not in content
    assert email.message_from_bytes(sent.as_bytes(), policy=email.policy.default)["To"] == "a@b.example"


def test_a_message_of_many_and_long_words_keeps_within_the_limits() -> None:
    made = message(*(f"“{'word ' * 200}{number}” is new." for number in range(200)), project="p" * 200)
    blocks = slack(made)["blocks"]
    assert len(blocks) <= 50
    assert all(len(block["text"]["text"]) <= (150 if block["type"] == "header" else 3000) for block in blocks[:-1])
    assert len(orjson.dumps(teams(made))) < 28_000


class Mailbox:
    """Keeps what a mail server is sent; refuses addresses that begin with `no`."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address.startswith("no"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        made = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(made, EmailMessage)
        self.got.append((envelope.rcpt_tos, made))
        return "250 OK"


def knows(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"shop", b"p/w:1"), handled=False)


@contextlib.contextmanager
def mail_server(**how: Any) -> Iterator[tuple[Mailbox, int]]:
    box, (port,) = Mailbox(), free_ports(1)
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=60, **how)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def test_an_alert_is_sent_by_mail_in_plain_words_and_html(shop: Shop) -> None:
    shop.store.add_target(shop.project_id, "email", "mail", "a@b.example, c@d.example")
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    assert shop.run()["failed"] == 1
    assert "TURRET_SMTP_URL" in str(shop.outbox.deliveries(shop.project_id)[0].error)
    with mail_server() as (box, port):
        url = f"smtp://127.0.0.1:{port}"
        shop.settings = dataclasses.replace(shop.settings, smtp_url=url, smtp_from="turret@shop.example")
        assert shop.run(after=dt.timedelta(minutes=1))["sent"] == 1
    ((recipients, sent),) = box.got
    assert recipients == ["a@b.example", "c@d.example"]
    assert (sent["From"], sent["Subject"]) == ("turret@shop.example", "shop: New")
    assert sent["Message-ID"].startswith("<msg_") and sent["Auto-Submitted"] == "auto-generated"
    plain, html = (sent.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    sentence = "“Declined cards” is new: 50% of sessions, 0% before."
    assert sentence in plain.get_content() and sentence in html.get_content()


MADE = mail(message("“Cards” is new."), "turret@shop.example", "a@b.example", "msg_1")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_server_that_wants_a_password_gets_it_and_a_wrong_one_is_said() -> None:
    with mail_server(authenticator=knows, auth_required=True, auth_require_tls=False) as (box, port):
        send_mail(MADE, f"smtp://shop:p%2Fw%3A1@127.0.0.1:{port}")
        assert len(box.got) == 1
        with pytest.raises(SendError, match=r"refused user and password \(535\)") as wrong:
            send_mail(MADE, f"smtp://shop:wrong@127.0.0.1:{port}")
        assert not wrong.value.is_final and "wrong" not in str(wrong.value)
        with pytest.raises(SendError, match="530"):
            send_mail(MADE, f"smtp://127.0.0.1:{port}")


def test_a_password_goes_to_another_machine_over_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turret_api.alerts.mail._HERE", ())
    with (
        mail_server(authenticator=knows, auth_require_tls=False) as (box, port),
        pytest.raises(SendError, match="has no TLS, so it is sent no password"),
    ):
        send_mail(MADE, f"smtp://shop:p%2Fw%3A1@127.0.0.1:{port}")
    assert box.got == []


def test_addresses_that_are_refused_are_said_and_not_tried_again() -> None:
    with mail_server() as (box, port):
        none = mail(message("x"), "turret@shop.example", "no@b.example", "msg_1")
        some = mail(message("x"), "turret@shop.example", "no@b.example, yes@b.example", "msg_2")
        for made, words in ((none, "refused all addresses: 550"), (some, "refused no@b.example; the others have it")):
            with pytest.raises(SendError, match=words) as caught:
                send_mail(made, f"smtp://127.0.0.1:{port}")
            assert caught.value.is_final
    assert [recipients for recipients, _ in box.got] == [["yes@b.example"]]


@pytest.mark.parametrize("is_implicit", [True, False])
def test_tls_is_used_where_the_server_has_it_and_its_certificate_is_checked(
    is_implicit: bool, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    how = {"ssl_context" if is_implicit else "tls_context": context, "auth_require_tls": not is_implicit}
    with mail_server(authenticator=knows, **how) as (box, port):
        url = f"{'smtps' if is_implicit else 'smtp'}://shop:p%2Fw%3A1@127.0.0.1:{port}"
        with pytest.raises(SendError, match="certificate verify failed"):
            send_mail(MADE, url)
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        send_mail(MADE, url)
    assert len(box.got) == 1


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(SendError, match="cannot be used") as caught:
        send_mail(MADE, f"smtp://127.0.0.1:{free_ports(1)[0]}")
    assert not caught.value.is_final


def test_slack_and_teams_are_posted_their_shapes(shop: Shop, receiver: Receiver) -> None:
    for kind in ("slack", "teams"):
        shop.store.add_target(shop.project_id, kind, kind, f"{receiver.url}/{kind}")
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    assert shop.run()["sent"] == 2
    told = {path: body for (path, _, _), body in zip(receiver.got, receiver.bodies, strict=True)}
    assert told["/slack"]["text"] == "shop: New" and told["/teams"]["type"] == "message"
