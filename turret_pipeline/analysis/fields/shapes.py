"""The shape of a text value: does it read as a number, a date, an id, one word, a sentence? No language is assumed.

A shape is one letter, so that a thousand values keep theirs in a thousand characters. Words of scripts that write
without spaces count one for every two letters.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant.
from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
import polars as pl

from turret_pipeline.analysis.fields.dates import are_dates
from turret_pipeline.analysis.fields.people import FEW_NAMES, are_addresses, are_names
from turret_pipeline.semantics.values import CURRENCY, UNSIGNED

NUMBER, MONEY, PERCENT = "n", "m", "p"
BOOLEAN, NULLISH, BLANK = "b", "0", "-"
DATE, URL, EMAIL, UUID, HEX, CODE, JSON, VERSION, AGENT = "d", "u", "e", "i", "h", "c", "j", "v", "g"
MEASURE, REFERENCE, ADDRESS, PERSON, NAME = "q", "r", "a", "P", "N"
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
    MEASURE: "amounts with a unit",
    REFERENCE: "names with a number",
    ADDRESS: "postal addresses",
    PERSON: "names of people",
    NAME: "words spelled like names",
    OPAQUE: "tokens of letters and digits",
    WORD: "single words",
    PHRASE: "short phrases",
    SENTENCE: "sentences",
}

NUMERIC = (NUMBER, MONEY, PERCENT)
IDS = (DATE, URL, EMAIL, UUID, HEX, CODE, JSON, AGENT, MEASURE, ADDRESS)
"""Shapes of what neither counts, nor groups, nor speaks."""
PHRASES = (PHRASE, NAME, PERSON)
"""Shapes of a few words."""

SHORT = 100
"""Characters: longer texts are what they read as by their number of words."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORDS = rf"[{_UNSPACED}]{{1,2}}|[^\s{_UNSPACED}]+"

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?(?i:[ap]m))?"

_PATTERNS: tuple[tuple[str, str], ...] = (
    (BLANK, r"^$"),
    (NULLISH, r"(?i)^(?:n/?a|none|null|nil|nan|undefined|-{1,3}|\u2013|\u2014)$"),
    (BOOLEAN, r"(?i)^(?:true|false|yes|no|y|n|t|f|on|off)$"),
    (
        DATE,
        r"^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$"
        r"|^\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{1,2}:\d{2}\S*)?$"
        rf"|^\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}}(?:,?\s{_CLOCK})?$|^\d{{1,2}}/\d{{1,2}}/\d{{2}}$|^{_CLOCK}$",
    ),
    (
        CODE,
        r"^(?:0\d+|\d{16,}|\+\d{7,15}|\d{1,3}(?:\.\d{1,3}){3}|(?i:[a-f0-9]{0,4}:){2,7}[a-f0-9]{1,4}"
        r"|\+[\d ()/.-]{7,22}|\(\d{2,5}\)[\d /-]{5,12}|\d{2,5}[ /-]\d{3,4}[ /-]\d{3,5}(?:[ /-]\d{1,5})?"
        r"|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d|\d{5}-\d{3,4}|\d{2,4}[ -]\d{2,4})$",
    ),
    (NUMBER, rf"^[+-]?{UNSIGNED}$"),
    (MONEY, rf"^[+-]?\s?{CURRENCY}\s?[+-]?{UNSIGNED}$|^[+-]?{UNSIGNED}\s?{CURRENCY}$"),
    (PERCENT, rf"^[+-]?{UNSIGNED}\s?%$"),
    (
        VERSION,
        r"(?i)^v?\d+\.\d+\.\d+(?:[.+-][\w.]+)*(?:\s\(\w+\))?$|^v\.?\s?\d+(?:\.\d+)*(?:-\w+)?$"
        r"|^\d+\.\d+[\s.-]?(?:alpha|beta|rc|dev|pre|preview|post|lts|final|snapshot)[\s.-]?\d*$"
        r"|^(?:version|ver\.?|release)\s?v?\d+(?:\.\d+)*$",
    ),
    (URL, r"(?i)^(?:[a-z][a-z0-9+.-]*://\S+|www\.\S+\.\S+|mailto:\S+)$"),
    (EMAIL, r"^[^\s@]+@[^\s@]+\.[^\s@]+$|^[^@<>]{0,80}<[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+>$"),
    (UUID, r"(?i)^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$"),
)

