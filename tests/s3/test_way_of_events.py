"""The way of events on a lake on S3, from the request to the answer, and what the requests to S3 come to."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.s3.conftest import Story
from tests.s3_server import Request
from tests.test_one_event import other_events, raw_events, until
from turret_pipeline.lake import files, heads, parts, store, upkeep
from turret_pipeline.lake.layout import refuse_newer
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, JOURNEY_EDGES, MESSAGES, TOPICS
from turret_pipeline.stages.pending import LakeNow, blocked_tables

QUESTIONS = ("/v1/topics", "/v1/fields", "/v1/journeys")


def test_events_become_topics_and_journeys(story: Story) -> None:
    topics = story.read.get("/v1/topics").json()["data"]
    assert sum(topic["size"] for topic in topics) == len(other_events())
    assert story.read.get("/v1/journeys").json()["edges"]
    assert story.bucket.uploads() == []


def test_a_question_on_an_unchanged_lake_takes_three_requests_at_most(story: Story) -> None:
    for question in QUESTIONS:
        story.read.get(question)
    for number in range(2, 5):
        for question in QUESTIONS:
            with story.bucket.counting() as found:
                assert story.read.get(question, params={"limit": number}).status_code == 200
            assert len(found) <= 3, told(found)


@pytest.mark.slow
def test_a_build_without_news_takes_thirty_requests_at_most(story: Story) -> None:
    story.build()
    with story.bucket.counting() as found:
        story.build()
    assert len(found) <= 30, told(found)


def test_the_pipeline_looks_at_an_unchanged_lake_with_one_request(story: Story) -> None:
    def look() -> None:
        lake = heads.look(story.lake)
        refuse_newer(lake)
        lake_now = LakeNow(lake)
        assert not any(lake_now.pending(project) for project in lake_now.projects)
        assert not blocked_tables(lake)

    look()
    with story.bucket.counting() as found:
        look()
    assert len(found) == 1, told(found)


def test_a_question_while_s3_is_away_is_answered_with_503_and_then_again(story: Story) -> None:
    assert story.read.get("/v1/topics").status_code == 200
    with story.bucket.away():
        # A look of less than a second ago still counts.
        until(lambda: story.read.get("/v1/topics", timeout=20).status_code != 200)
        for path in QUESTIONS:
            answer = story.read.get(path, timeout=20)
            assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE"), answer.text
            assert int(answer.headers["Retry-After"]) > 0
    until(lambda: story.read.get("/v1/topics").status_code == 200)


@pytest.mark.slow
def test_events_that_come_while_s3_is_away_arrive_once(story: Story) -> None:
    before = raw_events(story.settings, story.project.project_id)
    with story.bucket.away():
        n = story.send("away") + story.send("away, too")
        until(lambda: "a roll failed" in (story.settings.home / "api.log").read_text())
        story.write.post("/track", json=other_events()[0] | {"event_id": "one more, away"})
    until(lambda: raw_events(story.settings, story.project.project_id) >= before + n + 1)
    ids = [each["event_id"] for each in raw(story)]
    assert len(ids) == len(set(ids)) == before + n + 1


@pytest.mark.slow
def test_a_build_that_s3_leaves_says_so_and_the_next_one_makes_all_current(story: Story) -> None:
    told_before = sum(topic["size"] for topic in story.read.get("/v1/topics").json()["data"])
    before = raw_events(story.settings, story.project.project_id)
    n = story.send("left", 20)
    until(lambda: raw_events(story.settings, story.project.project_id) == before + n)
    story.bucket.leaves_at = "tables/messages/project_id"
    try:
        code, said = story.turret("build")
        assert story.bucket.is_away
    finally:
        story.bucket.is_away, story.bucket.leaves_at = False, ""
    assert code == 1
    assert f"build failed: the lake {story.lake.root} cannot be reached: it does not answer" in said
    assert "Traceback" not in said
    story.build()
    messages = store.read(story.lake, MESSAGES, story.project.project_id, "event_id")
    assert messages.height == messages.n_unique() == before + n
    # What another process has built is in the answers.
    until(lambda: sum(topic["size"] for topic in story.read.get("/v1/topics").json()["data"]) > told_before)
    assert story.bucket.uploads() == []


@pytest.mark.slow
def test_compaction_and_cleaning_change_no_answer(story: Story) -> None:
    before = [story.read.get(question).json()["data"] for question in ("/v1/topics", "/v1/fields")]
    n_files = len(data_files(story))
    tables = (EVENTS, MESSAGES, TOPICS)
    for table in tables:
        upkeep.compact(story.lake, table, story.project.project_id, most_files=1)
    for table in tables:
        upkeep.remove_old_files(story.lake, table, dt.timedelta(0))
    assert len(data_files(story)) < n_files
    until(lambda: story.read.get("/v1/journeys").status_code == 200)
    assert [story.read.get(question).json()["data"] for question in ("/v1/topics", "/v1/fields")] == before
    with story.bucket.counting() as found:
        assert story.turret("build")[0] == 0
    assert not [each for each in found if each.method == "PUT" and "/tables/" in each.key], told(found)


@pytest.mark.long
def test_doctor_finds_a_damaged_file_and_only_that(story: Story) -> None:
    assert story.turret("doctor")[0] == 0
    (name, *_) = [key for key in story.bucket.keys("lake/tables/topics/project_id") if key.endswith(".parquet")]
    address = f"{story.lake.root}{name.removeprefix('lake')}"
    sound = files.read(story.lake, address)
    files.write(story.lake, address, sound[: len(sound) // 2])
    code, said = story.turret("doctor")
    assert code != 0 and name.removeprefix("lake/") in said
    files.write(story.lake, address, sound)
    assert story.turret("doctor")[0] == 0


@pytest.mark.long
def test_doctor_mends_a_damaged_file_and_the_answers_are_those_of_before(story: Story) -> None:
    story.build()
    before = story.read.get("/v1/topics").json()["data"]
    for table in ("journey_steps", "messages"):
        (name, *_) = [each for each in data_files(story) if each.startswith(f"lake/tables/{table}/project_id")]
        address = f"{story.lake.root}{name.removeprefix('lake')}"
        files.write(story.lake, address, files.read(story.lake, address)[:100])
    assert story.turret("doctor")[0] == 1
    code, said = story.turret("doctor", "--mend")
    assert code == 0 and said.count("mended: ") == 2, said
    assert story.turret("doctor")[0] == 0
    messages = store.read(story.lake, MESSAGES, story.project.project_id, "event_id")
    assert messages.height == messages.n_unique() == len(raw(story))
    until(lambda: story.read.get("/v1/topics").json().get("data") == before)
    assert story.bucket.uploads() == []


@pytest.mark.long
def test_a_backup_is_restored_into_another_lake_on_s3(
    story: Story, tmp_path: Path, make_database: Callable[[], str]
) -> None:
    code, said = story.turret("backup", str(tmp_path / "all.tar"))
    assert code == 0, said
    other = Lake(f"s3://{story.bucket.bucket}/restored")
    changed = {"TURRET_HOME": str(tmp_path / "home"), "TURRET_LAKE": other.root, "TURRET_DATABASE_URL": make_database()}
    code, said = story.turret("restore", str(tmp_path / "all.tar"), **changed)
    assert code == 0, said
    for table in (EVENTS, TOPICS, JOURNEY_EDGES):
        rows = store.read(other, table, story.project.project_id)
        assert rows.height and rows.equals(store.read(story.lake, table, story.project.project_id))
    assert story.turret("build", **changed)[0] == 0
    assert story.bucket.uploads() == []


@pytest.mark.long
def test_an_import_is_exported_and_taken_back(story: Story, tmp_path: Path) -> None:
    rows = [{**each, "event_id": f"imported {n}"} for n, each in enumerate(other_events()[:5])]
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    n = len(raw(story))
    code, said = story.turret(
        "import", str(tmp_path / "events.ndjson"), "--project", story.project.project_id, "--json"
    )
    assert code == 0, said
    assert len(raw(story)) == n + 5
    made = orjson.loads(said.splitlines()[-1])["import_id"]
    code, said = story.turret("import", "--undo", made, "--project", story.project.project_id)
    assert (code, len(raw(story))) == (0, n), said
    out = tmp_path / "events.csv"
    code, said = story.turret("export", "events", "--project", story.project.project_id, "--out", str(out))
    assert code == 0, said
    assert out.read_text().count("the-one") == 0 < out.read_text().count("visa-1")


@pytest.mark.slow
def test_a_deleted_project_leaves_its_note_alone(story: Story) -> None:
    code, said = story.turret("project", "delete", story.project.project_id, "--yes")
    assert code == 0, said
    project_id, note = story.project.project_id, f"lake/deleted/{story.project.project_id}.json"
    keys = story.bucket.keys("lake/")
    assert [key for key in keys if f"={project_id}/" in key] == []
    # The database may know projects that other tests deleted.
    assert [key for key in keys if key.startswith("lake/deleted/") and project_id in key] == [note]


@pytest.mark.slow
def test_no_request_needs_a_permission_that_is_not_documented(story: Story) -> None:
    policy = (Path(__file__).parents[2] / "docs" / "operate.md").read_text().partition("```json")[2].partition("```")[0]
    documented = {action for each in orjson.loads(policy)["Statement"] for action in each["Action"]}
    needed = {action_of(each) for each in story.bucket.requests}
    # A multipart upload is given up where one of its parts fails.
    assert needed | {"s3:AbortMultipartUpload"} == documented


def action_of(request: Request) -> str:
    """Return what AWS calls the permission that a request needs."""
    if request.method in ("GET", "HEAD") and not request.query:
        return "s3:GetObject" if request.key else "s3:ListBucket"
    if request.method == "GET" and "list-type" in request.query:
        return "s3:ListBucket"
    if request.method == "DELETE" or "delete" in request.query:
        return "s3:AbortMultipartUpload" if "uploadId" in request.query else "s3:DeleteObject"
    assert request.method in ("PUT", "POST"), request.words
    return "s3:PutObject"


def data_files(story: Story) -> list[str]:
    return [key for key in story.bucket.keys("lake/tables") if "/_delta_log/" not in key]


def raw(story: Story) -> list[dict]:
    return parts.read_parts(story.lake, parts.list_parts(story.lake, story.project.project_id)).to_dicts()


def told(requests: list[Request]) -> str:
    return "\n".join(f"{n} {words}" for words, n in collections.Counter(each.words for each in requests).most_common())
