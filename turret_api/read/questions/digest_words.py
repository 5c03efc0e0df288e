"""What the digest says, and in words: as plain text for a mail or as Markdown, both made of the same blocks."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from typing_extensions import TypedDict

from turret_api.read.engine.question import OF_TEXTS, FieldAnswer, Meaning, Spoken
from turret_api.read.questions.changes.findings import Finding
from turret_api.read.questions.notebook import Annotation, TopicNote

Block = tuple[str, str]
"""`title`, `head`, `line` or `item`, and the words, in which nothing is marked up yet."""

SIGNS = {
    "any": "met with friction",
    "rephrased": "asked again in other words",
    "repeated": "asked again",
    "correction": "corrected the app",
    "complaint": "complained",
    "gave_up": "gave up",
    "back_and_forth": "went back and forth",
    "answer_repeated": "got the same answer again",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_AT_START = re.compile(r"^(\s*)([-+]|\d+(?=[.)]))")


class Compared(TypedDict):
    """A count of the window, beside the window before."""

    now: int
    before: Annotated[int | None, Meaning("null: the data do not reach back over the whole window before")]
    change: Annotated[float | None, Meaning("0.5: half as many again; null: nothing was before")]


class DigestTopic(TypedDict):
    """One of the largest topics of the window."""

    topic_id: str
    label: str
    size: Annotated[int, Meaning("messages of the window")]
    share: Annotated[float, Meaning("of the window's messages, 0 to 1")]
    size_before: int | None
    share_before: float | None


class DigestSign(TypedDict):
    """How many sessions met with a sign of friction."""

    sign: str
    n_sessions: int
    share: float | None
    share_before: float | None


class DigestNumber(TypedDict):
    """What a number field comes to over the window's messages."""

    field: str
    sum: float
    mean: float | None
    n: Annotated[int, Meaning("messages that have a number")]
    sum_before: float | None


@dataclass(frozen=True)
class Digest(FieldAnswer, Spoken):
    """What the last whole days brought; empty while there is no complete day."""

    days: int = 0
    first_day: Annotated[dt.date | None, Meaning("of the window (UTC); null: there is no complete day yet")] = None
    last_day: Annotated[dt.date | None, Meaning("of the window, included: the last complete day of the data")] = None
    messages: Compared | None = None
    sessions: Compared | None = None
    users: Compared | None = None
    changes: Annotated[list[Finding], Meaning("those of `/v1/changes`, what matters most first"), OF_TEXTS] = (
        dataclasses.field(default_factory=list)
    )
    topics: Annotated[list[DigestTopic], Meaning("the largest first; hidden ones are among `n_other`")] = (
        dataclasses.field(default_factory=list)
    )
    n_other: Annotated[int, Meaning("messages of further topics")] = 0
    n_unassigned: Annotated[int, Meaning("messages without a topic")] = 0
    friction: Annotated[list[DigestSign], Meaning("any sign, then those that the most sessions met with"), OF_TEXTS] = (
        dataclasses.field(default_factory=list)
    )
    numbers: Annotated[list[DigestNumber], Meaning("cost and tokens first"), OF_TEXTS] = dataclasses.field(
        default_factory=list
    )
    annotations: Annotated[list[Annotation], Meaning("of days of the window")] = dataclasses.field(default_factory=list)
    notes: Annotated[list[TopicNote], Meaning("written in the window, or since"), OF_TEXTS] = dataclasses.field(
        default_factory=list
    )

    def words(self, form: str) -> str:
        """Return the digest as `text` or `markdown`."""
        return spoken(digest_blocks(self), form)


def spoken(blocks: Iterable[Block], form: str) -> str:
    """Return the blocks as `markdown`, in which no word of a user is read as markup, or as plain `text`."""
    lines: list[str] = []
    last = ""
    for kind, words in blocks:
        line = " ".join(words.split())
        if form == "markdown":
            line = _AT_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line))
            line = {"title": "# ", "head": "## ", "item": "- "}.get(kind, "") + line
        elif kind == "item":
            line = f"- {line}"
        if lines and not kind == last == "item":
            lines.append("")
        lines.append(line)
        if form == "text" and kind in ("title", "head"):
            lines.append(("=" if kind == "title" else "-") * len(line))
        last = kind
    return "\n".join(lines) + "\n"


def digest_blocks(digest: Digest) -> Iterator[Block]:
    """Yield what is to be said of the digest, in order."""
    if digest.first_day is None or digest.last_day is None:
        yield "title", "Digest"
        yield "line", "There is no complete day of messages yet."
        return
    yield "title", f"{_day(digest.first_day)} to {_day(digest.last_day)} {digest.last_day.year}"
    counts = (("messages", digest.messages), ("sessions", digest.sessions), ("users", digest.users))
    yield "line", f"{', '.join(_counted(name, each) for name, each in counts if each)}, in the field {digest.field}."
    if digest.messages and digest.messages["before"] is None:
        yield "line", f"The {digest.days} days before are not whole in the data, so nothing is compared with them."
    is_compared = digest.messages is not None and digest.messages["before"] is not None
    quiet = "Nothing changed beyond chance." if is_compared else None
    yield from _section("What changed", (each["sentence"] for each in digest.changes), quiet)
    yield from _section("Top topics", _topics(digest), "No topics yet.")
    yield from _section("Friction", _friction(digest), "No session met with friction.")
    yield from _section("Numbers", _numbers(digest))
    yield from _section("What happened", _annotations(digest))
    yield from _section("Notes", (f"{each['text']} ({each['author'] or 'unnamed key'})" for each in digest.notes))


def _section(title: str, items: Iterable[str], otherwise: str | None = None) -> Iterator[Block]:
    found = list(items)
    if found or otherwise:
        yield "head", title
    yield from (("item", each) for each in found)
    if not found and otherwise:
        yield "line", otherwise


def _topics(digest: Digest) -> Iterator[str]:
    for each in digest.topics:
        before = "" if each["share_before"] is None else f", before {_percent(each['share_before'])}"
        yield f"{each['label']}: {each['size']:,} messages, {_percent(each['share'])}{before}"
    if digest.topics:
        yield f"Other topics: {digest.n_other:,}; without a topic: {digest.n_unassigned:,}"


def _friction(digest: Digest) -> Iterator[str]:
    for each in digest.friction:
        if each["n_sessions"]:
            before = "" if each["share_before"] is None else f", before {_percent(each['share_before'])}"
            words = SIGNS.get(each["sign"], each["sign"])
            yield f"{each['n_sessions']:,} sessions {words}: {_percent(each['share'])}{before}"


def _numbers(digest: Digest) -> Iterator[str]:
    for each in digest.numbers:
        before = each["sum_before"]
        change = f" ({_change((each['sum'] - before) / before)})" if before else ""
        mean = "" if each["mean"] is None else f", {_measure(each['mean'])} a message"
        yield f"{each['field']}: {_measure(each['sum'])} in all{change}{mean}"


def _annotations(digest: Digest) -> Iterator[str]:
    for each in digest.annotations:
        days = _day(each["date"]) if each["until"] is None else f"{_day(each['date'])} to {_day(each['until'])}"
        yield f"{days}: {'release, ' if each['kind'] else ''}{each['text']}"


def _counted(name: str, count: Compared) -> str:
    return f"{count['now']:,} {name}" + ("" if count["change"] is None else f" ({_change(count['change'])})")


def _change(share: float | None) -> str:
    return "-" if share is None else f"{share:+.0%}" if round(share, 2) else "as before"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _measure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


def _day(date: dt.date) -> str:
    return f"{date.day} {date:%b}"
