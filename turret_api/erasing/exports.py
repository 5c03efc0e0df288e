"""Out of the files that `turret export` wrote: the audit log knows where they were.

Rows of what was erased go, and lists lose what of it is in them. A file that is not there any more, or that cannot be
read as what was written, is named in the receipt, and a folder with a model too: nobody but its owner knows what became
of it. What browsers and programs got by HTTP lies where we cannot look.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from turret_api.accounts import Accounts
from turret_api.accounts.exports import exported_files
from turret_api.erasing.erased import Done, Erased
from turret_api.erasing.words import ERASED, Words

PLACE = "files that were exported"
_FORMATS = (".parquet", ".csv", ".ndjson")
_OWN = frozenset(["event_id", "session_id", "user_id", "name", "text", "metadata"])
"""Columns with an event's own words. In another event's row they stay, as in the lake: "order 20" is no "order 2"."""


def erase_from_exports(accounts: Accounts, erased: Erased, words: Words) -> list[Done]:
    """After this call the exported files that are where they were written have no row of what was erased.

    Raise `OSError` where such a file cannot be written.
    """
    done, n_gone = [], 0
    for file in exported_files(accounts, erased.project_id):
        named = named_in_receipt(file, words)
        if not file.exists():
            n_gone += 1
        elif file.suffix not in _FORMATS or not file.is_file():
            done.append(Done(PLACE, f"not looked into, export it again: {named}", 0))
        else:
            try:
                n_removed, n_hidden = _rewrite(file, erased, words)
                done.append(Done(PLACE, f"rows removed from {named}", n_removed))
                if n_hidden:
                    done.append(Done(PLACE, f"rows that quoted it, without these words, in {named}", n_hidden))
            except (PolarsError, UnicodeDecodeError):
                done.append(Done(PLACE, f"not looked into, it is not what was written: {named}", 0))
    return [*done, Done(PLACE, "not where they were written any more", n_gone)]


def named_in_receipt(file: Path, words: Words) -> str:
    """Return what a receipt calls a file: its path, unless that quotes what was erased."""
    return "a file whose name quotes it" if words.are_in([str(file)])[0] else str(file)


def _rewrite(file: Path, erased: Erased, words: Words) -> tuple[int, int]:
    """Write the file anew without what was erased, if any is in it; return how many rows went, and how many changed."""
    rows = _read(file)
    kept = _without(rows, erased)
    hidden, n_hidden = _hidden(kept, words)
    n_removed = rows.height - kept.height
    if not (n_removed or n_hidden):
        return 0, 0
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(mode=0o600)
        temporary.chmod(file.stat().st_mode)
        _write(hidden, temporary, file.suffix)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return n_removed, n_hidden


def _read(file: Path) -> pl.DataFrame:
    if file.suffix == ".parquet":
        return pl.read_parquet(file)
    if file.suffix == ".csv":
        return pl.read_csv(file, infer_schema=False)
    return pl.read_ndjson(file, infer_schema_length=None) if file.stat().st_size else pl.DataFrame()


def _write(rows: pl.DataFrame, to: Path, suffix: str) -> None:
    if suffix == ".parquet":
        rows.write_parquet(to)
    elif suffix == ".csv":
        rows.write_csv(to)
    else:
        rows.write_ndjson(to)


def _without(rows: pl.DataFrame, erased: Erased) -> pl.DataFrame:
    """Return the rows that are of no erased event, user or session, nor a text of theirs."""
    named = {
        **{"event_id": erased.event_ids, "user_id": erased.user_ids, "session_id": erased.session_ids},
        # What is one row by text: messages, their vectors, kinds and topics.
        **{"text": erased.texts, "text_id": erased.text_ids},
    }
    gone = [
        # A spreadsheet's formula has a ' before it.
        pl.col(name).is_in([*values, *(f"'{value}" for value in values)])
        for name, values in named.items()
        if _is_text(rows, name)
    ]
    return rows.filter(~pl.any_horizontal(gone).fill_null(value=False)) if gone else rows


def _hidden(rows: pl.DataFrame, words: Words) -> tuple[pl.DataFrame, int]:
    """Return the rows, whose texts that quote one of the words say only that, and how many rows there were of these."""
    quoting = pl.Series([False] * rows.height, dtype=pl.Boolean)
    changed = {}
    for name, texts in _texts_of(rows):
        quotes = pl.Series(words.are_in_json(texts.to_list()), dtype=pl.Boolean)
        if not quotes.any():
            continue
        quoting |= quotes
        column = rows[name]
        if column.dtype == pl.String:
            changed[name] = pl.select(pl.when(quotes).then(pl.lit(ERASED)).otherwise(column)).to_series().alias(name)
        else:
            values = column.to_list()
            new = [_clean(value, words) if is_so else value for value, is_so in zip(values, quotes, strict=True)]
            changed[name] = pl.Series(name, new, dtype=column.dtype)
    return rows.with_columns(**changed), int(quoting.sum())


def _texts_of(rows: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """Yield the columns that hold texts about events, each as texts: lists and structures as JSON."""
    own = _OWN if "event_id" in rows.columns else frozenset[str]()
    for name, dtype in rows.schema.items():
        if name in own:
            continue
        if dtype == pl.String:
            yield name, rows[name].fill_null("")
        elif dtype.is_nested():
            yield name, rows.select(pl.struct(name).struct.json_encode()).to_series()


def _clean(value: object, words: Words) -> object:
    """Return a list without what quotes one of the words, or a structure in which it says only that."""
    if isinstance(value, list):
        cleaned = [_clean(each, words) for each in value]
        return [new for new, old in zip(cleaned, value, strict=True) if new == old]
    if isinstance(value, dict):
        return {name: _clean(each, words) for name, each in value.items()}
    return ERASED if isinstance(value, str) and words.are_in([value])[0] else value


def _is_text(rows: pl.DataFrame, name: str) -> bool:
    return rows.schema.get(name) == pl.String
