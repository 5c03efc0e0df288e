"""A message as an e-mail, through the operator's mail server."""

from __future__ import annotations

import email.policy
import html
import smtplib
import ssl
import urllib.parse
from email.message import EmailMessage

from turret_api.alerts.message import Message
from turret_api.alerts.outbox import SendError
from turret_api.read.questions.digest_words import Block, spoken

TIMEOUT_S = 20.0
_HERE = ("127.0.0.1", "::1", "localhost")
_TAGS = {"title": "h2", "head": "h3", "item": "li", "line": "p"}


def mail(message: Message, sender: str, addresses: str, delivery_id: str) -> EmailMessage:
    """Return the message as an e-mail in plain words and in HTML. delivery_id: equal for all attempts."""
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"] = sender, addresses
    made["Subject"] = " ".join(message.title.split())[:200]
    made["Message-ID"] = f"<{delivery_id}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    foot: list[Block] = [("line", message.link)] if message.link else []
    made.set_content(spoken([("title", message.title), *message.blocks, *foot], "text"))
    made.add_alternative(_html(message), subtype="html")
    return made


def send_mail(made: EmailMessage, server: str) -> None:
    """Send the e-mail through the server at `server`, as `TURRET_SMTP_URL` has it; raise `SendError`.

    A password goes over TLS alone, unless the server is on this machine.
    """
    parts = urllib.parse.urlsplit(server)
    host, user, password = parts.hostname or "", parts.username, urllib.parse.unquote(parts.password or "")
    try:
        with _opened(host, parts.port, is_tls=parts.scheme == "smtps") as smtp:
            smtp.ehlo()
            is_safe = parts.scheme == "smtps"
            if not is_safe and smtp.has_extn("starttls"):
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
                is_safe = True
            if user:
                if not is_safe and host not in _HERE:
                    raise SendError(f"the mail server {host} has no TLS, so it is sent no password")
                smtp.login(urllib.parse.unquote(user), password)
            refused = smtp.send_message(made)
    except smtplib.SMTPRecipientsRefused as error:
        answers = list(error.recipients.values())
        reason = f"the mail server refused all addresses: {_words(answers[0])}"
        raise SendError(reason, is_final=all(code >= 500 for code, _ in answers)) from None
    except smtplib.SMTPAuthenticationError as error:
        raise SendError(f"the mail server refused user and password ({error.smtp_code})") from None
    except smtplib.SMTPResponseException as error:
        raise SendError(f"the mail server answered {_words((error.smtp_code, error.smtp_error))}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise SendError(f"the mail server {host} cannot be used: {error}") from None
    if refused:
        # The others have it: to send it once more would give it to them twice.
        raise SendError(f"the mail server refused {', '.join(refused)}; the others have it", is_final=True)


def _opened(host: str, port: int | None, *, is_tls: bool) -> smtplib.SMTP:
    if is_tls:
        return smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port or 587, timeout=TIMEOUT_S)


def _words(answer: tuple[int, bytes | str]) -> str:
    code, said = answer
    return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"[:200]


def _html(message: Message) -> str:
    """Return the message as HTML in which no word is markup."""
    lines, is_list = [f"<h2>{html.escape(message.title)}</h2>"], False
    for kind, words in message.blocks:
        if (kind == "item") != is_list:
            is_list = not is_list
            lines.append("<ul>" if is_list else "</ul>")
        tag = _TAGS[kind]
        lines.append(f"<{tag}>{html.escape(words)}</{tag}>")
    lines += ["</ul>"] if is_list else []
    if message.link:
        lines.append(f'<p><a href="{html.escape(message.link)}">Open in Turret</a></p>')
    return "<!doctype html>\n" + "\n".join(lines) + "\n"
