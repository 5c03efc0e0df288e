"""The collector: takes events durably and brings them to the lake.

What a 200 promises:

**Promised.** A 200 (or `"success": true` for an event of several) is sent after the event, its duplicate key and its
use of the plan are committed to the spool in one transaction and that commit is fsynced. From then on the event
survives SIGKILL of any process at any moment, the loss of power (as far as the disk honours fsync), a full disk, and
the absence of Postgres or of the lake. It reaches the lake once: it is deleted from the spool only after its
Parquet part is whole, fsynced, renamed and the folder fsynced. The same `event_id` sent again within 8 days to any
collector process of the same host is answered with the first answer's ids, stored once and counted once.

**Not promised.** If no answer comes (the connection broke), the event may be stored or not: send it again with the same
`event_id`. Collectors on two hosts each take the same `event_id` once, and each counts it; the pipeline then keeps one
of them (asking Postgres about every id would make it part of every answer). The spool is on one disk: events not yet
in the lake (usually those of some seconds, see `turret spool status`) are lost with that disk, and what plans had set
aside for it stays set aside until `turret spool forget`. Order is the order of receipt in one process, not over
several.

**When it cannot store.** 503 with `Retry-After`: nothing of the request was stored. The reasons are overload (bounded
in requests and bytes), a disk below its reserve, shutting down, or a plan of which it is not known how much is left,
because Postgres is away and the grants here are used up. After a failed write or fsync the process answers nothing
more, ends, and recovers at its next start.

The way of an event: `track` (ASGI) reads the body through `intake` (bounds) and `body` (strict JSON), `event` judges
it, `writer` (one thread, group commit) puts it into the `spool` if the `ledger` has quota for it and neither this
collector nor its `neighbours` on the host have seen it, `roller` brings it to the lake. Beside it, `broker` moves
grants between the ledger and Postgres, `disk` watches the free space, `slots` gives each process a spool of its own,
`housekeeping` takes up spools that were left. What serves all this on a port is in `turret_api.serve`; files
are imported by the same checks in `turret_api.importing`.

How it is tested (`tests/collector`): every row of the table of odd requests over a socket; 25 SIGKILLs at random under
load (200 in `make test-long`) and one at every failpoint; 200 losses of power on a disk that keeps only what was
fsynced; the same tests failing when the pinned range, the commit before the answer or any one of the fsyncs is taken
away; races for a plan's last events over one process and two; a full disk, a failing fsync, Postgres or the lake away,
clocks that jump, revoked keys, 200 bodies of 16 MiB at once, clients that dawdle; and fuzzing against the served
OpenAPI document.
"""
