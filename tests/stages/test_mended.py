"""A table that bears no mark of what it was made from, too, is whole again after its damage was mended and a build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.damage import data_file, flip, newest_commit
from tests.small_lake import PROJECT, bring, tables
from turret_pipeline.lake.inspection import damage_of_table, standing
from turret_pipeline.lake.mending import mend
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES


@pytest.mark.parametrize("damaged", [lambda lake, name: data_file(lake, name, PROJECT), newest_commit])
@pytest.mark.parametrize("name", ["field_totals", "field_history", "builds"])
def test_what_is_damaged_is_whole_again(
    lake_before: Callable[[str], Lake],
    undisturbed: dict[str, pl.DataFrame],
    name: str,
    damaged: Callable[[Lake, str], Path],
) -> None:
    lake = lake_before("end")
    flip(damaged(lake, name))
    for damage in list(damage_of_table(lake, TABLES[name])):
        mend(lake, damage, lambda file: None)
    bring(lake)
    assert standing(lake) == [] and list(damage_of_table(lake, TABLES[name])) == []
    left = tables(lake)
    for each, expected in undisturbed.items():
        assert left[each].equals(expected), each
