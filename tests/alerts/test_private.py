"""No message goes to an address that is not public, however it is written and whatever a name leads to."""

from __future__ import annotations

import dataclasses
import socket
from typing import Any

import pytest

from tests.alerts.conftest import Receiver, Shop
from turret_api.alerts.outbox import SendError
from turret_api.alerts.post import post
from turret_api.alerts.private import is_public
from turret_api.alerts.rules import Filters
from turret_api.alerts.targets import AddressError, checked_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("127.255.255.254", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.32.0.1", True),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:1.1.1.1", True),
        ("::7f00:1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::101:101", True),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::1", False),
        ("2001:0:7f00:1::", False),
        ("2001:db8::1", False),
        ("nonsense", False),
    ],
)
def test_an_address_is_public_or_not(address: str, expected: bool) -> None:
    assert is_public(address) is expected


PRIVATE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[fe80::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "https://10.1.2.3:8443/",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_written_as_a_private_address_is_refused_at_once_and_when_sent(address: str) -> None:
    with pytest.raises(AddressError, match="TURRET_ALERTS_PRIVATE=1"):
        checked_address("webhook", address, private=False)
    assert checked_address("webhook", address, private=True)
    with pytest.raises(SendError) as caught:
        post(address, b"{}", {}, private=False)
    assert caught.value.is_final or "cannot be reached" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "http://",
        "http:///path",
        "http://user:pw@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://exa mple.com/",
        "http://example.com/\r\nX-Header: a",
        "http://example.com\\@127.0.0.1/",
        "http://exämple.com/",
        "http://[::1",
        "",
    ],
)
def test_what_is_no_address_of_a_hook_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        checked_address("slack", address, private=True)


@pytest.mark.parametrize(
    "address", ["", "a", "a@b", "a@b.c, not one", "a@b.c\nBcc: d@e.f", "@b.c", "a b@c.d", "<a@b.c>"]
)
def test_what_is_no_address_of_e_mail_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        checked_address("email", address, private=False)


def test_addresses_of_e_mail_may_have_any_separator() -> None:
    assert checked_address("email", "a@b.example; c+d@e.example\na@b.example", private=False) == (
        "a@b.example, c+d@e.example"
    )


def leading(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let names lead to these addresses, one after the other at each look; return the names that are looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any, **named: Any) -> Any:
        asked.append(host)
        return real(addresses.pop(0) if len(addresses) > 1 else addresses[0], port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_that_leads_to_a_private_address_is_refused_and_given_up_at_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading(["127.0.0.1"], monkeypatch)
    port = receiver.server_address[1]
    with pytest.raises(SendError, match=r"hook\.example leads to 127\.0\.0\.1, not a public address") as caught:
        post(f"http://hook.example:{port}/", b"{}", {}, private=False)
    assert caught.value.is_final and receiver.got == []


def test_a_name_is_looked_up_once_so_that_it_cannot_lead_elsewhere_a_moment_later(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = leading(["127.0.0.1", "192.0.2.1"], monkeypatch)
    post(f"http://hook.example:{receiver.server_address[1]}/", b"{}", {}, private=True)
    assert asked == ["hook.example"] and receiver.got[0][1]["Host"].startswith("hook.example:")


def test_a_target_at_a_private_address_ends_in_a_dead_letter_where_that_is_not_allowed(
    shop: Shop, receiver: Receiver
) -> None:
    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url)
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    shop.settings = dataclasses.replace(shop.settings, alerts_private=False)
    assert shop.run()["dead"] == 1 and receiver.got == []
    (dead,) = shop.outbox.deliveries(shop.project_id, "dead")
    assert dead.error == "127.0.0.1 is not a public address; the operator may allow it with TURRET_ALERTS_PRIVATE=1"


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    post(receiver.url, b"{}", {}, private=True)
    assert len(receiver.got) == 1
