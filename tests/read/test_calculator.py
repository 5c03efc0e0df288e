"""Questions worked out in a process of their own: the same answers, and the server survives every one."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import psutil
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import Api
from tests.read.reading import read_app
from tests.read.test_answers import ROUTES
from turret_api.errors import ApiError, UnavailableError
from turret_api.read.engine.calculator import Calculator
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.process import make_ready
from turret_api.read.questions.fields import AllFields
from turret_api.read.questions.journeys.loops import LoopsOfTopics
from turret_api.read.questions.topics.topics import TopicsOfField
from turret_api.read.views.filters import Filters
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_STEPS


@pytest.fixture(scope="module")
def calculator(written: Path) -> Iterator[Calculator]:
    found = Calculator(Lake(str(written)))
    yield found
    found.close()


def is_gone(process_id: int) -> bool:
    for _ in range(1200):
        if not psutil.pid_exists(process_id):
            return True
        time.sleep(0.05)
    return False


NO_LISTS = ("/v1/topics/t_parcel", "/v1/topics/map", "/v1/digest")


@pytest.mark.slow
def test_every_answer_is_the_same_as_without(api: Api, calculator: Calculator, written: Path) -> None:
    app = read_app(Lake(str(written)), calculator=calculator)
    with TestClient(app) as client:
        for path, params in ROUTES.items():
            for more in ({}, {"format": "csv"}) if path not in NO_LISTS else ({},):
                asked = {**params, **more}
                there = client.get(path, params=asked, headers={"X-API-Key": "shop:read"})
                here = api.client.get(path, params=asked, headers={"X-API-Key": "shop:read"})
                assert (there.status_code, there.content) == (200, here.content), path
                assert there.headers == here.headers
        for path, status in (
            ("/v1/topics/absent", 404),
            ("/v1/topics?field=plan", 400),
            ("/v1/messages?cursor=x", 400),
        ):
            there, here = (each.get(path, headers={"X-API-Key": "shop:read"}) for each in (client, api.client))
            assert (there.status_code, there.json()) == (status, here.json())


@pytest.mark.slow
def test_who_waits_too_long_is_told_and_work_that_takes_even_longer_is_ended(written: Path) -> None:
    calculator = Calculator(Lake(str(written)))
    assert b"t_parcel" in (calculator.ask("shop", TopicsOfField()).content or b"")
    process_id = calculator.process_id
    assert process_id is not None
    stopped = psutil.Process(process_id)
    stopped.suspend()  # as if the work took for ever
    calculator._limit_s = 0.2
    with pytest.raises(UnavailableError, match="takes longer"):
        calculator.ask("shop", TopicsOfField(filters=Filters(name="voice")))
    assert calculator.process_id == process_id
    assert is_gone(process_id)
    calculator._limit_s = 30.0
    assert b"t_parcel" in (calculator.ask("shop", TopicsOfField()).content or b"")
    calculator.close()


@contextlib.contextmanager
def no_file_can_be_opened() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "limit"), [("_limit_bytes", 1 << 20), ("_limit_s", 0.1)])
def test_limits_hold_while_no_file_can_be_opened_and_questions_are_answered_afterwards(
    written: Path, name: str, limit: float
) -> None:
    calculator = Calculator(Lake(str(written)))
    calculator.start()
    process_id = calculator.process_id
    assert process_id is not None
    process = psutil.Process(process_id)
    wait_until(lambda: process.memory_info().rss > 8 << 20)  # it has begun, and is over the limit of the one case
    process.suspend()  # as if it worked for ever
    before = getattr(calculator, name)
    with no_file_can_be_opened():
        setattr(calculator, name, limit)
        with pytest.raises(ApiError):
            calculator.ask("shop", TopicsOfField())
        wait_until(lambda: calculator.process_id is None)
        with pytest.raises(UnavailableError, match="cannot work on questions now"):
            calculator.ask("shop", TopicsOfField())
    assert is_gone(process_id)
    setattr(calculator, name, before)
    assert b"t_parcel" in (calculator.ask("shop", TopicsOfField()).content or b"")
    calculator.close()


def test_what_is_asked_first_of_large_projects_is_at_hand_without_their_steps(written: Path, tmp_path: Path) -> None:
    lake = Lake(str(shutil.copytree(written, tmp_path / "lake")))
    write_steps(lake, "large", 4_000)
    write_steps(lake, "too-large", 5_000)
    engine = Engine(lake)
    make_ready(engine, TopicsOfField(), large=2_000, most=4_500)
    for file in Path(lake.table(JOURNEY_STEPS.name)).rglob("*.parquet"):
        file.unlink()
    assert b'"n_sessions":400' in (engine.ask("large", TopicsOfField()).content or b"")
    for project in ("too-large", "shop"):
        with pytest.raises(ApiError):
            engine.ask(project, TopicsOfField())


def test_a_question_that_takes_too_much_memory_is_ended_and_named(written: Path) -> None:
    calculator = Calculator(Lake(str(written)), limit_bytes=1 << 20)
    with pytest.raises(ApiError, match="more memory") as error:
        calculator.ask("shop", TopicsOfField())
    assert error.value.status == 400
    assert calculator.process_id is None


@pytest.mark.long
def test_a_question_that_was_under_way_with_one_too_large_is_answered(written: Path, tmp_path: Path) -> None:
    lake = Lake(str(shutil.copytree(written, tmp_path / "lake")))
    write_steps(lake, "big", 4_000_000)
    calculator = Calculator(lake)
    calculator.start()
    process_id = calculator.process_id
    assert b"t_parcel" in (calculator.ask("shop", TopicsOfField()).content or b"")
    assert calculator.process_id == process_id is not None
    process = psutil.Process(process_id)
    calculator._limit_bytes = process.memory_info().rss + (120 << 20)
    process.suspend()  # so that all are under way at once
    with ThreadPoolExecutor(3) as threads:
        large = [threads.submit(calculator.ask, "big", LoopsOfTopics(level=i)) for i in range(2)]
        wait_until(lambda: len(calculator._running.asked_at) == 2)  # type: ignore[union-attr]
        small = threads.submit(calculator.ask, "shop", LoopsOfTopics())
        wait_until(lambda: len(calculator._running.asked_at) == 3)  # type: ignore[union-attr]
        process.resume()
        assert b"t_refund" in (small.result().content or b"")
        for each in large:
            assert isinstance(each.exception(), ApiError)
            assert "more memory" in str(each.exception())
    assert is_gone(process_id)
    assert b"t_parcel" in (calculator.ask("shop", TopicsOfField()).content or b"")
    calculator.close()


def write_steps(lake: Lake, project_id: str, n: int) -> None:
    """Write `n` steps of sessions of ten, of a text field that the other project has too."""
    field = store.read(lake, FIELD_TYPES, "shop").filter(pl.col("type") == "text")
    store.replace(lake, FIELD_TYPES, field.with_columns(project_id=pl.lit(project_id)), project_id)
    number = pl.int_range(n, dtype=pl.Int64)
    step = store.read(lake, JOURNEY_STEPS, "shop").head(1)
    steps = step.select(pl.all().repeat_by(n).explode()).with_columns(
        project_id=pl.lit(project_id),
        place=number % 10,
        session_id=(number // 10).cast(pl.String),
        topic_id=(number % 7).cast(pl.String),
    )
    store.replace(lake, JOURNEY_STEPS, steps, project_id)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


@pytest.mark.slow
def test_after_a_crash_the_next_question_is_answered_and_nothing_is_left_when_it_closes(written: Path) -> None:
    calculator = Calculator(Lake(str(written)))
    calculator.start()
    first = calculator.process_id
    assert first is not None
    calculator.ask("shop", AllFields())
    assert calculator.process_id == first
    os.kill(first, signal.SIGKILL)
    assert b"plan" in (calculator.ask("shop", AllFields()).content or b"")
    second = calculator.process_id
    assert second is not None and second != first
    calculator.close()
    assert is_gone(second)
