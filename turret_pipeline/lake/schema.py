"""What a table's declaration is made of: its columns, its key, and how its files are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

TIME = pl.Datetime("us", "UTC")
STRINGS = pl.List(pl.String)
VECTOR = pl.List(pl.Float32)  # polars' Array comes back from Delta as List and then fails to scan


@dataclass(frozen=True)
class Column:
    """One column: its name, type, meaning (with unit and range), and whether it may be null."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: what a row is, the columns that make a row unique, and how its files are laid out.

    group_rows: rows that lie together in a file, so that others need not be read (Parquet's row groups); 0: many.
    is_kept: whether rows hold what no build makes again: people's decisions, the ids of topics, and their history.
        An upgrade may add columns to such a table, and never makes it anew.
    made_with: the table with which rows are made, where this one bears no mark of what they were made from; its own
        name: no build makes rows again that are gone, and the next ones write what is then to be told.
    log_kept_h: hours for which older versions can be read. Each commit looks through all names in the log, so that
    30,000 of them, which a project with a steady stream makes in some days, cost a third of a second a commit.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("project_id",)
    group_rows: int = 0
    log_kept_h: int = 24
    is_kept: bool = False
    made_with: str | None = None

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns' types by name, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def is_by_day(self) -> bool:
        """Whether the rows lie in partitions by day of receipt."""
        return "received_date" in self.partition_by

    def empty(self) -> pl.DataFrame:
        """Return a frame of the declared columns with no rows."""
        return self._empty.clone()

    @cached_property
    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)
