"""A home of each earlier release, upgraded without a hand: the same events, ids, edits, overrides, keys and quotas.

`make` makes the homes. 0.1.0 is the release; the others are named by their day: 2026-11-23 and 2026-11-25 are of before
it, 2026-11-28 is of the last day before homes had a layout.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.homes.make import Release, wait_for
from tests.small_lake import bring
from turret_api.accounts import Accounts
from turret_api.accounts.keys import key_hash
from turret_api.command.restore import read as restore
from turret_api.command.upgrade import Standing, standing, upgrade
from turret_api.home.spools import bring_in_spools
from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    EVENTS,
    FIELD_OVERRIDES,
    FIELD_PROFILES,
    FIELD_TYPES,
    JOURNEY_STEPS,
    MESSAGES,
    TABLES,
    TOPIC_ASSIGNMENTS,
    TOPIC_EDITS,
    TOPICS,
)
from turret_pipeline.settings import Settings
from turret_pipeline.stages.check import declared_types
from turret_pipeline.stages.pending import pending_stages

HERE = Path(__file__).parent
RELEASES = sorted(path.name.removesuffix(".tar.xz") for path in HERE.glob("*.tar.xz"))
BEFORE_RELEASES = ("2026-11-23", "2026-11-25")
"""Homes of before the first release."""
QUICK = "0.1.0"
CURRENT = Standing(True, (), ())


@dataclass(frozen=True)
class Home:
    """A home of an earlier release as it was left, and what was put in."""

    settings: Settings
    url: str
    expected: dict[str, Any]

    @property
    def lake(self) -> Lake:
        return self.settings.open_lake()


@pytest.fixture
def home_of(
    tmp_path: Path, make_database: Callable[[], str], keep_model: Callable[[Lake], None]
) -> Callable[[str], Home]:
    """Return what restores the home of a release, with a database of its own."""

    def make(release: str) -> Home:
        home, url = tmp_path / "home", make_database()
        settings = Settings.from_environment({"TURRET_HOME": str(home), "TURRET_DATABASE_URL": url})
        home.mkdir()
        restore(settings, url, HERE / f"{release}.tar.xz", lambda _: None)
        keep_model(settings.open_lake())
        return Home(settings, url, json.loads((HERE / f"{release}.json").read_text()))

    return make


def decisions(lake: Lake) -> list[list[tuple[object, ...]]]:
    return [store.read(lake, table, "shop").sort("decided_at").rows() for table in (TOPIC_EDITS, FIELD_OVERRIDES)]


def topic_ids(lake: Lake) -> set[str]:
    return set(store.scan(lake, TOPICS, "shop").filter(level=0).select("topic_id").collect()["topic_id"])


def anew(home: Home, folder: Path) -> Lake:
    """Return a lake that this version builds, up to the messages, from the home's raw events and overrides alone."""
    lake = Lake(str(folder))
    shutil.copytree(Path(home.lake.root) / "events", folder / "events")
    store.append(lake, FIELD_OVERRIDES, store.read(home.lake, FIELD_OVERRIDES, "shop"))
    bring(lake, "shop", until="messages")
    return lake


def mark_of(release: str) -> list[pytest.MarkDecorator]:
    if release in BEFORE_RELEASES:
        return [pytest.mark.long]
    return [] if release == QUICK else [pytest.mark.slow]


@pytest.mark.parametrize("release", [pytest.param(each, marks=mark_of(each)) for each in RELEASES])
def test_a_home_of_each_release_is_upgraded_without_a_hand(
    home_of: Callable[[str], Home], release: str, tmp_path: Path
) -> None:
    home, said = home_of(release), list[str]()
    expected, lake = home.expected, home.lake
    ids, decided = topic_ids(lake), decisions(lake)
    assert ids == {topic["topic_id"] for topic in expected["topics"]}
    assert [len(each) for each in decided] == [3, 1]
    assert not standing(home.settings, home.url).obstacles

    upgrade(home.settings, home.url, said.append)
    assert standing(home.settings, home.url) == CURRENT
    bring_in_spools(home.settings, home.url)
    for project in ("shop", "other"):
        bring(lake, project)

    assert decisions(lake) == decided
    assert sorted(store.read(lake, EVENTS, "shop")["event_id"]) == sorted(expected["event_ids"])
    assert store.read(lake, EVENTS, "other").height == 1
    assert ids <= topic_ids(lake)
    assigned = store.read(lake, TOPIC_ASSIGNMENTS, "shop").drop_nulls("topic_id")
    assert set(assigned["topic_id"]) <= topic_ids(lake)
    assert store.read(lake, FIELD_TYPES, "shop").filter(field="code").select("type", "overridden").rows() == [
        ("enum", True)
    ]
    vectors = store.read(lake, EMBEDDINGS, "shop").filter(model=model_key(None))
    assert (store.read(lake, JOURNEY_STEPS, "shop").height, vectors.height) == (165, 165)
    for table in TABLES.values():
        assert declared_types(table).find(lake, "shop", None).n_wrong == 0, table.name
    assert not any(pending_stages(lake, None).values())
    rebuilt = anew(home, tmp_path / "anew")
    for table in (EVENTS, FIELD_PROFILES, FIELD_TYPES, MESSAGES):
        found, wanted = (store.read(each, table, "shop").sort(*table.key) for each in (lake, rebuilt))
        assert found.equals(wanted), table.name

    accounts = Accounts(home.url)
    (shop,) = [each for each in accounts.projects() if each.project_id == "shop"]
    assert (shop.plan, shop.limit, accounts.usage("shop").used) == ("enterprise", expected["limit"], 165)
    hashes = {key.hash for key in accounts.keys("shop") + accounts.keys("other")}
    for project in ("project", "other"):
        assert {key_hash(expected[project][f"{scope}_key"]) for scope in ("write", "read", "admin")} <= hashes
    accounts.close()


def test_homes_are_small_however_many_releases_there_will_be() -> None:
    assert len(RELEASES) >= 4
    for release in RELEASES:
        assert (HERE / f"{release}.tar.xz").stat().st_size < 1_000_000, release
        assert (HERE / f"{release}.json").exists()


def test_an_upgrade_is_done_once_and_costs_nothing_then(home_of: Callable[[str], Home]) -> None:
    home, said = home_of("0.1.0"), list[str]()
    upgrade(home.settings, home.url, said.append)
    bring(home.lake, "shop", until="messages")
    before = {table.name: store.version(home.lake, table) for table in TABLES.values()}
    upgrade(home.settings, home.url, said.append)
    assert {table.name: store.version(home.lake, table) for table in TABLES.values()} == before


@pytest.mark.long
def test_turret_up_alone_upgrades_a_home_whose_cursor_this_version_does_not_know(
    home_of: Callable[[str], Home],
) -> None:
    home = home_of("2026-11-25")
    keys = home.expected["project"]
    here = Release(HERE.parents[1], home.settings.home)
    here.environment["TURRET_DATABASE_URL"] = home.url
    late = {"name": "late", "event_id": "late", "session_id": "late", "user_id": "late", "metadata": {"code": 1}}

    def is_built() -> bool:
        return "late" in {each["name"] for each in here.get("/v1/events", keys["admin_key"])["data"]}

    with here.running("up"):
        here.must("POST", "/track", keys["write_key"], late)
        wait_for(is_built)
    assert standing(home.settings, home.url) == CURRENT
    assert sorted(store.read(home.lake, EVENTS, "shop")["event_id"]) == sorted([*home.expected["event_ids"], "late"])
