"""Which files have come to a table on S3 since a version, told by the few commits since.

To open the table at that version reads each commit since its checkpoint twice. On a local lake that takes a
millisecond, and is done.
"""

from __future__ import annotations

import orjson

from turret_pipeline.lake import files
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import Table

FEW = 8
"""Commits that are read one by one; of more it costs less to open the table at the version."""


def added_paths(lake: Lake, table: Table, since: int, until: int, folder: str) -> set[str] | None:
    """Return the paths of files in a folder of the table that came past the version `since` and are there at `until`.

    None where a file that was there at `since` went, or where a commit between is no longer kept.
    """
    found: set[str] = set()
    for number in range(since + 1, until + 1):
        try:
            commit = files.read(lake, f"{lake.table(table.name)}/_delta_log/{number:020d}.json")
        except FileNotFoundError:
            return None
        for line in commit.splitlines():
            action = orjson.loads(line) if line.startswith((b'{"add"', b'{"remove"')) else {}
            for what, about in action.items():
                if not about["path"].startswith(folder):
                    continue
                if what == "add":
                    found.add(about["path"])
                elif about["path"] in found:
                    found.remove(about["path"])
                else:
                    return None
    return found
