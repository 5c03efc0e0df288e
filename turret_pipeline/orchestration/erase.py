"""`python -m turret_pipeline.orchestration.erase STEP`: what erasures do in the lake, before and after a build.

    find     what would go; nothing is written
    remove   what goes is written down, and leaves raw events, the table `events`, and what people wrote
    forget   once a build has brought the other tables there: nothing is left of it, nor in any history
    discard  what was written down goes

All erasures of a project that wait go together, so that one build serves them all. What is erased comes on stdin as
JSON (`Asked`), for a command line can be seen by all; what was found or done goes to stdout as one JSON object. Exits
with `CANNOT` and a reason on stderr where the lake is damaged or away, and with 1 where something went wrong that
nobody foresaw. `turret_api.erasing` calls it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.lake.oblivion import forget_histories
from turret_pipeline.lake.paths import Lake
from turret_pipeline.retention.strip import strip_events
from turret_pipeline.semantics.selection import Selection
from turret_pipeline.settings import Settings
from turret_pipeline.stages.erasure import gathering
from turret_pipeline.stages.erasure.gathering import Gathered
from turret_pipeline.stages.erasure.raw import remove_leftovers, remove_raw_events, rename_imports
from turret_pipeline.stages.erasure.remains import remains
from turret_pipeline.stages.erasure.removal import remember_no_more, remove_events, remove_quotes
from turret_pipeline.stages.erasure.together import Together

CANNOT = 4


class Named(msgspec.Struct, frozen=True):
    """What one erasure is to take away: what `kind` and `value` select (`semantics.selection`).

    value: "": the list in the lake says it. forms: what stands for the id where ids are masked. keep_totals: whether
    the events go on to count, without texts and ids (`retention`).
    """

    erasure_id: str
    kind: str
    value: str
    forms: tuple[str, ...] = ()
    keep_totals: bool = False

    @property
    def selection(self) -> Selection:
        """Which events it is about."""
        return Selection(self.kind, self.value, self.forms)


class Asked(msgspec.Struct, frozen=True):
    """The erasures of a project that are performed together."""

    project_id: str
    erasures: tuple[Named, ...]


class Done(msgspec.Struct, frozen=True):
    """What was done in one place. n: how many of what `what` counts."""

    place: str
    what: str
    n: int


def find(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Return what would go."""
    wanted = {each.erasure_id: each.selection for each in asked.erasures}
    return {"gathered": [_told(each) for each in gathering.find(lake, asked.project_id, wanted)]}


def remove(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Take out what is erased; the same again does what is left to do.

    With `keep_totals` the tables must be up to date. An event of which one erasure keeps the totals goes all the same
    where another takes it away. What is done is told by erasure where it can be, else for all of them.
    """
    found = gathering.gather(lake, asked.project_id, {each.erasure_id: each.selection for each in asked.erasures})
    counting = {each.erasure_id for each in asked.erasures if each.keep_totals}
    counted = Together(asked.project_id, (each for each in found if each.erasure_id in counting))
    going = Together(asked.project_id, (each for each in found if each.erasure_id not in counting))
    shared = _stripped(lake, counted, going) if counted.erasures else []
    own = _removed(lake, going)
    n_left = remove_leftovers(lake, asked.project_id)
    shared.append(Done("what was set aside as damaged", "folders, and parts that were never finished", n_left))
    both = Together(asked.project_id, found)
    shared.append(Done("imports", "names of files that were replaced", rename_imports(lake, both)))
    quotes = remove_quotes(lake, both)
    shared += [Done(f"table {name}", "rows of people that quoted it", n) for name, n in quotes.items() if n]
    return {
        "gathered": [_told(each) for each in found],
        "own": msgspec.to_builtins(own),
        "shared": msgspec.to_builtins(shared),
    }


def _removed(lake: Lake, going: Together) -> dict[str, list[Done]]:
    """Take the events out; return by erasure what was done."""
    n_raw, n_events = remove_raw_events(lake, going), remove_events(lake, going)
    return {
        each.erasure_id: [
            Done("raw events", "events in the files of collectors and imports", n_raw[each.erasure_id]),
            Done("table events", "events", n_events[each.erasure_id]),
        ]
        for each in going.erasures
    }


def _stripped(lake: Lake, counted: Together, going: Together) -> list[Done]:
    """Let the events of `counted` count on without what they say, but those that are of `going` too.

    The ids by which `going` selects stay until it is gone.
    """
    event_ids = sorted({*counted.event_ids}.difference(going.event_ids))
    session_ids = sorted({*counted.session_ids} - going.selection.ids("session_id"))
    user_ids = sorted({*counted.user_ids} - going.selection.ids("user_id"))
    stripped = strip_events(lake, counted.project_id, event_ids, session_ids, user_ids)
    n_events, n_messages = sum(stripped.n_events.values()), sum(stripped.n_messages.values())
    if counted.event_ids:  # also where a call that was cut off has stripped them
        remember_no_more(lake, counted)
    return [
        Done("raw events and tables", "events that count on, without texts and ids", n_events),
        Done("table messages", "messages that count on, without their text", n_messages),
    ]


def _told(found: Gathered) -> dict[str, Any]:
    return {**msgspec.to_builtins(found), "text_ids": found.text_ids}


def forget(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Say by erasure whether anything is left, and forget what the tables were before."""
    named = [gathering.gathered(lake, each.erasure_id, asked.project_id) for each in asked.erasures]
    found = [each for each in named if each is not None]
    left = _left(lake, asked.project_id, found) if found else {}
    gone = forget_histories(lake, asked.project_id)
    done = [
        Done("earlier versions of tables", "data files", gone.files),
        Done("logs of tables", "entries that said something of what was there before", gone.entries),
    ]
    now = gathering.totals(lake, asked.project_id)
    return {"left": left, "done": msgspec.to_builtins(done), "totals": msgspec.to_builtins(now)}


def _left(lake: Lake, project_id: str, found: list[Gathered]) -> dict[str, list[str]]:
    """Return what is left, in words, by erasure; those of which nothing is are not in it."""
    of_all = remains(lake, Together(project_id, found))
    if not of_all or len(found) == 1:
        return {each.erasure_id: of_all for each in found if of_all}
    of_each = {each.erasure_id: remains(lake, Together(project_id, [each])) for each in found}
    # What none of them has alone is of all.
    return {each: left for each, left in of_each.items() if left} or dict.fromkeys(of_each, of_all)


def discard(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Remove what was written down."""
    for each in asked.erasures:
        gathering.discard(lake, each.erasure_id, asked.project_id)
    return {}


STEPS: dict[str, Callable[[Lake, Asked], dict[str, Any]]] = {
    "find": find,
    "remove": remove,
    "forget": forget,
    "discard": discard,
}


def main(arguments: list[str] | None = None) -> int:
    """Do the step that the command line names; return the exit status."""
    (step,) = sys.argv[1:] if arguments is None else arguments
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    settings = Settings.from_environment()
    lake = settings.open_lake()
    try:
        with sole_writer(str(settings.database_url), lake, asked.project_id, _say_that_it_waits):
            found = STEPS[step](lake, asked)
    except (DamageError, UnreachableError) as error:
        print(error, file=sys.stderr, flush=True)
        return CANNOT
    print(msgspec.json.encode(found).decode(), flush=True)
    return 0


def _say_that_it_waits() -> None:
    print("a build of the project is running; waiting until it lets go", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
