"""From the calls of a request to events, one for each turn of a user.

An agent calls its model several times for one turn, and what wraps the calls says the same once more. The calls of a
turn are those of one trace with the same newest turn of the user behind as many others, and those that answer a tool
call of the turn. Its event has the id `TRACE-TURN`, the latter a checksum of that turn, so the same span sent again, or
another call of the turn that comes when the event is stored, is a duplicate.

The calls of a turn may come in several requests. One that ends in tool calls is no end, so its turn waits, and so do
messages in log records whose span has not come:

    a call ──it calls tools──▶ waits ──a call that answers──────────▶ an event
       │                         ├──what wraps it, or its trace, ends─▶ an event
       │                         └──`WAIT_S` are over────────────────▶ an event
       └──it answers──▶ an event

`plan` looks at the memory and changes nothing; what it returns is noted there once the events are stored.
"""

from __future__ import annotations

import time
import zlib
from typing import NamedTuple

import msgspec

from turret_api.otlp.calls import CALL, SCORES, WRAPPER, Said
from turret_api.otlp.memory import Memory, Trace, Turn, Whose
from turret_api.otlp.wire import Span

WAIT_S = 60.0
"""Seconds that a turn waits for the call that goes on."""
SPAN_WAIT_S = 15.0
"""Seconds that messages in log records wait for their span, which has the model and the tokens."""
_MOST_SPANS = 1_000
"""Spans of a trace whose parents are remembered."""
_MOST_STEPS = 100


class Plan(NamedTuple):
    """What becomes of a request.

    Args:
        events: turns that are to be stored.
        waiting: turns that wait for more.
        n_silent: calls of models without any text.
        traces: what is to be remembered of each trace.
        whose: session and user of each trace.
    """

    events: list[Turn]
    waiting: list[Turn]
    n_silent: int
    traces: dict[str, Trace]
    whose: dict[str, Whose]


def plan(
    memory: Memory, project_id: str, spans: list[Span], said: list[Said], received: tuple[int, int] = (0, -1)
) -> Plan:
    """Return what becomes of a request's spans: of what they say, `said` is what `alone` leaves.

    received: when it came (Unix microseconds), and the directory's version of then.
    """
    if not said and not memory.waiting:
        return Plan([], [], 0, {}, {})
    planning = _Planning(memory, project_id, spans, said)
    for each in sorted(said, key=_order):
        if each.kind == CALL:
            planning.add(each)
        elif each.kind == SCORES:
            planning.score(each)
        elif each.asked.prompt is not None:
            planning.wrap(each)
    if planning.open or memory.waiting:
        for span in spans:
            if span.is_entry:
                planning.end(span)
    return planning.result(spans, received)


def alone(
    memory: Memory, project_id: str, spans: list[Span], said: list[Said]
) -> tuple[list[Turn], dict[str, Whose], list[Said]]:
    """Return the turns of calls that are all of their trace and its end, whose they are, and what else is said.

    Most calls are of this kind, and nothing has to be looked up for them.
    """
    n_spans: dict[str, int] = {}
    ends = set()
    for span in spans:
        n_spans[span.trace_id] = n_spans.get(span.trace_id, 0) + 1
        if span.is_entry:
            ends.add(span.trace_id)
    is_known = memory.knows(project_id)
    turns: list[Turn] = []
    whose: dict[str, Whose] = {}
    others: list[Said] = []
    for each in said:
        trace_id, given, gave = each.trace_id, each.asked, each.answered
        if (
            each.kind != CALL
            or n_spans[trace_id] > 1
            or trace_id not in ends
            or given.prompt is None
            or given.tools
            or gave.calls_tools
            or is_known(trace_id)
        ):
            others.append(each)
            continue
        session_id, user_id = each.about.get("session"), each.about.get("user")
        if session_id is not None:
            whose[trace_id] = session_id, user_id
        said_by_span = {each.span_id: each}
        turns.append(Turn(project_id, event_id_of(each), session_id or trace_id, user_id, said_by_span))
    return turns, whose, others


