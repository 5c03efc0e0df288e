"""A message in the shapes that Slack and Teams take.

Words are plain text there, in elements in which nothing is markup: a topic that is called `<!channel>` or
`[here](https://…)` calls and links nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turret_api.alerts.message import Message

SLACK_TITLE, SLACK_TEXT, SLACK_BLOCKS = 150, 3000, 48
"""Characters of a header and of a section, and blocks, that Slack takes; two blocks are left for title and link."""
TEAMS_TEXT = 20_000
"""Characters of a message, which with its shape is to stay below the 28 KB that Teams takes."""


def slack(message: Message) -> dict[str, Any]:
    """Return the message for an incoming webhook of Slack (Block Kit)."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _slack_plain(message.title, SLACK_TITLE)}]
    sections = list(_paragraphs(message))
    blocks += [{"type": "section", "text": _slack_plain(text, SLACK_TEXT)} for text in sections[:SLACK_BLOCKS]]
    if message.link:
        link = f"<{_slack_escaped(message.link)}|Open in Turret>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]})
    # What notifications show; Slack reads marks in it, so it is escaped.
    return {"text": _slack_escaped(message.title), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _slack_plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _slack_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(message: Message) -> dict[str, Any]:
    """Return the message for a webhook of a Teams workflow: an Adaptive Card."""
    body: list[dict[str, Any]] = [_teams_run(message.title, size="Large", weight="Bolder")]
    left = TEAMS_TEXT
    for kind, words in message.blocks:
        text = _cut(f"• {words}" if kind == "item" else words, left)
        body.append(_teams_run(text, weight="Bolder") if kind in ("title", "head") else _teams_run(text))
        left -= len(text)
        if left <= 0:
            break
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Turret", "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _teams_run(text: str, **style: str) -> dict[str, Any]:
    # A `TextBlock` would read Markdown; a run of a `RichTextBlock` reads none.
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _paragraphs(message: Message) -> Iterator[str]:
    """Yield a message's blocks, a heading with the items below it as one."""
    lines: list[str] = []
    for kind, words in message.blocks:
        line = f"• {words}" if kind == "item" else words
        if lines and (kind in ("title", "head") or sum(map(len, lines)) + len(lines) + len(line) > SLACK_TEXT):
            yield "\n".join(lines)
            lines = []
        lines.append(line)
    if lines:
        yield "\n".join(lines)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(most - 1, 0)]}…"
