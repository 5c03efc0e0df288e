"""The main job, fed by an app that is instrumented and knows nothing of Turret: its traces end in topics and journeys.

As `test_one_event`, but that the events are spans of OpenTelemetry's SDK and a real instrumentation of OpenAI's client;
the model behind it is a stub.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.otlp.app import OPENINFERENCE, App, completion, running
from tests.test_one_event import build, client, home, raw_events, serve, until
from turret_api.accounts import Accounts
from turret_api.command.sample_texts import answer, ask
from turret_pipeline.settings import Settings

__all__ = ["home"]
N_SESSIONS = 30
TOPICS = ("visa", "refund")


@pytest.mark.slow
def test_the_traces_of_an_instrumented_app_end_in_topics_and_journeys(
    home: Settings, database_url: str, serve_model: Callable[..., Any]
) -> None:
    accounts = Accounts(database_url)
    accounts.migrate()
    project = accounts.create_project("traced")
    accounts.close()
    dice = random.Random(1)
    answers: dict[str, str] = {}
    numbers = itertools.count()

    def say(request: dict[str, Any]) -> bytes:
        """Use a tool first, then answer."""
        if request["messages"][-1]["role"] != "tool":
            return completion(None, f"call-{next(numbers)}")
        return completion(answers[[each["content"] for each in request["messages"] if each["role"] == "user"][-1]])

    with serve(home, database_url) as url:
        with running(url, project.write_key, say, serve_model(say), OPENINFERENCE) as app:
            for number in range(N_SESSIONS):
                talk(app, dice, answers, f"session-{number}")
            app.flush()
        until(lambda: raw_events(home, project.project_id) == N_SESSIONS * len(TOPICS))
        build(home, database_url, project.project_id)

        with client(url, project.read_key) as read:
            types = {each["field"]: each["type"] for each in read.get("/v1/fields").json()["data"]}
            assert (types["prompt"], types["response"], types["input_tokens"]) == ("text", "text", "number")

            first, second = read.get("/v1/sessions/session-0?field=prompt").json()["data"]
            assert [first["text"], second["text"]] == list(answers)[:2]
            replies = read.get("/v1/sessions/session-0?field=response").json()["data"]
            assert [each["text"] for each in replies] == list(answers.values())[:2]

            topics = read.get("/v1/topics?field=prompt").json()["data"]
            assert [each["size"] for each in topics if each["topic_id"] == first["topic_id"]] == [N_SESSIONS]
            words = {each["topic_id"]: " ".join([each["label"], *each["keywords"]]) for each in topics}
            assert "visa" in words[first["topic_id"]] and "refund" in words[second["topic_id"]]

            moves = {(each["from"], each["to"]): each for each in read.get("/v1/journeys?field=prompt").json()["edges"]}
            assert moves["start", first["topic_id"]]["sessions"] == N_SESSIONS
            assert moves[first["topic_id"], second["topic_id"]]["count"] == N_SESSIONS


def talk(app: App, dice: random.Random, answers: dict[str, str], session_id: str) -> None:
    """Ask for each topic once, in a session; note in `answers` what the model is to say."""
    history: list[Any] = []
    for topic in TOPICS:
        asked = ask(dice, topic)
        said = answers.setdefault(asked.text, answer(dice, topic, asked, "answers"))
        app.ask(asked.text, session_id, f"user-{session_id}", history)
        history += [{"role": "user", "content": asked.text}, {"role": "assistant", "content": said}]
