"""Lines of an NDJSON file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from turret_api.collector import body as bodies
from turret_api.errors import ApiError
from turret_api.importing.rows import BATCH_ROWS, Row


def read_ndjson(file: Path, on_progress: Callable[[int], None]) -> Iterator[Row]:
    """Yield the lines of `file` that are not blank, decoded as strictly as the body of a request.

    Args:
        file: one JSON value a line.
        on_progress: called with the share of the bytes that are read, 0 to 1000.
    """
    size, done = max(1, file.stat().st_size), 0
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            done += len(line)
            if number % BATCH_ROWS == 0:
                on_progress(1000 * done // size)
            if line.isspace():
                continue
            try:
                if len(line) > bodies.MAX_BODY:
                    raise bodies.too_large()
                yield number, bodies.decode(line)
            except ApiError as error:
                yield number, error
