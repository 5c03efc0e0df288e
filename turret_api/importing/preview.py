"""What an import would make of a file: where each column goes, and the first rows as events. Nothing is written."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec

from turret_api.collector.event import check
from turret_api.collector.masked import Masker, in_words
from turret_api.errors import ApiError
from turret_api.importing.documents import Documents
from turret_api.masking.mask import Mask

_ROWS = 1000
_SHOWN = 5


@dataclass
class Preview:
    """What the first rows of a file would become.

    Args:
        form: CSV, Parquet and so on.
        separator: of the cells, for CSV and TSV.
        packing: gzip, bz2 or zstd, if the file is packed.
        timezone: the zone of times that name none.
        columns: by column, or path of a nested key, the key that it goes to; empty if it is left out. For bodies of
            `POST /track`, the keys as they are.
        rows: the first rows, each with `row` (its number) and `event`, or `error` and `code` if it would be refused.
        read: rows that were looked at.
        refused: those of them that would be refused.
    """

    form: str
    separator: str | None
    packing: str | None
    timezone: str
    columns: dict[str, str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    read: int = 0
    refused: int = 0


def preview(documents: Documents, zone: dt.tzinfo, max_text: int, mask: Mask | None = None) -> Preview:
    """Return what the first 1,000 rows would become, with the first 5 of them, and those that would be refused.

    mask: of the project that they are for; None: nothing is masked.
    """
    found = Preview(
        documents.source.form,
        None if documents.table is None else documents.table.separator,
        documents.source.packing,
        str(zone),
        documents.places(),
    )
    for number, document in itertools.islice(documents, _ROWS):
        found.read += 1
        row: dict[str, Any] = {"row": number}
        try:
            if isinstance(document, ApiError):
                raise document
            event = check(document, max_text)
            row["event"] = {key: value for key, value in document.items() if value is not None}
            if mask is not None:
                made = Masker(mask).event(event)
                stored = {field: getattr(made, field) for field in ("name", "session_id", "user_id", "event_id")}
                row["event"] |= {field: value for field, value in stored.items() if field in row["event"]}
                row["event"]["metadata"] = msgspec.json.decode(made.metadata)
        except ApiError as error:
            found.refused += 1
            error = in_words(error, None if mask is None else Masker(mask))
            row |= {"code": error.code, "error": error.message}
        if found.read <= _SHOWN or ("error" in row and found.refused <= _SHOWN):
            found.rows.append(row)
    return found
