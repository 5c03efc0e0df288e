"""The way of events on a lake on S3, from the request to the answer, and what the requests to S3 come to."""

from __future__ import annotations

import collections

from tests.s3.conftest import Story
from tests.s3_server import Request
from tests.test_one_event import other_events, raw_events, until
from turret_pipeline.lake import parts, store
from turret_pipeline.lake.tables import MESSAGES

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


def test_a_build_without_news_takes_thirty_requests_at_most(story: Story) -> None:
    story.build()
    with story.bucket.counting() as found:
        story.build()
    assert len(found) <= 30, told(found)


def test_a_question_while_s3_is_away_is_answered_with_503_and_then_again(story: Story) -> None:
    assert story.read.get("/v1/topics").status_code == 200
    with story.bucket.away():
        # A look of less than a second ago still counts.
        until(lambda: story.read.get("/v1/topics", timeout=20).status_code != 200)
        for path in QUESTIONS:
            answer = story.read.get(path, timeout=20)
            assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE"), answer.text
            assert int(answer.headers["Retry-After"]) > 0
    assert story.read.get("/v1/topics").status_code == 200


def test_events_that_come_while_s3_is_away_arrive_once(story: Story) -> None:
    before = raw_events(story.settings, story.project.project_id)
    with story.bucket.away():
        n = story.send("away") + story.send("away, too")
        until(lambda: "a roll failed" in (story.settings.home / "api.log").read_text())
        story.write.post("/track", json=other_events()[0] | {"event_id": "one more, away"})
    until(lambda: raw_events(story.settings, story.project.project_id) >= before + n + 1)
    ids = [each["event_id"] for each in raw(story)]
    assert len(ids) == len(set(ids)) == before + n + 1


def test_a_build_that_s3_leaves_says_so_and_the_next_one_makes_all_current(story: Story) -> None:
    told_before = sum(topic["size"] for topic in story.read.get("/v1/topics").json()["data"])
    before = raw_events(story.settings, story.project.project_id)
    n = story.send("left", 20)
    until(lambda: raw_events(story.settings, story.project.project_id) == before + n)
    story.bucket.leaves_at = "tables/messages/project_id"
    try:
        code, said = story.try_to_build()
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


def raw(story: Story) -> list[dict]:
    return parts.read_parts(story.lake, parts.list_parts(story.lake, story.project.project_id)).to_dicts()


def told(requests: list[Request]) -> str:
    return "\n".join(f"{n} {words}" for words, n in collections.Counter(each.words for each in requests).most_common())
