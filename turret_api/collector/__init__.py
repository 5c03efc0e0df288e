"""The collector: takes events durably and brings them to the lake. What a 200 promises:

**Promised.** A 200 (or `"success": true` for an event of several) is sent after the event, its duplicate key and its
use of the plan are committed to the spool in one transaction and that commit is fsynced. From then on the event
survives SIGKILL of any process at any moment, the loss of power (as far as the disk honours fsync), a full disk, and
the absence of Postgres or of the lake, and it reaches the lake once: it is deleted from the spool only after its
Parquet part is whole, fsynced, renamed and the folder fsynced. The same `event_id` sent again within 8 days to any
collector process of the same host is answered with the first answer's ids, stored once and counted once.

**Not promised.** An answer that never came (a connection that broke) says nothing: the event may be stored; send it
again with the same `event_id`. Collectors on two hosts each take the same `event_id` once, and each counts it; the
pipeline then keeps one of them (to ask Postgres about every id would make it part of every answer). The spool is one
disk's: events not yet in the lake (usually some seconds' worth, see `turret spool status`) die with that disk, and what
plans had set aside for it stays so until `turret spool forget`. Order is the order of receipt in one process, not over
several.

**When it cannot.** 503 with `Retry-After`: nothing of the request was stored. Overload (bounded in requests and bytes),
a disk below its reserve, shutting down, or a plan whose room cannot be known because Postgres is away and the grants
here are used up. After a failed write or fsync the process answers nothing more, ends, and recovers at its next start.

The way of an event: `track` (ASGI) reads the body through `intake` (bounds) and `body` (strict JSON), `event` judges
it, `writer` (one thread, group commit) puts it into the `spool` if the `ledger` has room and neither it nor its
`neighbours` on the host have seen it, `roller` brings it to the lake. `broker` moves quota grants between the ledger
and Postgres, `disk` watches the room, `slots` gives each process a spool of its own, `housekeeping` takes up spools
that were left, `workers` runs several processes on one port, `server` is uvicorn with slow clients cut. `event` judges
the events of files too (`turret_api.importing`).

How it is tested (`tests/collector`): every row of the table of odd requests over a socket; 25 SIGKILLs at random under
load (200 in `make test-long`) and one at every failpoint; 200 losses of power on a disk that keeps only what was
fsynced; the same tests failing when the pinned range, the commit before the answer or any one of the fsyncs is taken
away; races for a plan's last events over one process and two; a full disk, a failing fsync, Postgres or the lake away,
clocks that jump, revoked keys, 200 bodies of 16 MiB at once, clients that dawdle; and fuzzing against the served
OpenAPI document.
"""
