"""The sensor's daemon rests while nothing can have changed; all daemons look at once when there is something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import NullPool, create_engine, text

from turret_api.home.dagster_home import dagster_url as with_schema
from turret_pipeline.lake import waiting
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.stir import stirred
from turret_pipeline.orchestration import daemons
from turret_pipeline.orchestration.pulse import UNKNOWN, Beat, Pulse
from turret_pipeline.orchestration.rest import REST_S, TICK_S, Rest

ROOT = Path(__file__).parents[2]
QUIET = Beat(is_queued=False, is_under_way=False, last_event=7)


class Still(Pulse):
    """A pulse that says what the test says."""

    def __init__(self, beat: Beat = QUIET) -> None:
        self.says = beat

    def beat(self) -> Beat:
        """Return it."""
        return self.says


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in which everything is up to date."""
    lake = Lake(str(tmp_path))
    stirred(lake.root)
    waiting.write(lake, waiting.Seen(1.0))
    return lake


def test_it_rests_as_long_as_nothing_changes_and_looks_all_the_same_now_and_then(lake: Lake) -> None:
    rest = Rest(lake.root, Still())
    assert [second for second in range(0, 100) if rest.is_over(float(second))] == [0, REST_S, 2 * REST_S, 3 * REST_S]


def test_a_change_ends_the_rest_at_once_but_ticks_keep_their_distance(lake: Lake) -> None:
    rest = Rest(lake.root, Still())
    assert rest.is_over(0.0) and not rest.is_over(10.0)
    stirred(lake.root)
    assert rest.is_over(11.0)
    stirred(lake.root)
    assert not rest.is_over(12.0) and rest.is_over(11.0 + TICK_S)


def test_it_does_not_rest_while_something_waits_or_a_run_is_under_way_or_the_database_is_away(lake: Lake) -> None:
    pulse = Still()
    rest = Rest(lake.root, pulse)
    for beat in (Beat(True, False, 7), Beat(False, True, 7), UNKNOWN):
        pulse.says = beat
        assert [at for at in range(100, 120) if rest.is_over(float(at))] == [100, 105, 110, 115]
        pulse.says, rest = QUIET, Rest(lake.root, pulse)
    waiting.write(lake, waiting.follow(None, {"shop": {"topics": None}}, 5.0))
    assert [at for at in range(0, 12) if rest.is_over(float(at))] == [0, 5, 10]


def test_on_s3_it_never_rests() -> None:
    rest = Rest("s3://bucket/lake", Still())
    assert [at for at in range(0, 12) if rest.is_over(float(at))] == [0, 5, 10]


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """URL of the database, with Dagster's schema empty."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS dagster CASCADE"))
        connection.execute(text("CREATE SCHEMA dagster"))
    yield database_url
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA dagster CASCADE"))
    engine.dispose()


@pytest.fixture
def instance(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The Dagster of `dagster_home/dagster.yaml` in that schema."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster_home" / "dagster.yaml").read_text())
    monkeypatch.setenv("TURRET_DAGSTER_DATABASE_URL", with_schema(url))
    monkeypatch.setenv("TURRET_DAGSTER_STORAGE", str(tmp_path / "storage"))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


@dg.asset
def nothing() -> None:
    """A run of this does nothing."""


def test_the_pulse_tells_what_dagsters_tables_hold_for_its_daemons(
    instance: dg.DagsterInstance, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turret_pipeline.orchestration.pulse.KEPT_S", -1.0)
    pulse = Pulse(url)
    assert pulse.beat() == Beat(is_queued=False, is_under_way=False, last_event=0)
    dg.materialize([nothing], instance=instance)
    ended = pulse.beat()
    assert (ended.is_queued, ended.is_under_way) == (False, False) and ended.last_event > 0
    with create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        for status, expected in {"QUEUED": (True, False), "STARTED": (False, True), "FAILURE": (False, False)}.items():
            connection.execute(text("UPDATE dagster.runs SET status = :status"), {"status": status})
            beat = pulse.beat()
            assert (beat.is_queued, beat.is_under_way) == expected


def test_a_database_that_is_away_makes_every_daemon_look() -> None:
    assert Pulse("postgresql://turret:none@127.0.0.1:1/turret").beat() == UNKNOWN


def test_daemons_that_find_nothing_to_do_ask_dagsters_storage_nothing(instance: dg.DagsterInstance) -> None:
    made = {type(each): each for each in daemons.quiet_daemons(instance, "/nowhere", Still())}
    for kind in (daemons.QuietQueue, daemons.QuietMonitoring):
        assert list(made[kind].run_iteration(None)) == []
    assert {each.daemon_type() for each in made.values()} == set(instance.get_required_daemon_types())
    assert not {"ASSET", "FRESHNESS_DAEMON"} & set(instance.get_required_daemon_types())