_ALL_DIGITS = rf"^[^\s{_UNSPACED}]*\d[^\s{_UNSPACED}]*(?:\s+[^\s{_UNSPACED}]*\d[^\s{_UNSPACED}]*)+$"
"""Two words or more, each with a digit."""
_FEW_WORDS = r"^\S{0,200}(?:\s+\S{1,60}){0,6}$"
"""What `_PATTERNS` can match; most texts are longer and go past them."""
_AGENT = r"(?i)^[a-z][\w.-]*/\d+(?:\.\d+)+(?:\s\(.*|(?:\s[\w.-]+/\d\S*)+)?$"

_UNIT = (
    rf"(?:[[\p{{L}}--[{_UNSPACED}\p{{Hangul}}]]\p{{M}}µ°′″%‰'\x22/·²³$€£-]{{1,24}}[23]?\.?"
    rf"|[{_UNSPACED}\p{{Hangul}}%]{{1,3}}|\p{{Katakana}}{{1,8}})"
)
_UNIT_AFTER = (
    r"(?:\s(?:per\s|an?\s)?(?:ft|feet|foot|in|inch(?:es)?|mi|miles?|km|k?m|cm|oz|ounces?|lbs?|gal(?:lons?)?|tons?"
    r"|met(?:er|re)s?|"
    r"hours?|hrs?|h|min(?:ute)?s?|sec(?:ond)?s?|s|days?|weeks?|months?|years?|old|left|away|remaining|used|total|each|"
    r"mil|mill?ion(?:en|es)?|billion|thousand|tokens?|bytes?|[kmgt]i?b|requests?|items?|users?|people|persons?))"
)
_AMOUNT = rf"{UNSIGNED}\s?-?{_UNIT}{_UNIT_AFTER}{{0,2}}"
_WITH_DIGITS: tuple[tuple[str, str], ...] = (
    (
        MEASURE,
        # 419.80 GB, 12ms, 5'10", 1h 23m, 10-20 km, 5 km (3.1 mi), 2 x 3 cm, 3 of 7, PT5M, P3D
        rf"^[~≈<>≤≥±]{{0,2}}\s?(?i:ca\.?\s|approx\.?\s|about\s"
        rf"|circa\s)?[+\u2212-]?(?:{UNSIGNED}\s?[\u2013-]\s?)?{_AMOUNT}"
        rf"(?:,?\s?(?:and\s|und\s|et\s|y\s|e\s|og\s|och\s|и\s|/\s?)?{_AMOUNT}){{0,3}}(?:\s\([^()]{{1,24}}\))?$"
        rf"|^{UNSIGNED}(?:\s?(?:[x×*/:]|of|out of|von|de|sur|из)\s?{UNSIGNED}){{1,3}}(?:\s?{_UNIT})?$"
        r"|^[+-]?P(?:\d+(?:[.,]\d+)?[YMWD])*(?:T(?:\d+(?:[.,]\d+)?[HMS])+)?$",
    ),
    (
        REFERENCE,
        # LH 1637, AB12 CDE, M-AB 1234, #12345, No. 12, Gate B12, Room 204, iOS 17.1, ISO 9001:2015
        r"^(?:[A-Z]{1,5}|[A-Z]*\d[A-Z\d]*)(?:[\s./-]{1,2}(?:[A-Z]{1,3}|[A-Z]*\d[A-Z\d]*)){1,6}$"
        r"|^(?i:#|№|no\.?|nr\.?|nº|n°)\s?\d[\w/-]*$|^[\p{L}.+#]{1,20}[\s:#№-]{1,2}[A-Za-z]{0,3}-?\d[\w./:-]*$",
    ),
)
"""Shapes of a few words with digits, tried after dates."""
_PYTHON = (
    r"(?s)^\{\s*(?:'[^']*'|\x22[^\x22]*\x22|\d+)\s*:.*\}$"
    r"|^\[\s*(?:(?:'[^']*'|\x22[^\x22]*\x22|[+-]?\d+(?:\.\d+)?|None|True|False)\s*[,\]]|[{\[(]).*\]$"
)
"""A dict or a list as Python prints it."""


def shapes(texts: pl.Series) -> pl.Series:
    """Return the shape of each of `texts` (strings, no nulls), in their order.

    Takes about 2 s for a million texts. Text that looks like JSON is parsed, the first 10,000 characters of it.
    """
    value, form = pl.col("value"), pl.col("shape")
    found = pl.DataFrame({"value": texts}).with_columns(value.str.strip_chars())
    found = found.with_columns(
        shape=pl.when(value.str.contains(_ALL_DIGITS)).then(pl.lit(OPAQUE)).otherwise(pl.lit(SENTENCE))
    )
    found = _again(found, ~value.str.contains(r"^\S+(?:\s+\S+){3}"), _by_words)
    found = _again(found, value.str.contains(_FEW_WORDS), _by_pattern)
    found = _again(found, value.str.contains(_AGENT), lambda rows: rows.select(shape=pl.lit(AGENT))["shape"])
    found = _again(found, value.str.contains(r"(?s)^(?:\{.*\}|\[.*\])$"), _by_brackets)
    unclear = form.is_in([OPAQUE, WORD, PHRASE, SENTENCE]) & (value.str.len_bytes() <= SHORT)
    has_digit = value.str.contains(r"\d")
    found = _again(found, unclear & has_digit & ~value.str.contains(r"[?!]"), _by_digits)
    return _again(found, unclear & ~has_digit & value.str.contains(FEW_NAMES), _by_names)["shape"]


