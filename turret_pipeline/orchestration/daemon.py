"""`python -m turret_pipeline.orchestration.daemon WORKSPACE`: Dagster's daemon, if this host is elected to run it.

Until then the process stands by, without Dagster in its memory. It ends at once when another host has won: what it was
at is picked up from the lake and from Dagster's tables, as after any crash.
"""

from __future__ import annotations

import os
import sys

from turret_pipeline.lake.election import Candidacy

LOST = 75
"""Exit status of a daemon whose host has lost the election."""


def main() -> None:
    """Stand by, then run the daemon until a signal ends it or the election is lost."""
    candidacy = Candidacy(os.environ["TURRET_DATABASE_URL"], lambda line: print(line, flush=True))
    candidacy.win()
    candidacy.keep(lambda: os._exit(LOST))
    # Imported only now: it takes seconds, and the memory of a process that may stand by for months.
    from turret_pipeline.orchestration.daemons import run

    run(sys.argv[1], os.environ["TURRET_LAKE"], os.environ["TURRET_DATABASE_URL"])


if __name__ == "__main__":
    main()
