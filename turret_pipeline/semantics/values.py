"""Values of metadata fields, taken out of the events' JSON: one parser for the pipeline and the read API.

A value that is compared (the options of an enum, a segment's value) has one spelling, `canonical`: text as it is,
`true` and `false`, numbers without a needless `.0`. A conversation is read as what the user asked last
(`semantics.chat`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec
import orjson
import polars as pl

from turret_pipeline.semantics.chat import as_read
from turret_pipeline.semantics.gone import is_gone

_ESCAPED = re.compile(r'[\x00-\x1f"\\]')
_GROUPED = r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?"
_EUROPEAN = r"\d{1,3}(?:\.\d{3})+,\d+"
_BLANKS = r"['\u2019\s]"
UNSIGNED = (
    rf"(?:{_GROUPED}|{_EUROPEAN}|\d{{1,3}}(?:['\u2019\u00a0\u202f]\d{{3}})+(?:[.,]\d+)?"
    r"|\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?|\.\d+)"
)
CURRENCY = (
    r"(?:(?:US|CA|AU|NZ|HK|R|A|C|S)?\$|[€£¥₹₽₩₺₴฿₫₱₪]|zł|Kč|(?i:kr|Fr|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|HKD|SGD"
    r"|KRW|MXN|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|ZAR|ILS|THB|IDR|PHP|BRL|RUB|UAH|AED|SAR)\.?)"
)
"""Patterns of a number without its sign, and of what may stand before or behind an amount of money."""


def canonical(value: object) -> str | None:
    """Return the one spelling of a scalar value; None for null, lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return None


def all_values(metadata: Iterable[str]) -> dict[str, list[object]]:
    """Return every field with its values (nulls, lists and objects too), in the order of the events that have it."""
    found: dict[str, list[object]] = {}
    for text in metadata:
        for field, sent in orjson.loads(text).items():
            value = as_read(sent)
            if field in found:
                found[field].append(value)
            else:
                found[field] = [value]
    return found


def field_values(metadata: Sequence[str] | pl.Series, fields: Sequence[str]) -> dict[str, list[object]]:
    """Return for each of `fields` one value an event, in the order of `metadata`; None where the event lacks it.

    Only the fields asked for are decoded, which is several times faster than decoding all.
    """
    found: dict[str, list[object]] = {}
    # msgspec takes no attribute whose name is escaped in JSON.
    plain = [field for field in fields if not _ESCAPED.search(field)]
    if plain:
        attributes = [(f"field_{i}", object, None) for i in range(len(plain))]
        names = {f"field_{i}": field for i, field in enumerate(plain)}
        decoder = msgspec.json.Decoder(msgspec.defstruct("Metadata", attributes, rename=names, gc=False))
        rows = [msgspec.structs.astuple(decoder.decode(text)) for text in metadata]
        # Of hundreds of fields an event mostly has a few: what is not there is asked for nothing.
        columns = zip(*rows, strict=True) if rows else ((),) * len(plain)
        found = {
            field: [None if value is None else as_read(value) for value in column]
            for field, column in zip(plain, columns, strict=True)
        }
    if len(plain) < len(fields):
        events = [orjson.loads(text) for text in metadata]
        found |= {field: [as_read(event.get(field)) for event in events] for field in fields if field not in found}
    return {field: found[field] for field in fields}


def canonical_column(values: Sequence[object]) -> pl.Series:
    """Return `values` in their one spelling, as a string column; null for null, lists, objects and what is gone."""
    spelled = [value if value is None or type(value) is str else canonical(value) for value in values]
    spelled = [None if is_gone(value) else value for value in spelled]
    return pl.Series(spelled, dtype=pl.String)


def number_column(texts: pl.Series) -> pl.Series:
    """Return the number that each of `texts` says, as float64, also with a currency or a percent sign; else null.

    A comma before exactly three digits parts thousands (and before it, two as in India), any other comma the decimals,
    and then dots before it part thousands. Apostrophes and narrow blanks do so too.
    """
    value = pl.col("value").str.strip_chars()
    is_number = value.str.contains(rf"^[+-]?\s?{CURRENCY}?\s?[+-]?{UNSIGNED}\s?(?:{CURRENCY}|%)?$")
    plain = value.str.replace_all(rf"{CURRENCY}|%|{_BLANKS}", "")
    number = (
        pl.when(plain.str.contains(rf"^[+-]*{_GROUPED}$"))
        .then(plain.str.replace_all(",", "", literal=True))
        .when(plain.str.contains(rf"^[+-]*{_EUROPEAN}$"))
        .then(plain.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
        .otherwise(plain.str.replace(",", ".", literal=True))
        .cast(pl.Float64, strict=False)
    )
    found = pl.DataFrame({"value": texts}).select(pl.when(is_number & number.is_finite()).then(number))
    return found.to_series().alias(texts.name)


def text_id(text: str) -> str:
    """Return the id of a text: 32 hexadecimal digits of BLAKE2b over its UTF-8 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
