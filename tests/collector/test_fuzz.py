"""Whatever is sent, the answer is one that is documented, and never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

SEED = json.dumps(
    {
        "name": "message_sent",
        "session_id": "s",
        "user_id": None,
        "timestamp": "2026-01-31T12:00:00.5+02:00",
        "metadata": {"t": "ü😀\\u00e9", "n": [1, -2.5e3, {"x": None}], "b": True},
    }
).encode()
QUIET = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

mutations = st.lists(
    st.tuples(st.integers(0, len(SEED)), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["name", "metadata", "session_id", "user_id", "timestamp", "event_id", "x"])


@QUIET
@given(changes=mutations, wrap=st.sampled_from([b"%s", b"[%s]", b"[%s,%s]"]))
def test_mutated_bodies_are_answered_as_documented(server, project, changes, wrap) -> None:
    body = SEED
    for at, cut, inserted in changes:
        body = body[:at] + inserted + body[at + cut :]
    answer = server.track(project.write_key, wrap.replace(b"%s", body))

    assert answer.status in (200, 207, 400), (answer, body)
    _check_shape(answer.json)


@QUIET
@given(document=st.dictionaries(keys, values) | values)
def test_odd_documents_are_answered_as_documented(server, project, document) -> None:
    body = json.dumps(document, ensure_ascii=True)
    answer = server.track(project.write_key, body)

    assert answer.status in (200, 207, 400), (answer, body)
    _check_shape(answer.json)


def _check_shape(answer: dict[str, Any]) -> None:
    if "results" in answer:
        assert answer["accepted"] + answer["rejected"] == len(answer["results"])
    elif answer["success"]:
        assert set(answer) >= {"message", "event_id", "session_id", "user_id"}
    else:
        assert set(answer) - {"field"} == {"success", "error", "code"}


@pytest.mark.slow
def test_the_served_openapi_document_tells_what_the_server_does(server, project) -> None:
    document = server.request("GET", "/openapi.json").json
    document["paths"] = {path: document["paths"][path] for path in ("/track", "/healthz", "/readyz", "/metrics")}
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{server.port}")
    seen: set[int] = set()

    for found in schema.get_all_operations():
        operation = found.ok()

        @QUIET
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            answer = case.call(headers={"X-API-Key": project.write_key})
            seen.add(answer.status_code)
            assert answer.status_code < 500
            # What JSON Schema cannot say (times, depth, NUL) is refused though it fits the schema.
            case.validate_response(answer, excluded_checks=[ignored_auth, positive_data_acceptance])

        check()

    assert seen >= {200, 400}
