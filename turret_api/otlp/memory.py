"""What is remembered from one request to the next: turns that wait for their end, and traces that may go on.

All of it is bounded. What is forgotten costs the answer of a turn, or its session, at worst; that nothing counts twice
rests on the ids of events, not on this.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from turret_api.otlp.calls import Said

_MOST_TRACES = 10_000
_MOST_WAITING = 5_000
_MOST_CHARACTERS = 8 * 1024 * 1024
"""Traces; turns that wait, and characters of their texts. While there are more, turns become events at once."""


Whose = tuple[str | None, str | None]
"""Session and user, None where they are not known."""
_NOBODY: Whose = None, None


class Turn(msgspec.Struct, gc=False):
    """What is known of one turn of a user.

    Args:
        project_id: whose it is.
        event_id: of its event; None: the server makes one.
        session_id: None: it is not said.
        user_id: likewise.
        said: what its spans say, by their ids; what wraps its calls comes last.
        waits_until: Unix time at which it becomes an event as it is; 0: it does not wait.
        received_us: when the first of its spans was received (Unix microseconds); 0: that is now, or not known.
        version: the directory's of then; -1: of a process before this one.
    """

    project_id: str
    event_id: str | None
    session_id: str | None
    user_id: str | None
    said: dict[str, Said]
    waits_until: float = 0.0
    received_us: int = 0
    version: int = -1

    @property
    def since(self) -> tuple[int, int] | None:
        """When it began, as its event says it; None: it did not wait."""
        return (self.received_us, self.version) if self.waits_until else None

    def n_characters(self) -> int:
        """Return how long its texts are together."""
        return sum(len(each.asked.prompt or "") + len(each.answered.response or "") for each in self.said.values())


class Trace:
    """What is remembered of a trace.

    Attributes:
        parents: the parent of each span, empty of one without.
        told: spans that are in a turn.
        silent: calls without texts, whose texts log records may bring, by their spans.
    """

    __slots__ = ("parents", "silent", "told")

    def __init__(self, known: Trace | None = None) -> None:
        self.parents = {} if known is None else dict(known.parents)
        self.told = set() if known is None else set(known.told)
        self.silent = {} if known is None else dict(known.silent)

    parents: dict[str, str]
    told: set[str]
    silent: dict[str, Said]

    def close(self) -> None:
        """Forget what only matters while more may come of the trace."""
        self.parents, self.told = {}, set()

    @property
    def matters(self) -> bool:
        """Whether there is anything to remember."""
        return bool(self.told or self.silent)


class Memory:
    """Turns that wait, and traces that may go on. Event loop only."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, str], Turn] = {}
        self._of_tool: dict[tuple[str, str], tuple[str, str]] = {}
        self._of_trace: dict[tuple[str, str], set[str]] = {}
        self._traces: OrderedDict[tuple[str, str], Trace] = OrderedDict()
        self._whose: OrderedDict[tuple[str, str], Whose] = OrderedDict()
        self._n_characters = 0

    @property
    def is_full(self) -> bool:
        """Whether no further turn can wait."""
        return len(self.waiting) >= _MOST_WAITING or self._n_characters >= _MOST_CHARACTERS

    def knows(self, project_id: str) -> Callable[[str], bool]:
        """Return what tells whether a trace is remembered."""
        traces = self._traces
        return lambda trace_id: (project_id, trace_id) in traces

    def trace(self, project_id: str, trace_id: str) -> Trace | None:
        """Return what is remembered of a trace."""
        return self._traces.get((project_id, trace_id))

    def whose(self, project_id: str, trace_id: str) -> Whose:
        """Return the session and the user of a trace, None where they are not known."""
        return self._whose.get((project_id, trace_id), _NOBODY)

    def of_trace(self, project_id: str, trace_id: str) -> list[Turn]:
        """Return the turns that began in a trace and wait."""
        return [self.waiting[project_id, each] for each in self._of_trace.get((project_id, trace_id), ())]

    def of_tools(self, project_id: str, tools: Iterable[str]) -> Turn | None:
        """Return the turn that waits for the answer to one of these tool calls."""
        keys = (self._of_tool.get((project_id, each)) for each in tools)
        return next((self.waiting[key] for key in keys if key is not None), None)

    def wait(self, turn: Turn) -> None:
        """After this call `turn` waits."""
        assert turn.event_id is not None
        self.forget(turn)
        key = turn.project_id, turn.event_id
        self.waiting[key] = turn
        self._n_characters += turn.n_characters()
        self._of_trace.setdefault((turn.project_id, _trace_of(turn.event_id)), set()).add(turn.event_id)
        for each in turn.said.values():
            for tool in each.answered.tools:
                self._of_tool[turn.project_id, tool] = key

    def forget(self, turn: Turn) -> None:
        """After this call no turn of this id waits."""
        known = self.waiting.pop((turn.project_id, turn.event_id or ""), None)
        if known is None:
            return
        assert known.event_id is not None
        self._n_characters -= known.n_characters()
        place = known.project_id, _trace_of(known.event_id)
        self._of_trace[place].discard(known.event_id)
        if not self._of_trace[place]:
            del self._of_trace[place]
        key = known.project_id, known.event_id
        for each in known.said.values():
            for tool in each.answered.tools:
                if self._of_tool.get((known.project_id, tool)) == key:
                    del self._of_tool[known.project_id, tool]

    def drop(self, is_wanted: Callable[[str, str | None, str | None, str | None], bool]) -> None:
        """Forget the turns and traces that are wanted, by project, user, session and event (None: not known)."""
        for turn in list(self.waiting.values()):
            if is_wanted(turn.project_id, turn.user_id, turn.session_id, turn.event_id):
                self.forget(turn)
        for key, (session_id, user_id) in list(self._whose.items()):
            if is_wanted(key[0], user_id, session_id, None):
                del self._whose[key]
                self._traces.pop(key, None)

    def remember(self, project_id: str, traces: dict[str, Trace], whose: dict[str, Whose]) -> None:
        """After this call `traces` and `whose` they are is known; the oldest are forgotten where there are too many."""
        for trace_id, trace in traces.items():
            key = project_id, trace_id
            self._traces.pop(key, None)
            if trace.matters:
                self._traces[key] = trace
        for trace_id, pair in whose.items():
            self._whose[project_id, trace_id] = pair
        while len(self._traces) > _MOST_TRACES:
            self._traces.popitem(last=False)
        while len(self._whose) > _MOST_TRACES:
            self._whose.popitem(last=False)


def _trace_of(event_id: str) -> str:
    return event_id.partition("-")[0]
