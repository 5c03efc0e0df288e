"""A question is a value: equal ones are one to the engine, and it can be sent to another process and come back."""

from __future__ import annotations

import dataclasses
import pickle
import typing

import orjson
import pytest
from pydantic import TypeAdapter

from tests.read.conftest import Api
from turret_api.errors import ApiError, FailedError, InvalidKeyError, NotFoundError, UnavailableError, invalid
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.question import Answer, Question
from turret_api.read.http.questions import JOURNEYS, READ
from turret_api.read.questions.of_field import OfField
from turret_api.read.questions.topics.topics import TopicsOfField
from turret_api.read.views.filters import Filters

ASKED = dict.fromkeys(("topic_id", "session_id"), str)


def returned(parse: typing.Callable[..., Question]) -> tuple[type[Question], ...]:
    """The types of the questions that a function of `http.questions` may return."""
    kind = typing.get_type_hints(parse)["return"]
    return typing.get_args(kind) or (kind,)


ROUTES = {**READ, **JOURNEYS}
QUESTIONS = sorted({kind for parse, _ in ROUTES.values() for kind in returned(parse)}, key=lambda kind: kind.__name__)


def one_of(kind: type[Question]) -> Question:
    """A question of this type, with defaults wherever there are any."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return kind(**{each.name: "x" for each in fields if each.default is dataclasses.MISSING})


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_question_equals_its_copy_from_another_process_and_cannot_be_changed(kind: type[Question]) -> None:
    question = one_of(kind)
    copy = pickle.loads(pickle.dumps(question))
    assert (copy, hash(copy), repr(copy)) == (question, hash(question), repr(question))
    with pytest.raises(dataclasses.FrozenInstanceError):
        question.limit = 1  # type: ignore[attr-defined]


def test_a_route_declares_the_answer_of_each_of_its_questions_and_no_two_questions_have_one_name() -> None:
    for parse, declared in ROUTES.values():
        assert {kind.answers for kind in returned(parse)} == {declared.answers}
    assert len({kind.__qualname__ for kind in QUESTIONS}) == len(QUESTIONS)


def has_defaults(kind: type) -> bool:
    missing = dataclasses.MISSING
    return all((each.default, each.default_factory) != (missing, missing) for each in dataclasses.fields(kind))


@pytest.mark.parametrize("kind", dict.fromkeys(each.answers for each in QUESTIONS if issubclass(each, OfField)))
def test_the_defaults_of_an_answer_are_what_the_document_says_and_without_rows(kind: type[Answer]) -> None:
    assert has_defaults(kind)
    body = orjson.loads(orjson.dumps(kind()))
    TypeAdapter(kind).validate_python(body)
    assert all(value == [] for value in body.values() if isinstance(value, list))


def test_the_same_question_in_other_words_is_the_same_question(api: Api) -> None:
    words = ("name=chat&level=1", "level=1&name=chat", "level=1&name=chat&limit=1000&format=json")
    answers = [api.client.get(f"/v1/topics?{each}", headers={"X-API-Key": "shop:read"}) for each in words]
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    other = api.client.get("/v1/topics?name=chat", headers={"X-API-Key": "shop:read"})
    assert other.headers["ETag"] != answers[0].headers["ETag"]


def test_an_answer_that_is_known_is_not_worked_out(api: Api) -> None:
    engine = Engine(api.lake)
    question = TopicsOfField(filters=Filters(name="chat"))
    found = engine.ask("shop", question)
    assert found.content is not None
    again = engine.ask("shop", question, is_known=lambda fingerprint: fingerprint == found.fingerprint)
    assert (again.content, again.fingerprint) == (None, found.fingerprint)
    for other in (
        engine.ask("shop", TopicsOfField()),
        engine.ask("shop", question, "csv"),
        engine.ask("other", question),
    ):
        assert other.fingerprint != found.fingerprint


@pytest.mark.parametrize(
    "error",
    [
        invalid("no", field="x"),
        NotFoundError("no", field="x"),
        UnavailableError("later", retry_after_s=7),
        InvalidKeyError(),
        FailedError(),
        ApiError(429, "X", "no", extra={"limit": 1}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_whole_from_another_process(error: ApiError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
