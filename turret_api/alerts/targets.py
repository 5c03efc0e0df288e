"""Where messages go: webhooks, Slack, Teams, e-mail; what an address may be, and what is shown of it."""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from dataclasses import dataclass
from typing import Literal

from turret_api.alerts.hours import DigestPlan, QuietHours
from turret_api.alerts.private import PrivateAddressError, refuse_private_literal

TargetKind = Literal["webhook", "slack", "teams", "email"]
WEBHOOK, SLACK, TEAMS, EMAIL = "webhook", "slack", "teams", "email"
MOST_ADDRESSES = 20
_MAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")


class AddressError(ValueError):
    """No message can go to an address; the message says why and what is expected."""


@dataclass(frozen=True)
class Target:
    """Where some of a project's messages go.

    address: of a hook, or e-mail addresses with commas between them. secret: what signs a webhook's messages.
    has_texts: whether messages may quote what users wrote.
    """

    target_id: str
    project_id: str
    kind: str
    name: str
    address: str
    secret: str | None
    has_texts: bool
    quiet: QuietHours | None
    digest: DigestPlan | None
    created_at: dt.datetime
    disabled_at: dt.datetime | None
    disabled_for: str | None

    @property
    def shown_address(self) -> str:
        """What people are shown of the address: whoever has a hook's whole address can write there."""
        if self.kind == EMAIL:
            return self.address
        parts = urllib.parse.urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}/…{self.address[-4:]}"


def checked_address(kind: str, address: str, *, private: bool) -> str:
    """Return the address as it is stored; raise `AddressError` where no message can go there.

    private: whether addresses of one's own network are allowed. What a name leads to is looked at with each message.
    """
    if kind == EMAIL:
        addresses = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", address))))
        if not 1 <= len(addresses) <= MOST_ADDRESSES:
            raise AddressError(f"send 1 to {MOST_ADDRESSES} e-mail addresses, with commas between them")
        for each in addresses:
            if not _MAIL.fullmatch(each) or len(each) > 254:
                raise AddressError(f"{each[:80]!r} is not an e-mail address")
        return ", ".join(addresses)
    try:
        parts = urllib.parse.urlsplit(address)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise AddressError("that is not an address; expected one like https://example.com/hook") from None
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        raise AddressError("an address has printable ASCII characters and no blanks; write others percent-encoded")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise AddressError("that is not an http(s) address; expected one like https://example.com/hook")
    if parts.username is not None or parts.password is not None:
        raise AddressError("put no user or password before the host; a webhook's messages are signed")
    if not private:
        try:
            refuse_private_literal(parts.hostname)
        except PrivateAddressError as error:
            raise AddressError(str(error)) from None
    return urllib.parse.urlunsplit(parts._replace(fragment=""))