def _again(found: pl.DataFrame, which: pl.Expr, tell: Callable[[pl.DataFrame], pl.Series]) -> pl.DataFrame:
    """Return `found` (`value`, `shape`) with the shapes that `tell` gives to the rows `which`."""
    rows = found.with_row_index("row").filter(which)
    return found.with_columns(found["shape"].scatter(rows["row"], tell(rows))) if rows.height else found


def _by_words(rows: pl.DataFrame) -> pl.Series:
    """Return the shapes by the number of words and digits; OPAQUE stays."""
    value = pl.col("value")
    words = value.str.count_matches(_WORDS)
    ends = value.str.contains(r"[.?!…\u3002\uff1f\uff01]$")
    return rows.select(
        shape=pl.when(pl.col("shape") == OPAQUE)
        .then(pl.lit(OPAQUE))
        .when((words >= 4) | ((words >= 2) & ends))
        .then(pl.lit(SENTENCE))
        .when(words >= 2)
        .then(pl.lit(PHRASE))
        .when(value.str.count_matches(r"\d") >= 3)
        .then(pl.lit(OPAQUE))
        .otherwise(pl.lit(WORD))
    )["shape"]


def _by_pattern(rows: pl.DataFrame) -> pl.Series:
    """Return the shapes of numbers, codes and the like, as far as `_PATTERNS` know them."""
    value = pl.col("value")
    chain = (
        pl.when(
            value.str.contains(r"(?i)^(?:0x[0-9a-f]+|[0-9a-f]{8,})$")
            & ((value.str.contains(r"\d") & value.str.contains(r"(?i)[a-f]")) | (value.str.len_bytes() >= 16))
        )
        .then(pl.lit(HEX))
        .otherwise(pl.col("shape"))
    )
    return _first_of(rows, _PATTERNS, chain)


def _first_of(rows: pl.DataFrame, patterns: Sequence[tuple[str, str]], otherwise: pl.Expr) -> pl.Series:
    chain = otherwise
    for form, pattern in reversed(patterns):
        chain = pl.when(pl.col("value").str.contains(pattern)).then(pl.lit(form)).otherwise(chain)
    return rows.lazy().select(shape=chain).collect()["shape"]


def _by_brackets(rows: pl.DataFrame) -> pl.Series:
    """Return JSON where it is some (or a list as Python prints it), else the shape of what is in the brackets."""
    printed = rows["value"].str.contains(_PYTHON)
    plain = [i for i, text in enumerate(rows["value"]) if not printed[i] and not _is_json(text)]
    inside = rows["value"][plain].str.replace_all(r"^\[|\]$", "").str.replace_all(r"[\[\]{}]", " ")
    found = pl.Series([JSON] * rows.height, dtype=pl.String)
    return found.scatter(plain, shapes(inside)) if plain else found


def _by_digits(rows: pl.DataFrame) -> pl.Series:
    """Return the shapes of few words with digits: dates, measures, references, addresses."""
    address = pl.when(pl.lit(are_addresses(rows["value"]))).then(pl.lit(ADDRESS)).otherwise(pl.col("shape"))
    date = pl.when(pl.lit(are_dates(rows["value"]))).then(pl.lit(DATE))
    return rows.select(shape=date.otherwise(_first_of(rows, _WITH_DIGITS, address)))["shape"]


def _by_names(rows: pl.DataFrame) -> pl.Series:
    """Return the shapes of a few words without digits: names of people, and what is spelled like them."""
    known, spelled = are_names(rows["value"])
    phrase = pl.col("shape").is_in([PHRASE, SENTENCE])
    return rows.select(
        shape=pl.when(pl.lit(known))
        .then(pl.lit(PERSON))
        .when(phrase & pl.lit(spelled))
        .then(pl.lit(NAME))
        .otherwise(pl.col("shape"))
    )["shape"]


def _is_json(text: str) -> bool:
    if len(text) > 10_000:
        return True
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
