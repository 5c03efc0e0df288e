"""`python -m turret_pipeline.orchestration.erase STEP`: what an erasure does in the lake, before and after a build.

    find     what would go; nothing is written
    remove   what goes is written down, and leaves raw events, the table `events`, and what people wrote
    forget   once a build has brought the other tables there: nothing is left of it, nor in any history
    discard  what was written down goes

What is erased comes on stdin as JSON (`Asked`), for a command line can be seen by all; what was found or done goes to
stdout as one JSON object. Exits with 1 and a reason on stderr where something failed, and with `FORGOTTEN` where an
erasure that was begun cannot go on, as its list is gone. `turret_api.erasing` calls it.
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
from turret_pipeline.settings import Settings
from turret_pipeline.stages.erasure.gathering import ForgottenError, Gathered, discard, find, gather, gathered, totals
from turret_pipeline.stages.erasure.raw import remove_leftovers, remove_raw_events, rename_imports
from turret_pipeline.stages.erasure.remains import remains
from turret_pipeline.stages.erasure.removal import remember_no_more, remove_events, remove_quotes
from turret_pipeline.stages.erasure.selection import Selection

FORGOTTEN = 3


class Asked(msgspec.Struct, frozen=True):
    """What is to be erased: of a project, what `kind` and `value` select (`stages.erasure.selection`).

    forms: what stands for the id where ids are masked. keep_totals: whether the events go on to count, without texts
    and ids (`retention`).
    """

    erasure_id: str
    project_id: str
    kind: str
    value: str
    forms: tuple[str, ...] = ()
    keep_totals: bool = False

    @property
    def selection(self) -> Selection:
        """Which events it is about."""
        return Selection(self.kind, self.value, self.forms)


class Done(msgspec.Struct, frozen=True):
    """What was done in one place. n: how many of what `what` counts."""

    place: str
    what: str
    n: int


def find_only(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Return what would go."""
    found = find(lake, asked.erasure_id, asked.project_id, asked.selection)
    return {"gathered": _told(found)}


def remove(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Take out what is erased; the same again does what is left to do.

    With `keep_totals` the tables must be up to date.
    """
    found = gather(lake, asked.erasure_id, asked.project_id, asked.selection)
    done = _stripped(lake, found) if asked.keep_totals else _removed(lake, found)
    n_left = remove_leftovers(lake, found.project_id)
    done.append(Done("what was set aside as damaged", "folders, and parts that were never finished", n_left))
    done.append(Done("imports", "names of files that were replaced", rename_imports(lake, found)))
    quotes = remove_quotes(lake, found)
    done += [Done(f"table {name}", "rows of people that quoted it", n) for name, n in quotes.items() if n]
    return {"gathered": _told(found), "done": msgspec.to_builtins(done)}


def _removed(lake: Lake, found: Gathered) -> list[Done]:
    n_raw, n_events = remove_raw_events(lake, found), remove_events(lake, found)
    return [
        Done("raw events", "events in the files of collectors and imports", n_raw),
        Done("table events", "events", n_events),
    ]


def _stripped(lake: Lake, found: Gathered) -> list[Done]:
    stripped = strip_events(lake, found.project_id, found.event_ids, found.session_ids, found.user_ids)
    n_events, n_messages = sum(stripped.n_events.values()), sum(stripped.n_messages.values())
    if found.event_ids:  # also where a call that was cut off has stripped them
        remember_no_more(lake, found)
    return [
        Done("raw events and tables", "events that count on, without texts and ids", n_events),
        Done("table messages", "messages that count on, without their text", n_messages),
    ]


def _told(found: Gathered) -> dict[str, Any]:
    return {**msgspec.to_builtins(found), "text_ids": found.text_ids}


def forget(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Say whether anything is left, and forget what the tables were before."""
    found = gathered(lake, asked.erasure_id, asked.project_id)
    if found is None:
        return {"left": [], "done": [], "totals": msgspec.to_builtins(totals(lake, asked.project_id))}
    left = remains(lake, found)
    gone = forget_histories(lake, asked.project_id)
    done = [
        Done("earlier versions of tables", "data files", gone.files),
        Done("logs of tables", "entries that said something of what was there before", gone.entries),
    ]
    now = totals(lake, asked.project_id)
    return {"left": left, "done": msgspec.to_builtins(done), "totals": msgspec.to_builtins(now)}


def discarded(lake: Lake, asked: Asked) -> dict[str, Any]:
    """Remove what was written down."""
    discard(lake, asked.erasure_id, asked.project_id)
    return {}


STEPS: dict[str, Callable[[Lake, Asked], dict[str, Any]]] = {
    "find": find_only,
    "remove": remove,
    "forget": forget,
    "discard": discarded,
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
        return 1
    except ForgottenError:
        return FORGOTTEN
    print(msgspec.json.encode(found).decode(), flush=True)
    return 0


def _say_that_it_waits() -> None:
    print("a build of the project is running; waiting until it lets go", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