class _Planning:
    """The turns of one request while they are gathered."""

    def __init__(self, memory: Memory, project_id: str, spans: list[Span], said: list[Said]) -> None:
        self._memory = memory
        self._project_id = project_id
        self._traces: dict[str, Trace] = {}
        self._whose: dict[str, Whose] = {}
        self._turns: dict[str, Turn] = {}
        self._alone: list[Turn] = []
        self._of_tool: dict[str, Turn] = {}
        self._of_span: dict[tuple[str, str], Turn] = {}
        self._above: dict[str, set[str]] = {}
        self._broken: set[str] = set()
        self._n_silent = 0
        self.open: dict[str, float] = {}
        """Ids of turns that wait, and for how many seconds."""
        for each in said:
            self._note(each)
        for span in spans:
            trace = self._traces.get(span.trace_id)
            if trace is not None and span.is_whole and len(trace.parents) < _MOST_SPANS:
                trace.parents[span.span_id] = "" if span.is_entry else span.parent_id

    def _note(self, said: Said) -> None:
        trace = self._traces.get(said.trace_id)
        if trace is None:
            known = self._memory.trace(self._project_id, said.trace_id)
            trace = self._traces[said.trace_id] = Trace(known)
            if self._memory.waiting:
                self._recall(said.trace_id)
            self._whose[said.trace_id] = self._memory.whose(self._project_id, said.trace_id)
        if said.about:
            session_id, user_id = self._whose[said.trace_id]
            self._whose[said.trace_id] = (
                session_id or said.about.get("session"),
                user_id or said.about.get("user"),
            )

    def add(self, call: Said) -> None:
        """Put a call into its turn."""
        trace = self._traces[call.trace_id]
        if call.asked.prompt is None and call.answered.response is None:
            turn = self._of_span.get((call.trace_id, call.span_id)) or self._by_tools(call)
            if turn is None:
                if len(trace.silent) < _MOST_SPANS:
                    trace.silent[call.span_id] = call
                self._n_silent += 1
                return
            call = _joined(turn.said.get(call.span_id, call), call)
        elif not call.is_whole and call.span_id in trace.silent:
            call = _joined(call, trace.silent.pop(call.span_id))
            turn = self._turn_of(call)
        else:
            turn = self._turn_of(call)
        if turn.event_id is None:
            return
        turn.said[call.span_id] = call
        self._tell(trace, call)
        self._of_span[call.trace_id, call.span_id] = turn
        for tool in call.answered.tools:
            self._of_tool[tool] = turn
        self._judge(turn)

    def _judge(self, turn: Turn) -> None:
        """Note whether a turn waits, and for how long."""
        assert turn.event_id is not None
        last = max(turn.said.values(), key=_start)
        if last.answered.calls_tools and "error" not in last.fields:
            self.open[turn.event_id] = WAIT_S
        elif not last.is_whole and "model" not in last.fields:
            self.open[turn.event_id] = SPAN_WAIT_S
        else:
            self.open.pop(turn.event_id, None)

    def score(self, said: Said) -> None:
        """Put scores into the turn of their span; where that is not at hand they are an event of their own."""
        turn = self._of_span.get((said.trace_id, said.span_id))
        if turn is None:
            turn = self._turn_of(said)
            if turn.event_id is not None:
                turn.said[said.span_id] = said
        else:
            call = turn.said[said.span_id]
            turn.said[said.span_id] = msgspec.structs.replace(call, fields=said.fields | call.fields)

    def wrap(self, wrapper: Said) -> None:
        """Let what wraps calls end their turns; where it wraps none, and nothing wraps it, it is a turn itself."""
        trace = self._traces[wrapper.trace_id]
        if wrapper.trace_id not in self._above:
            self._above[wrapper.trace_id] = set()
            for each in trace.told:
                self._climb(wrapper.trace_id, each)
        if wrapper.span_id not in self._above[wrapper.trace_id] and wrapper.trace_id not in self._broken:
            if not self._is_wrapped(wrapper):
                turn = self._turn_of(wrapper)
                turn.said[wrapper.span_id] = wrapper
                self._tell(trace, wrapper)
                self._climb(wrapper.trace_id, wrapper.span_id)
            return
        for event_id in list(self.open):
            turn = self._turns[event_id]
            if any(_is_beneath(each, wrapper.span_id, trace.parents) for each in turn.said):
                turn.said[wrapper.span_id] = wrapper
                del self.open[event_id]

    def _tell(self, trace: Trace, said: Said) -> None:
        if len(trace.told) < _MOST_SPANS:
            trace.told.add(said.span_id)

    def _climb(self, trace_id: str, span_id: str) -> None:
        """Note what lies above a span that is in a turn; where a parent is not known, all may."""
        above, parents = self._above[trace_id], self._traces[trace_id].parents
        at = span_id
        while True:
            if at not in parents:
                self._broken.add(trace_id)
                return
            at = parents[at]
            if not at or at in above:
                return
            above.add(at)

    def _is_wrapped(self, wrapper: Said) -> bool:
        """Tell whether something that is a turn lies above a span."""
        trace = self._traces[wrapper.trace_id]
        at = wrapper.span_id
        for _ in range(_MOST_STEPS):
            at = trace.parents.get(at, "")
            if not at or at in trace.told:
                return bool(at)
        return False

    def end(self, entry: Span) -> None:
        """Let the end of a trace end its turns, but for one whose call is the trace."""
        self._recall(entry.trace_id)
        for event_id, wait_s in list(self.open.items()):
            is_of_trace = event_id.startswith(entry.trace_id)
            if is_of_trace and wait_s == WAIT_S and entry.span_id not in self._turns[event_id].said:
                del self.open[event_id]

    def result(self, spans: list[Span], received: tuple[int, int]) -> Plan:
        """Return the plan. received: when the request came."""
        now_s = time.time()
        events, waiting = self._alone, []
        can_wait = not self._memory.is_full
        for event_id, turn in self._turns.items():
            wait_s = self.open.get(event_id)
            if wait_s is None or not can_wait:
                events.append(turn)
            else:
                if not turn.waits_until:
                    turn.waits_until = now_s + wait_s
                    turn.received_us, turn.version = received
                waiting.append(turn)
        for span in spans:
            if span.is_entry and span.trace_id in self._traces:
                self._traces[span.trace_id].close()
        whose = {trace_id: pair for trace_id, pair in self._whose.items() if trace_id and pair != (None, None)}
        return Plan(events, waiting, self._n_silent, self._traces, whose)

    def _turn_of(self, said: Said) -> Turn:
        """Return the turn that a span belongs to, with what was known of it before."""
        session_id, user_id = said.about.get("session"), said.about.get("user")
        of_trace, user_of_trace = self._whose[said.trace_id]
        session_id, user_id = session_id or of_trace, user_id or user_of_trace
        if not said.trace_id or not said.span_id:
            turn = Turn(self._project_id, None, session_id or said.trace_id or None, user_id, {"": said})
            self._alone.append(turn)
            return turn
        by_tools = self._by_tools(said)
        if by_tools is not None:
            return by_tools
        event_id = event_id_of(said)
        found = self._turns.get(event_id)
        if found is None:
            found = self._turns[event_id] = Turn(self._project_id, event_id, session_id or said.trace_id, user_id, {})
        return found

    def _by_tools(self, said: Said) -> Turn | None:
        """Return the turn that goes on with the results of tools that a call was given."""
        for tool in said.asked.tools:
            if tool in self._of_tool:
                return self._of_tool[tool]
        waiting = self._memory.of_tools(self._project_id, said.asked.tools) if said.asked.tools else None
        return None if waiting is None else self._taken(waiting)

    def _taken(self, waiting: Turn) -> Turn:
        """Return a copy of a turn that waits, which is one of this request's from now on."""
        assert waiting.event_id is not None
        turn = self._turns.get(waiting.event_id)
        if turn is None:
            turn = msgspec.structs.replace(waiting, said=dict(waiting.said))
            self._turns[waiting.event_id] = turn
            for each in turn.said.values():
                self._of_span[each.trace_id, each.span_id] = turn
                for tool in each.answered.tools:
                    self._of_tool[tool] = turn
            self._judge(turn)
        return turn

    def _recall(self, trace_id: str) -> None:
        """Take up the turns of a trace that wait."""
        for turn in self._memory.of_trace(self._project_id, trace_id):
            self._taken(turn)


