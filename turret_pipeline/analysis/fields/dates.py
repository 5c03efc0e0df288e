"""Dates and times as people and programs write them, in the languages of `words/dates.tsv`.

A text is a date when all of it is: it is cut into tokens, each token becomes the letter of its kind, and the row of
letters is judged. So the order of day, month and year is free, and "on March 3 I called" is no date.

    Fri Apr 10 2026 13:02:23 GMT+0100 (Central European Standard Time)    W M N Y T Z

Why no parser of dates: dateparser reads "12", "3.10" and "may" as dates too and takes up to a second for a text that is
none; python-dateutil knows English only.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant.
from __future__ import annotations

import functools

import polars as pl

from turret_pipeline.analysis.fields.words import date_words

_CLEANED = (
    (r"[\u200e\u200f]", ""),
    (r"\b(?:africa|america|antarctica|asia|atlantic|australia|europe|indian|pacific|etc)/[a-z_/]+", " utc "),
    (r"[\s\u00a0\u202f_]+", " "),
    (r"^(\d{4})\.\s?(\d{1,2})\.\s?(\d{1,2})\.?", "$1-$2-$3"),
    (r"^(\d{1,2})\.\s(\d{1,2})\.\s(\d{4})", "$1.$2.$3"),
    (r"^\[(.*)\]$", "$1"),
    # Names of time zones: in brackets, by region, as an offset; Go's reading of its monotonic clock.
    (r"\s?\([^()\d]{1,60}\)$|\s?\[[\w/+-]+\]$|\sm=[+-][\d.]+$", ""),
    (r"\b(?:utc|gmt)\s?[+\u2212-]\d{1,2}(?::?\d{2})?\b", " utc "),
    (r"\b[ap]\.\s?m\b\.?", " am "),
    (r"(:\d{2}),(\d{3,9})\b", "$1.$2"),
)

_TOKEN = r"\d+(?:[:./-]\d+)*|[+\u2212-]\d{2}:?\d{2}\b|[\p{L}\p{M}]+(?:['\u2019.\u200c][\p{L}\p{M}]+)*|[^\s\p{L}\p{M}\d]"

_KINDS = (
    ("", r"^[-,./()\[\]|:;\u2013\u2014\u00b7\u060c\u3001']$"),
    ("T", r"^\d{1,2}:\d{2}(?::\d{2})?(?:[.:]\d{1,9})?(?:-\d{1,2}:\d{2}.*|-\d{4})?$"),
    ("D", r"^\d{4}[-/.:]\d{1,2}[-/.:]\d{1,2}(?:[:-].*)?$|^\d{1,2}([/.-])\d{1,2}[/.-]\d{4}$|^(?:19|20)\d{6}$"),
    ("D", r"^\d{1,2}/\d{1,2}/\d{2}$"),
    ("t", r"^\d{1,2}[.-]\d{1,2}(?:[.-]\d{1,2})?(?:\.\d{1,9})?$|^\d{6}$"),
    ("Y", r"^-?(?:1[3-9]|2[0-6])\d{2}$"),
    ("N", r"^\d{1,2}$"),
    ("Z", r"^[+\u2212-](?:0\d|1[0-4]):?\d{2}$"),
)
"""Kinds of tokens: clock times T, whole dates D, either in a weaker form t, years Y, small numbers N, time zones Z.

