"""Topics that few users have, counted as one: `few`, a node of journeys and a row of lists like any other.

What is shown without texts is to be of `least` users or more (k-anonymity: Sweeney, "k-Anonymity", 2002). So steps get
`few` as their topic before anything is counted of them, and whatever is counted adds up by itself. Were `few` of too
few users in turn, it could be had by subtraction: then the next smallest topics go with it. Of fewer than `least` users
in all nothing is counted.

A user is a `user_id`. Where events came without one the server made one for each; here they are by the user of their
session's first message, or one person's five messages would be five users.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from turret_api.read.views.topics import FEW
from turret_api.read.views.values import compact


def without_few(
    steps: pl.DataFrame,
    users: pl.Series,
    least: int,
    counts: pl.Expr | None = None,
    theme_of: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Return `steps` with the topics of fewer than `least` users as `few`; no step if there are not so many users.

    users: of each step, a number. counts: whether a step counts, and may get another topic (None: all do). theme_of:
    the themes of topics that have one. A theme of too few users goes with all its topics. In any other the topics that
    go are of enough users together, or they could be had from its number, which is shown at the level of themes.
    """
    topic = steps["topic_id"]
    told = steps.select(code=topic.to_physical().cast(pl.UInt32), counts=pl.lit(True) if counts is None else counts)
    told = told.with_columns(users.alias("user"))
    counted = told.filter("counts").select("code", "user").unique()
    if counted["user"].n_unique() < least:
        return steps.head(0)
    used = topic.unique()
    names = dict(zip(used.to_physical().to_list(), used.cast(pl.String), strict=True))
    theme_of = theme_of or {}
    themes = {code: theme_of.get(name, name) for code, name in names.items()}
    small = _small(
        counted.with_columns(theme=pl.col("code").replace_strict(themes, return_dtype=pl.String)), names, least
    )
    if not small:
        return steps
    few = max(names) + 1
    texts = pl.Series([names.get(code, FEW) for code in range(few + 1)], dtype=pl.String)
    code = pl.when(pl.col("counts") & pl.col("code").is_in(small)).then(pl.lit(few, pl.UInt32)).otherwise("code")
    return steps.with_columns(compact(texts).gather(told.select(code=code)["code"]).alias(topic.name))


def _small(counted: pl.DataFrame, names: dict[int, str], least: int) -> list[int]:
    """Return which topics are to be counted as one. counted: each `code`, `theme` and `user` that belong together."""
    themes = counted.select("theme", "user").unique().rename({"theme": "name"})
    gone = smallest(themes, least)
    found: list[int] = counted.filter(pl.col("theme").is_in(gone))["code"].unique().to_list()
    named = counted.with_columns(name=pl.col("code").replace_strict(names, return_dtype=pl.String))
    for _, topics in named.filter(~pl.col("theme").is_in(gone)).group_by("theme"):
        within = smallest(topics.select("name", "user"), least)
        found += topics.filter(pl.col("name").is_in(within))["code"].unique().to_list()
    return found


def smallest(counted: pl.DataFrame, least: int) -> list[str]:
    """Return which of the names are of too few users, and what hides them: the next smallest.

    counted: each `name` and `user` that belong together, once. Of names that equally many users have the first goes, so
    that all answers tell the same.
    """
    sizes = counted.group_by("name").agg(n=pl.len()).sort("n", "name")
    names = sizes["name"].to_list()
    n = sizes.filter(pl.col("n") < least).height
    while 0 < n < len(names) and counted.filter(pl.col("name").is_in(names[:n]))["user"].n_unique() < least:
        n += 1
    return names[:n]


def told_on(days: pl.DataFrame, least: int, sides: tuple[str, ...] = ()) -> dict[dt.date, dt.date]:
    """Return by day on which day its counts are told: with those of later days, until they are of `least` users.

    What is left at the end is told with those before it; of too few users in all, no day is told.

    days: `date` and `user`. sides: columns that say whether a row is of something; the rows that are, and those that
    are not, have to be of so many users each.
    """
    groups: list[tuple[list[dt.date], list[set[int]]]] = []
    is_open = False
    for (date,), rows in days.sort("date").group_by("date", maintain_order=True):
        assert isinstance(date, dt.date)
        parts = [rows.filter(pl.col(side) == is_so) for side in sides for is_so in (True, False)] or [rows]
        group = [date], [set(part["user"].to_list()) for part in parts]
        if is_open:
            group = _joined(groups.pop(), group)
        groups.append(group)
        is_open = not _is_enough(group[1], least, may_be_none=bool(sides))
    while is_open and len(groups) > 1:
        groups[-2:] = [_joined(*groups[-2:])]
        is_open = not _is_enough(groups[-1][1], least, may_be_none=bool(sides))
    return {} if is_open else {date: dates[-1] for dates, _ in groups for date in dates}


def _joined(
    one: tuple[list[dt.date], list[set[int]]], other: tuple[list[dt.date], list[set[int]]]
) -> tuple[list[dt.date], list[set[int]]]:
    return one[0] + other[0], [a | b for a, b in zip(one[1], other[1], strict=True)]


def _is_enough(users: list[set[int]], least: int, *, may_be_none: bool) -> bool:
    return all(len(each) >= least or (may_be_none and not each) for each in users)
