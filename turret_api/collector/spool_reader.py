"""A spool as any thread or process but its writer sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from turret_api.collector.rows import Backlog, Range, Row, Seen, SpoolState, unpack
from turret_api.collector.spool_file import connect, translated


class SpoolReader:
    """A view of a spool for one thread other than the writer's."""

    def __init__(self, file: Path, vfs: str | None = None) -> None:
        with translated():
            self._db = connect(file, vfs)

    def close(self) -> None:
        """After this call the view is closed."""
        self._db.close()

    def batches(self, rows: Range) -> Iterator[tuple[int, list[Row]]]:
        """Yield the rows of a range in order, as they were written together: the number of the first, and all."""
        query = "SELECT first_seq, payload FROM batches WHERE first_seq BETWEEN ? AND ? ORDER BY first_seq"
        with translated():
            for first_seq, payload in self._db.execute(query, rows):
                yield first_seq, unpack(payload)

    def state(self) -> SpoolState:
        """Return what is in the spool now."""
        with translated():
            return SpoolState(
                *self._db.execute(
                    "SELECT coalesce(sum(n), 0), coalesce(sum(length(payload)), 0), min(received_us) FROM batches"
                ).get
            )

    def backlog(self) -> Backlog:
        """Return how many rows wait, at most, and since when; costs the same however many there are."""
        with translated():
            first = self._db.execute("SELECT first_seq, received_us FROM batches ORDER BY first_seq LIMIT 1").get
            if first is None:
                return Backlog(0, None)
            last = self._db.execute("SELECT first_seq + n FROM batches ORDER BY first_seq DESC LIMIT 1").get
        return Backlog(last - first[0], first[1])

    def has_seen_before(self, before_us: int) -> bool:
        """Tell whether an id is remembered that was seen before `before_us`."""
        with translated():
            return bool(self._db.execute("SELECT EXISTS(SELECT 1 FROM seen WHERE received_us < ?)", (before_us,)).get)

    def seen(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        """Return, of these (project_id, event_id), those that were seen, with the ids of the first answer."""
        return find_seen(self._db, names)

    def heard(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return by project and hash when an id was erased, and the number of the first event that came knowing it."""
        with translated():
            rows: list[tuple[Any, ...]] = self._db.execute(
                "SELECT project_id, hash, before_us, first_seq FROM heard"
            ).fetchall()
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def is_made(self) -> bool:
        """Tell whether the tables are there already: another process may just be making them."""
        with translated():
            return bool(self._db.execute("SELECT EXISTS(SELECT 1 FROM sqlite_master WHERE name = 'seen')").get)

    def layout(self) -> str:
        """Return the version of the file's layout."""
        with translated():
            return str(self._db.execute("SELECT value FROM meta WHERE name = 'layout'").get)

    def is_settled(self) -> bool:
        """Tell whether nothing is left to do: no row, no pinned range, no unused grant."""
        with translated():
            return bool(
                self._db.execute(
                    "SELECT NOT EXISTS(SELECT 1 FROM batches) AND NOT EXISTS(SELECT 1 FROM rolls) "
                    "AND NOT EXISTS(SELECT 1 FROM quota WHERE granted > used)"
                ).get
            )

    def collector_id(self) -> str:
        """Return the id of the collector whose spool it is."""
        with translated():
            return str(self._db.execute("SELECT value FROM meta WHERE name = 'collector_id'").get)


def find_seen(db: apsw.Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
    """Return, of these (project_id, event_id), those that `db` has seen, with the ids of the first answer."""
    wanted = msgspec.json.encode(list(names)).decode()
    with translated():
        found = db.execute(
            "SELECT s.project_id, s.event_id, s.session_id, s.user_id FROM json_each(?) AS j CROSS JOIN seen AS s "
            "ON s.project_id = j.value->>0 AND s.event_id = j.value->>1",
            (wanted,),
        ).fetchall()
    return {(str(p), str(e)): Seen(str(p), str(e), str(s), str(u)) for p, e, s, u in found}
