"""Sends events to Turret: `track` never blocks and never raises, and a thread of its own sends what it is given.

    shared      one client for the process, for those who do not want to hold one
    client      Client: what an application holds
    event       one event as JSON, from what `track` was given
    values      any Python value as one that JSON and the server take
    sender      the thread: batches, tries, waits, the end
    queue       the events that wait, within bounds
    answers     what an answer of the server means for each event
    tally       what has become of the events, and the log of it
    processes   forks, and the end of the process

Imports point down this list.
"""

from __future__ import annotations

from turret_client.client import Client
from turret_client.shared import flush, shared_client, track
from turret_client.tally import Loss, Stats
from turret_client.version import __version__

__all__ = ["Client", "Loss", "Stats", "__version__", "flush", "shared_client", "track"]
