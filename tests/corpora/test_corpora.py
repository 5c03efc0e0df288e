"""Whatever the texts, a build succeeds and its numbers add up: from profile to export, at the first build and the next.

Twenty corpora are twenty fields of one project, so that a lake of tables is made once for twenty. The stages run one
after the other in this process, without Dagster. Of five projects, four are embedded by the stand-in and one by the
model that ships with Turret.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.corpora.corpora import VECTORS, Corpus, corpus
from tests.corpora.laws import assert_answers_add_up, assert_exports_open, assert_tables_are_sound
from tests.corpora.stand_in import StandIn
from tests.read.reading import read_app
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_OVERRIDES
from turret_pipeline.stages import STAGES, embeddings, text_kinds, text_sentiment
from turret_pipeline.stages.fits import fit
from turret_pipeline.stages.work import Work

ODD = ("prompt", "message", "q?f", "Größe", "a.b", "tab\tname", 'say "it\'s"', "日本", "back\\slash", "type")
FIELDS = (*ODD, *(f"{name} {n}" for n, name in enumerate(ODD)))
"""Names of a project's twenty fields."""

DAYS = [dt.date(2026, 10, 1), dt.date(2026, 10, 2), dt.date(2026, 10, 5)]
REAL = "real"
FIRST = 2 / 3
"""Share of the events that are there at the first build."""

QUICK = (0, 1, 4)
"""Projects with each kind of text: one that is also made anew, one of stand-ins and one with the real model."""


@pytest.fixture
def lake(tmp_path: Path, keep_model: Callable[[Lake], None]) -> Iterator[Lake]:
    """A lake with the model, on which a project may be embedded by the stand-in, as the name of its model says."""
    made = Lake(str(tmp_path / "lake"))
    made.make()
    keep_model(made)

    def open_either(lake: Lake, model: str | None) -> Embedder | StandIn:
        return open_lake_embedder(lake, None) if model is None else StandIn(model, model.partition(":")[2])

    with pytest.MonkeyPatch.context() as patch:
        for module in (embeddings, text_kinds, text_sentiment, fit):
            patch.setattr(module, "open_lake_embedder", open_either)
        yield made


@pytest.fixture
def client(lake: Lake) -> Iterator[TestClient]:
    with TestClient(read_app(lake)) as opened:
        yield opened


def rows_of(corpora: dict[str, Corpus], rng: random.Random) -> list[dict[str, object]]:
    """Return one raw event for each place in the corpora, with the values that they have there, in three days."""
    rows, sessions = [], rng.randint(1, 40)
    n_events = max(len(each.values) for each in corpora.values())
    for number in range(n_events):
        day = DAYS[number * len(DAYS) // n_events]
        at = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(seconds=rng.randint(0, 80_000))
        metadata: dict[str, object] = {"plan": rng.choice(["free", "pro"]), "tokens": rng.randint(0, 999)}
        metadata |= {field: each.values[number] for field, each in corpora.items() if number < len(each.values)}
        session = f"s{rng.randint(1, sessions)}"
        row = (f"e{number}", session, f"u{session}", "said", at, at, number, json.dumps(metadata))
        rows.append(dict(zip(PART_SCHEMA, row, strict=True)))
    return rows


def bring(lake: Lake, project: str, model: str | None, full_refresh: bool = False) -> None:
    for stage in STAGES:
        stage.bring(Work(lake, project, model, full_refresh))


def put(lake: Lake, project: str, part: str, rows: list[dict[str, object]]) -> None:
    for day in DAYS:
        of_day = [row for row in rows if row["received_at"].date() == day]  # type: ignore[attr-defined]
        if of_day:
            write_part(lake, project, day, f"{part}.parquet", pl.DataFrame(of_day, schema=PART_SCHEMA))


def assert_a_project_of(number: int, lake: Lake, client: TestClient, folder: Path) -> None:
    """Assert all laws of the project with the corpora from `20 * number` on, at two or three builds."""
    rng, project = random.Random(number), f"project-{number}"
    corpora = {field: corpus(len(FIELDS) * number + place) for place, field in enumerate(FIELDS)}
    model = None if number % 5 == 4 else f"stand-in:{rng.choice(VECTORS)}"
    chosen = [
        (project, field, dt.datetime(2026, 10, 1, tzinfo=dt.UTC), "text")
        for field, each in corpora.items()
        if each.is_chosen
    ]
    store.append(lake, FIELD_OVERRIDES, pl.DataFrame(chosen, schema=FIELD_OVERRIDES.schema, orient="row"))
    rows = rows_of(corpora, rng)
    n_first = max(1, int(len(rows) * FIRST))
    put(lake, project, "first", rows[:n_first])
    bring(lake, project, model)
    assert_tables_are_sound(lake, project)
    put(lake, project, "rest", rows[n_first:])
    bring(lake, project, model)
    assert_tables_are_sound(lake, project)
    if number % 5 == 0:
        bring(lake, project, model, full_refresh=True)
        assert_tables_are_sound(lake, project)
    assert_answers_add_up(client, lake, project)
    assert_exports_open(lake, project, folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", QUICK)
def test_whatever_the_texts_a_build_succeeds_and_its_numbers_add_up(
    number: int, lake: Lake, client: TestClient, tmp_path: Path
) -> None:
    assert_a_project_of(number, lake, client, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("number", sorted(set(range(105)) - set(QUICK)))
def test_whatever_the_texts_of_two_thousand_corpora_a_build_succeeds_and_its_numbers_add_up(
    number: int, lake: Lake, client: TestClient, tmp_path: Path
) -> None:
    assert_a_project_of(number, lake, client, tmp_path)