def event_id_of(said: Said) -> str:
    """Return the id of the event that a span becomes: of its trace and turn, or of the span where none is said."""
    prompt = said.asked.prompt
    if said.kind == SCORES:
        names = sorted(each for each in said.fields if each.startswith("score_"))
        return f"{said.trace_id}-{said.span_id}-{_sum_of(' '.join(names), 0)}"
    return f"{said.trace_id}-{said.span_id if prompt is None else _sum_of(prompt, said.asked.n_turns)}"


def _sum_of(text: str, number: int) -> str:
    """Return 8 digits that tell the few turns of a trace apart."""
    return f"{zlib.crc32(text.encode('utf-8', 'replace'), number):08x}"


def _joined(texts: Said, span: Said) -> Said:
    """Return the texts that log records have, with what the span of the call says."""
    return msgspec.structs.replace(
        span,
        asked=texts.asked,
        answered=texts.answered,
        about=span.about | texts.about,
        fields=span.fields | texts.fields,
    )


def _is_beneath(span_id: str, top: str, parents: dict[str, str]) -> bool:
    """Tell whether a span lies beneath another; also where a parent between them is not known."""
    at = span_id
    for _ in range(_MOST_STEPS):
        if at not in parents:
            return at != top
        at = parents[at]
        if at == top:
            return True
        if not at:
            return False
    return True


def _start(said: Said) -> int:
    return said.start_us


def _order(said: Said) -> tuple[int, int]:
    """Calls first, in order of time, then what wraps them, the outermost first, then scores."""
    return (0 if said.kind == CALL else 1 if said.kind == WRAPPER else 2), said.start_us
