"""The shape of a text value: does it read as a number, a date, an id, one word, a sentence? No language is assumed.

A shape is one letter, so that a thousand values keep theirs in a thousand characters. Words of scripts that write
without spaces count one for every two letters.
"""

from __future__ import annotations

import orjson
import polars as pl

from turret_pipeline.semantics.values import CURRENCY, UNSIGNED

NUMBER, MONEY, PERCENT = "n", "m", "p"
BOOLEAN, NULLISH, BLANK = "b", "0", "-"
DATE, URL, EMAIL, UUID, HEX, CODE, JSON, VERSION, AGENT = "d", "u", "e", "i", "h", "c", "j", "v", "g"
OPAQUE, WORD, PHRASE, SENTENCE = "o", "w", "f", "s"

NAMES = {
    NUMBER: "numbers",
    MONEY: "amounts of money",
    PERCENT: "percentages",
    BOOLEAN: "yes or no",
    NULLISH: "words for nothing",
    BLANK: "blank",
    DATE: "dates or times",
    URL: "addresses of pages",
    EMAIL: "e-mail addresses",
    UUID: "UUIDs",
    HEX: "hexadecimal ids",
    CODE: "codes of digits",
    AGENT: "names of browsers and clients",
    JSON: "JSON",
    VERSION: "versions",
    OPAQUE: "tokens of letters and digits",
    WORD: "single words",
    PHRASE: "short phrases",
    SENTENCE: "sentences",
}

NUMERIC = (NUMBER, MONEY, PERCENT)
IDS = (DATE, URL, EMAIL, UUID, HEX, CODE, JSON, AGENT)
"""Shapes of what neither counts, nor groups, nor speaks."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORDS = rf"[{_UNSPACED}]{{1,2}}|[^\s{_UNSPACED}]+"

_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?(?i:[ap]m))?"

_PATTERNS: tuple[tuple[str, str], ...] = (
    (BLANK, r"^$"),
    (NULLISH, r"(?i)^(?:n/?a|none|null|nil|nan|undefined|-{1,3}|\u2013|\u2014)$"),
    (BOOLEAN, r"(?i)^(?:true|false|yes|no|y|n|t|f|on|off)$"),
    (
        DATE,
        r"^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$"
        r"|^\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{1,2}:\d{2}\S*)?$"
        rf"|^\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}}(?:,?\s{_CLOCK})?$|^\d{{1,2}}/\d{{1,2}}/\d{{2}}$|^{_CLOCK}$"
        rf"|^(?:\w+,\s)?\d{{1,2}}\.?[\s-]{_MONTH}[\s-]\d{{4}}(?:\s\d{{1,2}}:\d{{2}}.{{0,20}})?$"
        rf"|^(?:\w+,?\s)?{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?(?:,?\s{_CLOCK}.{{0,20}})?$",
    ),
    (
        CODE,
        r"^(?:0\d+|\d{16,}|\+\d{7,15}|\d{1,3}(?:\.\d{1,3}){3}|(?i:[a-f0-9]{0,4}:){2,7}[a-f0-9]{1,4}"
        r"|\+[\d ()/.-]{7,22}|\(\d{2,5}\)[\d /-]{5,12}|\d{2,5}[ /-]\d{3,4}[ /-]\d{3,5}(?:[ /-]\d{1,5})?"
        r"|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d|\d{5}-\d{4})$",
    ),
    (NUMBER, rf"^[+-]?{UNSIGNED}$"),
    (MONEY, rf"^[+-]?\s?{CURRENCY}\s?[+-]?{UNSIGNED}$|^[+-]?{UNSIGNED}\s?{CURRENCY}$"),
    (PERCENT, rf"^[+-]?{UNSIGNED}\s?%$"),
    (VERSION, r"(?i)^v?\d+\.\d+\.\d+(?:[.+-][\w.]+)*$|^v\d+(?:\.\d+)*(?:-\w+)?$"),
    (URL, r"(?i)^(?:[a-z][a-z0-9+.-]*://\S+|www\.\S+\.\S+|mailto:\S+)$"),
    (EMAIL, r"^[^\s@]+@[^\s@]+\.[^\s@]+$"),
    (UUID, r"(?i)^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$"),
    (AGENT, r"(?i)^[a-z][\w.-]*/\d+(?:\.\d+)+(?:\s\(.*|(?:\s[\w.-]+/\d\S*)+)?$"),
)


def shapes(texts: pl.Series) -> pl.Series:
    """Return the shape of each of `texts` (strings, no nulls), in their order.

    Takes about 2 s for a million texts. Text that looks like JSON is parsed, the first 10,000 characters of it.
    """
    value = pl.col("value")
    hexadecimal = value.str.contains(r"(?i)^(?:0x[0-9a-f]+|[0-9a-f]{8,})$") & (
        (value.str.contains(r"\d") & value.str.contains(r"(?i)[a-f]")) | (value.str.len_bytes() >= 16)
    )
    bracketed = value.str.contains(r"(?s)^(?:\{.*\}|\[.*\])$")
    words = value.str.count_matches(_WORDS)
    digits = value.str.count_matches(r"\d")
    ends = value.str.contains(r"[.?!…\u3002\uff1f\uff01]$")
    chain: pl.Expr = pl.when(bracketed).then(pl.lit(JSON))
    for shape, pattern in reversed(_PATTERNS):
        chain = pl.when(value.str.contains(pattern)).then(pl.lit(shape)).otherwise(chain)
    rest = (
        pl.when(hexadecimal)
        .then(pl.lit(HEX))
        .when((words >= 2) & (value.str.count_matches(r"\S*\d\S*") == words))
        .then(pl.lit(OPAQUE))
        .when((words >= 4) | ((words >= 2) & ends))
        .then(pl.lit(SENTENCE))
        .when(words >= 2)
        .then(pl.lit(PHRASE))
        .when(digits >= 3)
        .then(pl.lit(OPAQUE))
        .otherwise(pl.lit(WORD))
    )
    # The patterns speak of short values alone; long texts go past them.
    short = value.str.len_bytes() <= 200
    found = (
        pl.DataFrame({"value": texts})
        .lazy()
        .with_columns(value.str.strip_chars())
        .select("value", shape=pl.when(short | bracketed).then(pl.coalesce(chain, rest)).otherwise(rest))
        .collect()
    )
    doubtful = found.with_row_index().filter(pl.col("shape") == JSON)
    wrong = [row for row, text, _ in doubtful.iter_rows() if not _is_json(text)]
    if not wrong:
        return found["shape"]
    plain = shapes(found["value"][wrong].str.replace_all(r"[\[\]{}]", " "))
    return found["shape"].scatter(wrong, plain.to_list())


def _is_json(text: str) -> bool:
    if len(text) > 10_000:
        return True
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
