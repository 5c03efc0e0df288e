"""Files as the documents that `POST /track` would get."""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from turret_api.errors import ApiError, invalid
from turret_api.importing.csv import find_table, read_csv
from turret_api.importing.formats.format import Format
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.ndjson import read_ndjson
from turret_api.importing.near_keys import near_key, near_keys, option, what_to_type
from turret_api.importing.parquet import columns_of_parquet, read_parquet
from turret_api.importing.paths import leads_somewhere
from turret_api.importing.rows import BATCH_ROWS, Row, SourceError
from turret_api.importing.sources import find_source
from turret_api.importing.values import as_sent, says_nothing

Document = tuple[int, Any | ApiError]
"""A row's number in its file and its document, or why it has none."""


def _ignore(_: int) -> None:
    pass


class Documents:
    """The rows of a file as documents; each iteration reads the file from its start.

    Raises `SourceError` when it is made, if the file cannot be read, if the mapping names what no row has, or if a
    column is nearly called as a key of an event and nothing says what it is; and when it is read, if the file ends
    before it should.

    Args:
        file: its suffix says what it is, as in `find_source`.
        mapped: column or path to key, as in `ColumnMapping`; NDJSON without one holds the bodies of POST /track.
        name: the name of events whose row has none.
        zone: of times that name none.
        on_progress: called with the share of the file that is read, 0 to 1000.
        export: the product that the file is an export of, which then says where everything goes, instead of `mapped`.
    """

    def __init__(
        self,
        file: Path,
        mapped: Mapping[str, str],
        name: str | None = None,
        zone: dt.tzinfo = dt.UTC,
        on_progress: Callable[[int], None] = _ignore,
        export: Format | None = None,
    ) -> None:
        self.export = export
        self._name, self._zone, self._on_progress = name, zone, on_progress
        self.mapping = ColumnMapping(mapped)
        with _one_error(file):
            self.source = find_source(file)
            self.table = find_table(self.source) if self.source.form in ("CSV", "TSV") else None
            self.columns = self._columns()
            self._is_table = self.source.form not in ("NDJSON", "JSON")
            self._are_bodies = not self._is_table and not self.mapping
            self._given = self.mapping.given(self.columns)
            if export is not None:
                self._refuse_other_exports(export)
                return
            self._refuse_near_keys()
            self._refuse_idle_mapping()

    def __iter__(self) -> Iterator[Document]:
        """Yield every row with its document."""
        with _one_error(self.source.file):
            for number, row in self._rows(self._on_progress):
                if self.export is None:
                    yield number, self._document(row)
                else:
                    yield from ((number, each) for each in self._translated(self.export, row))

    def places(self) -> dict[str, str]:
        """Return where each column, and each nested key that is mapped, goes, as `ColumnMapping.places` does.

        Of another product's export nothing: there it may depend on the row.
        """
        if self.export is not None:
            return {}
        return {column: column for column in self.columns} if self._are_bodies else self.mapping.places(self.columns)

    def _rows(self, on_progress: Callable[[int], None] = _ignore) -> Iterator[Row]:
        if self.table is not None:
            return read_csv(self.source, self.table, self.mapping, on_progress)
        if self.source.form == "Parquet":
            return read_parquet(self.source.file, self.mapping, self._zone, on_progress)
        return read_ndjson(self.source, on_progress)

    def _columns(self) -> list[str]:
        """Return the columns of a table; of NDJSON the keys that the first rows have."""
        if self.table is not None:
            return self.table.columns
        if self.source.form == "Parquet":
            return columns_of_parquet(self.source.file)
        return list(dict.fromkeys(key for row in self._first_rows() for key in row))

    def _first_rows(self) -> list[dict[str, Any]]:
        return [row for _, row in itertools.islice(self._rows(), BATCH_ROWS) if type(row) is dict]

    def _document(self, row: Any) -> Any:
        if type(row) is not dict:
            return row if self._are_bodies or isinstance(row, ApiError) else invalid("The line must be a JSON object.")
        if self._are_bodies:
            document: dict[str, Any] | ApiError = row
        else:
            if not self._is_table:
                # Keys that no row at the start of the file had.
                near = _near(tuple(row), self.mapping.paths, self._given, self._name is not None)
                if near is not None:
                    return invalid(near)
            document = self.mapping.document(row)
        if isinstance(document, ApiError):
            return document
        name = document.get("name")
        if self._name is not None and (name is None or (type(name) is str and says_nothing(name))):
            document["name"] = self._name
        return as_sent(document, self._zone)

    def _translated(self, export: Format, row: Any) -> list[Any]:
        """Return the documents that a row of another product's export stands for, or why it stands for none."""
        if type(row) is not dict:
            return [row if isinstance(row, ApiError) else invalid("The line must be a JSON object.")]
        try:
            if wrong := next((each for each in row.values() if isinstance(each, ApiError)), None):
                raise wrong
            found = export.read(row)
        except ApiError as error:
            return [error]
        for document in found:
            document["name"] = document.get("name") or self._name or export.event_name
        return [as_sent(document, self._zone) for document in found]

    def _refuse_other_exports(self, export: Format) -> None:
        is_table = self.table is not None or self.source.form == "Parquet"
        missing = export.missing(self.columns) if is_table else export.missing_in(self._first_rows())
        if missing:
            raise SourceError(
                f"{self.source.file} is no export of {export.name} that can be read: it has nothing called "
                f"{' or '.join(sorted(missing))}; read are {export.reads}"
            )

    def _refuse_near_keys(self) -> None:
        columns = self.columns
        if self._are_bodies:
            # A row with a key that no event has is refused by itself; not so if the whole file calls it otherwise.
            rows = self._first_rows()
            columns = [column for column in columns if all(column in row for row in rows)]
        near = _near(tuple(columns), self.mapping.paths, self._given, self._name is not None)
        if near is not None:
            raise SourceError(near)

    def _refuse_idle_mapping(self) -> None:
        """Refuse a mapping of what no row has; the rows are read as far as it takes to find one for each."""
        sought = [path for path, _ in self.mapping.paths if not (self._is_table and path in self.columns)]
        has_rows = False
        for _, row in self._rows() if sought else ():
            if type(row) is dict:
                has_rows = True
                sought = [path for path in sought if not _leads_somewhere(row, path)]
                if not sought:
                    return
        if sought and has_rows:
            raise SourceError(self._idle(sought))

    def _idle(self, paths: list[str]) -> str:
        hints = []
        for path in paths:
            key = dict(self.mapping.paths)[path]
            meant = [each for each in self.columns if near_key(each) == key]
            meant = meant or difflib.get_close_matches(path, self.columns, n=1)
            hints += [option(column, key) for column in meant[:1]]
        hint = f"did you mean {' '.join(hints)}? The" if hints else "the"
        mapped = ", ".join(option(path, dict(self.mapping.paths)[path]) for path in paths)
        return f"{mapped}: no row has such a key; {hint} keys are {', '.join(self.columns)}"


@functools.lru_cache(32)
def _near(
    columns: tuple[str, ...], mapped: tuple[tuple[str, str], ...], given: frozenset[str], is_named: bool
) -> str | None:
    """Return what to do about columns that are called nearly as a key of an event; None if there are none."""
    unmapped = [column for column in columns if column not in dict(mapped)]
    near = near_keys(unmapped, given.union(unmapped), is_named=is_named)
    return what_to_type(near) if near else None


def _leads_somewhere(row: dict[str, Any], path: str) -> bool:
    try:
        return leads_somewhere(row, path)
    except ApiError:
        return False


@contextlib.contextmanager
def _one_error(file: Path) -> Iterator[None]:
    """Let everything that is wrong with a file come out as `SourceError`."""
    try:
        yield
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8: byte {error.start}") from error
    except (ValueError, pa.ArrowException) as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
