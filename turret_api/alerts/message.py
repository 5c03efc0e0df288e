"""What a message says, made once for all kinds of targets: as blocks of words, and as data for webhooks.

Words of users and names of topics are never markup: each target's shape sees to that. Texts that users wrote are in a
message only where its target asks for them, and are read from the lake when it is sent: none is stored with it.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turret_api.alerts.book import Alert
from turret_api.alerts.outbox import Delivery
from turret_api.read.questions.digest_words import Block

MOST_EXAMPLES = 3
MOST_TEXT = 300
"""Characters of an example."""


@dataclass(frozen=True)
class Message:
    """One message. title: in one line. blocks: what follows it. link: to the page that shows it. data: for webhooks.

    type: `alerts.found`, `digest.made` or `test`.
    """

    type: str
    title: str
    blocks: Sequence[Block]
    link: str | None
    data: Mapping[str, Any]


def alert_message(
    project: str, project_id: str, alerts: Sequence[Alert], examples: Mapping[str, Sequence[str]], url: str | None
) -> Message:
    """Return the message that tells of alerts. examples: by alert, texts of users; none: they are not asked for."""
    blocks: list[Block] = []
    for each in alerts:
        ended = " It is no longer so." if each.ended_at is not None else ""
        blocks.append(("item", f"{each.sentence}{ended} ({each.rule})"))
        blocks += [("line", f"“{shortened(text)}”") for text in examples.get(each.alert_id, ())]
    title = f"{project}: {alerts[0].rule}" if len(alerts) == 1 else f"{project}: {len(alerts)} alerts"
    data = {
        "project_id": project_id,
        "project": project,
        "alerts": [
            {
                "alert_id": each.alert_id,
                "rule_id": each.rule_id,
                "rule": each.rule,
                "kind": each.kind,
                "sentence": each.sentence,
                "found_at": each.found_at.isoformat(),
                "ended_at": None if each.ended_at is None else each.ended_at.isoformat(),
                "finding": each.finding,
                **({"examples": [shortened(text) for text in examples[each.alert_id]]} if examples else {}),
            }
            for each in alerts
        ],
    }
    return Message("alerts.found", title, blocks, page_link(url, "/alerts", project_id), data)


def digest_message(
    project: str, project_id: str, blocks: Sequence[Block], digest: Mapping[str, Any], days: int, url: str | None
) -> Message:
    """Return the message that is a digest. digest: the answer of `/v1/digest`."""
    (_, title), *rest = blocks
    data = {"project_id": project_id, "project": project, "digest": digest}
    link = page_link(url, "/digest", project_id, days=days)
    return Message("digest.made", f"{project}: {title}", rest, link, data)


def test_message(project: str, project_id: str, name: str, url: str | None) -> Message:
    """Return the message by which people see that a target is reached."""
    words = f"This is a test of the target “{name}”. Alerts of the project {project} will arrive here."
    data = {"project_id": project_id, "project": project}
    return Message("test", f"{project}: test", [("line", words)], page_link(url, "/alerts", project_id), data)


def page_link(url: str | None, page: str, project_id: str, **query: object) -> str | None:
    """Return the address of a page of the dashboard; None: it is not known where the dashboard is."""
    return None if url is None else f"{url}{page}?{urllib.parse.urlencode({'project': project_id, **query})}"


def shortened(text: str) -> str:
    """Return a text of users in one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_TEXT else f"{line[:MOST_TEXT]}…"


def payload(delivery: Delivery, message: Message, now: dt.datetime) -> dict[str, Any]:
    """Return what a webhook gets, as Standard Webhooks has it."""
    return {
        "type": message.type,
        "timestamp": now.isoformat(),
        "id": delivery.delivery_id,
        "data": {**message.data, **({"link": message.link} if message.link else {})},
    }
