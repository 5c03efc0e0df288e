"""What `turret demo` shows: with colours and a progress bar in a terminal, as plain lines anywhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from turret_api.accounts import NewProject
from turret_pipeline.settings import Settings

TOP_TOPICS = 20
TOP_MOVES = 12
PLAIN_WIDTH = 120
_ENDS = {"start": "(start)", "end": "(end)", "unassigned": "(no topic)"}


class Report:
    """The demo's words to a person."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH
        self._labels: dict[str, str] = dict(_ENDS)

    def say(self, line: str) -> None:
        """Show one line with the time of day."""
        self.console.print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {escape(line)}", soft_wrap=True)

    @contextlib.contextmanager
    def progress(self, line: str) -> Iterator[Callable[[float], None]]:
        """Show a line, and in a terminal a bar below it that follows the calls of what is yielded (0 to 1)."""
        self.say(line)
        columns = (TextColumn("         "), BarColumn(40), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            task = progress.add_task("", total=1.0)
            yield lambda share: progress.update(task, completed=share)

    def topics(self, topics: Sequence[Mapping[str, Any]]) -> None:
        """Show the largest topics with label, size, share and keywords."""
        ranked = sorted(topics, key=lambda topic: (-topic["size"], topic["label"]))
        self._labels |= {topic["topic_id"]: topic["label"] for topic in ranked}
        table = Table(title=f"Top topics ({len(ranked)} found)", **_STYLE)
        table.add_column("topic", style="bold")
        table.add_column("messages", justify="right")
        table.add_column("share", justify="right")
        table.add_column("keywords", style="dim")
        for topic in ranked[:TOP_TOPICS]:
            words = ", ".join(topic["keywords"][:5])
            table.add_row(escape(topic["label"]), f"{topic['size']:,}", f"{topic['share']:.1%}", escape(words))
        self.console.print(table)

    def fields(self, fields: Sequence[Mapping[str, Any]]) -> None:
        """Show each field's type with its confidence."""
        table = Table(title="Field types", **_STYLE)
        table.add_column("field", style="bold")
        table.add_column("type")
        table.add_column("confidence", justify="right")
        table.add_column("events", justify="right")
        for field in fields:
            table.add_row(escape(field["field"]), field["type"], f"{field['confidence']:.0%}", f"{field['n_events']:,}")
        self.console.print(table)

    def journeys(self, journeys: Mapping[str, Any]) -> None:
        """Show the most common moves between topics, then where sessions start and end."""
        edges = sorted(journeys.get("edges") or journeys["data"], key=lambda edge: -edge["count"])
        inner = [edge for edge in edges if edge["from"] != "start" and edge["to"] != "end"]
        starts = [edge for edge in edges if edge["from"] == "start"]
        ends = [edge for edge in edges if edge["to"] == "end"]
        n_sessions = sum(edge["count"] for edge in starts)
        for title, chosen in (
            (f"Top journeys ({n_sessions:,} sessions)", inner[:TOP_MOVES]),
            ("Where sessions start", starts[:3]),
            ("Where sessions end", ends[:3]),
        ):
            table = Table(title=title, **_STYLE)
            table.add_column("move", style="bold")
            table.add_column("times", justify="right")
            table.add_column("of the moves out", justify="right")
            for edge in chosen:
                move = f"{self._label(edge['from'])} → {self._label(edge['to'])}"
                table.add_row(escape(move), f"{edge['count']:,}", f"{edge['probability']:.0%}")
            self.console.print(table)

    def addresses(self, settings: Settings, url: str, dagster_url: str, project: NewProject, *, serves: bool) -> None:
        """Show where everything is, and the keys."""
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(overflow="fold", no_wrap=not self.console.is_terminal)
        rows = [
            ("Dashboard", f"{url}/sign-in#key={project.read_key}"),
            ("Dagster UI", dagster_url),
            ("Track events", f"POST {url}/track"),
            ("Write key", project.write_key),
            ("Read key", project.read_key),
            ("Admin key", project.admin_key),
            ("Data", str(settings.home)),
        ]
        for name, value in rows:
            table.add_row(name, escape(value))
        self.console.print(table)
        self.console.print()
        words = (
            "Serving until Ctrl-C."
            if serves
            else "Done; the same data is there again with `turret demo` or `turret up`."
        )
        self.console.print(words)

    def _label(self, key: str) -> str:
        return self._labels.get(key, key)


_STYLE: dict[str, Any] = {"box": SIMPLE_HEAD, "title_justify": "left", "title_style": "bold", "pad_edge": False}