Words: months M (m: short ones that are other words too), days of the week W, am and pm P, today R, units of time U,
"ago" G, time zones Z, and what joins them (c, o, and K: the word for month where months have numbers).
"""

_DATE = (
    r"D|T|M.*[NY]|[NY].*M|m.*(?:Y|N.*N)|N.*m.*[NY]|Y.*m|[NYt].*K.*N|K.*N.*Y|N.*P|P.*N"
    r"|N.*U.*[Gm]|G.*N.*U|R.*[TtN]|[TtN].*R"
)
"""What is in a row of kinds that is a date, none of which is unknown."""

_WHOLE = (
    # 2026年2月22日 04:21, 2026년 2월 22일 오후 4시 21분, 2月22日
    r"^(?:令和|平成|昭和|民國|民国|西暦|公元)?\s?(?:\d{1,4}\s?[年년]\s?)?\d{1,2}\s?[月월](?:\s?\d{1,2}\s?[日일号號])?"
    r"[\s\d:.,時时点點分秒시분초午前後后上下中오전후早晚凌晨()（）曜日一二三四五六月火水木金土週周星期禮拜"
    r"요화수목금토]*$"
    r"|^\d+\s?(?:秒|分钟?|小?[时時間间]+|日|天|週間?|周|[か个個ヶ]月|年|초|분|시간|일|주|개월|년)\s?[前后後전후]$"
    # datetime.date(2026, 2, 22), ISODate("…"), /Date(1771730515000)/
    r"|^/?(?:new\s)?(?:datetime\.)?(?:date|time|datetime|timestamp|isodate)\(['\x22]?\d[\d\s,:.tz+-]*['\x22]?"
    r"(?:, tz(?:info)?=.{1,60})?\)/?$"
    # 2026-02, 2026-W08, 2026-W08-7
    r"|^(?:19|20)\d{2}[-/](?:0[1-9]|1[0-2])$|^\d{4}-?w\d{2}(?:-\d)?$"
)

_FIRST = [
    "datetime",
    "date",
    "time",
    "timestamp",
    "isodate",
    "new",
    "令和",
    "平成",
    "昭和",
    "民國",
    "民国",
    "西暦",
    "公元",
]
"""What such a text begins with."""
MOST_TOKENS = 24
_DIGITS = {chr(zero + digit): str(digit) for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10) for digit in range(10)}
"""Arabic, Persian, Devanagari, Bengali, Thai and wide digits."""


def are_dates(texts: pl.Series) -> pl.Series:
    """Return whether each of `texts` (strings, no nulls) is a date or a time and nothing else."""
    value = pl.col("value")
    rows = pl.DataFrame({"value": texts.str.to_lowercase()}).with_row_index("row")
    # Most texts begin with a word that no date has, and are not looked at any further.
    begins = value.str.extract(r"^[^\p{L}\d]*(\d|[\p{L}\p{M}]+)", 1)
    rows = rows.filter(begins.str.contains(r"^\d") | begins.is_in(_beginnings().implode()))
    rows = rows.with_columns(value.str.replace_many(_DIGITS))
    for pattern, by in _CLEANED:
        rows = rows.with_columns(value.str.replace_all(pattern, by))
    whole = rows.filter(value.str.contains(_WHOLE))["row"]
    tokens = rows.select("row", token=value.str.extract_all(_TOKEN))
    tokens = tokens.filter(pl.col("token").list.len().is_between(1, MOST_TOKENS)).explode("token")
    kinds = _kinds(tokens["token"].unique())
    parts = tokens.join(kinds, on="token", maintain_order="left").group_by("row").agg(pl.col("kind").str.join(""))
    is_date = ~pl.col("kind").str.contains("?", literal=True) & pl.col("kind").str.contains(_DATE)
    said = parts.filter(is_date & (pl.col("kind").str.count_matches(r"[NYDTtM]") <= 8))["row"]
    found = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(texts))
    return found.scatter(pl.concat([whole, said]), True)


@functools.cache
def _beginnings() -> pl.Series:
    """Return the words that a date can begin with, a program's form of it included."""
    words = date_words()["token"].str.extract(r"^([\p{L}\p{M}]+)", 1)
    return pl.concat([words, pl.Series(_FIRST)]).unique()


def _kinds(tokens: pl.Series) -> pl.DataFrame:
    """Return `token` and `kind` of distinct `tokens`; "?" where it is no part of a date."""
    token = pl.col("token")
    chain: pl.Expr = pl.lit("?")
    for kind, pattern in reversed(_KINDS):
        chain = pl.when(token.str.contains(pattern)).then(pl.lit(kind)).otherwise(chain)
    known = pl.DataFrame({"token": tokens}).join(date_words(), on="token", how="left", maintain_order="left")
    return known.select("token", kind=pl.coalesce("kind", chain))
