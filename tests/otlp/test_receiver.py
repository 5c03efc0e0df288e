"""`POST /v1/traces` and `/v1/logs` of a running server: what is taken, what is refused, and how it is told."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.collector.conftest import Server
from turret_api.accounts import NewProject

from .spans import logs, protobuf, record, request, span, span_id, trace_id

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACES, LOGS = "/v1/traces", "/v1/logs"
_n = iter(range(1, 10**6))


def call(prompt: str = "Where is my order?", answer: str = "On its way.", **attributes: Any) -> dict[str, Any]:
    """Return a call of a model in a trace of its own."""
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": prompt}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
    }
    return span(said | attributes, trace=trace_id(next(_n)), own_id=span_id(1))


class Sent:
    """An answer, its body as it came."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def n_used(self) -> int:
        """How many events the project has stored by now."""
        return int(self.headers["ratelimit-limit"]) - int(self.headers["ratelimit-remaining"])


def send(server: Server, key: str | None, body: bytes | dict[str, Any], path: str = TRACES, **headers: str) -> Sent:
    """Send a request, in JSON unless it is bytes."""
    sent = {"X-API-Key": key} if key is not None else {}
    sent["Content-Type"] = PROTOBUF if isinstance(body, bytes) else JSON
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = server.connect()
    try:
        connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), sent)
        return Sent(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture
def own(new_project: Callable[..., NewProject]) -> NewProject:
    """A project of the test's own."""
    return new_project()


@pytest.mark.parametrize("path", [TRACES, "/api/public/otel/v1/traces"])
def test_spans_in_protobuf_become_events(server: Server, own: NewProject, path: str) -> None:
    sent = send(server, own.write_key, protobuf(call("One"), call("Two")), path)
    assert (sent.status, sent.headers["content-type"], sent.body) == (200, PROTOBUF, b"")
    assert sent.n_used == 2
    events = server.wait_for_events(own.project_id, 2)
    assert sorted(json.loads(each)["prompt"] for each in events["metadata"]) == ["One", "Two"]


def test_spans_in_json_become_the_same_events(server: Server, own: NewProject) -> None:
    made = call("One", **{"session.id": "s", "user.id": "u", "gen_ai.usage.input_tokens": 2**40, "x": [1.5, True, {}]})
    sent = send(server, own.write_key, request(made))
    assert (sent.status, sent.headers["content-type"], sent.json) == (200, JSON, {})
    assert send(server, own.write_key, protobuf(made)).body == b""
    (event,) = server.wait_for_events(own.project_id, 1).to_dicts()
    assert (event["session_id"], event["user_id"], event["event_id"][:32]) == ("s", "u", made["traceId"])
    assert json.loads(event["metadata"])["input_tokens"] == 2**40


def test_null_in_json_is_the_same_as_nothing(server: Server, own: NewProject) -> None:
    nulls = {"parentSpanId": None, "status": None, "events": None, "flags": None, "name": None, "endTimeUnixNano": None}
    made = call("One") | nulls
    scopes = [{"spans": None}, {"spans": [made]}]
    body = {"resourceSpans": [{"resource": None, "scopeSpans": scopes}, {"scopeSpans": None}]}
    assert send(server, own.write_key, body).json == {}
    assert len(server.wait_for_events(own.project_id, 1)) == 1
    for empty in ({"resourceSpans": None}, {"resourceLogs": None}):
        assert send(server, own.write_key, empty, TRACES if "resourceSpans" in empty else "/v1/logs").json == {}


def test_log_records_become_events(server: Server, own: NewProject) -> None:
    details = {"gen_ai.input.messages": json.dumps([{"role": "user", "content": "One"}]), "gen_ai.request.model": "m"}
    body = logs(record("gen_ai.client.inference.operation.details", attributes=details, trace=trace_id(next(_n))))
    assert send(server, own.write_key, body, LOGS).json == {}
    assert json.loads(server.wait_for_events(own.project_id, 1)["metadata"][0])["prompt"] == "One"


def test_a_gzipped_request_is_taken(server: Server, own: NewProject) -> None:
    sent = send(server, own.write_key, gzip.compress(protobuf(call())), Content_Encoding="gzip")
    assert (sent.status, sent.n_used) == (200, 1)


def test_a_large_request_is_taken_as_a_whole(server: Server, own: NewProject) -> None:
    spans = [call(f"Question {n}", "word " * 50) for n in range(1500)]
    sent = send(server, own.write_key, protobuf(*spans))
    assert (sent.status, sent.n_used) == (200, 1500)


@pytest.mark.parametrize("form", ["bearer", "basic"])
def test_a_key_may_come_as_other_exporters_send_it(server: Server, own: NewProject, form: str) -> None:
    pair = base64.b64encode(f"pk-1:{own.write_key}".encode()).decode()
    header = f"Bearer {own.write_key}" if form == "bearer" else f"Basic {pair}"
    assert send(server, None, protobuf(call()), Authorization=header).status == 200


def test_a_request_without_a_write_key_is_refused_in_its_encoding(server: Server, own: NewProject) -> None:
    given: list[tuple[str | None, dict[str, str]]] = [
        (None, {}),
        ("tw_wrong", {}),
        (own.read_key, {}),
        (None, {"Authorization": "Basic !!!"}),
        (None, {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()}),
        (None, {"Authorization": "Bearer"}),
        (None, {"Authorization": f"Token {own.write_key}"}),
    ]
    for key, headers in given:
        sent = send(server, key, protobuf(call()), **headers)
        assert (sent.status, sent.headers["content-type"]) == (401, PROTOBUF), headers
        status = Status.FromString(sent.body)
        assert status.code == 16 and status.message.startswith("Invalid API key")
    assert send(server, None, request(call())).json["code"] == 16


WRONG: list[tuple[bytes, str, dict[str, str], int]] = [
    (b"\xff\xff\xff", PROTOBUF, {}, 400),
    (b'{"resourceSpans": []', JSON, {}, 400),
    (b'{"resourceSpans": {}}', JSON, {}, 400),
    (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 7}]}]}]}', JSON, {}, 400),
    (b"\xef\xbb\xbf{}", JSON, {}, 400),
    (b'{"resourceSpans": "\\ud800"}', JSON, {}, 400),
    (b"[" * 100_000, JSON, {}, 400),
    (b'{"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": ' + b'{"arrayValue": {"values": [' * 900
     + b"]}}" * 900 + b"}]}}]}", JSON, {}, 400),
    (b"", "text/plain", {}, 415),
    (b"", PROTOBUF, {"Content-Encoding": "br"}, 415),
    (b"not gzip", PROTOBUF, {"Content-Encoding": "gzip"}, 400),
    (b"[" + b"{}," * 3_000_000 + b"{}]", JSON, {}, 413),
    (b"\x0a\x00" * 3_000_000, PROTOBUF, {}, 413),
    (protobuf(*[span({})] * 20_001), PROTOBUF, {}, 413),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_what_cannot_be_decoded_is_refused_for_good(server: Server, project: NewProject, case: int) -> None:
    body, kind, headers, status = WRONG[case]
    sent = send(server, project.write_key, body, **{"Content_Type": kind, **headers})
    assert (sent.status, "retry-after" in sent.headers) == (status, False), sent.body
    told = Status.FromString(sent.body) if kind == PROTOBUF else Status(**sent.json)
    assert told.code == 3 and told.message


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans": null}', b'{"resourceSpans": [], "unknown": [1]}'])
def test_a_request_without_spans_is_taken(server: Server, project: NewProject, body: bytes) -> None:
    assert send(server, project.write_key, body, Content_Type=JSON).status == 200
    assert send(server, project.write_key, b"").status == 200


REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "a NUL": (call("Where\0is it?"), "NUL"),
    "a NUL in the session": (call(**{"session.id": "s\0"}), "NUL"),
    "a long text": (call("x" * 100_001), "100,001"),
    "a long session": (call(**{"session.id": "s" * 201}), "session_id"),
    "many keys": (call(**{f"ai.telemetry.metadata.k{n}": n for n in range(257)}), "at most 256"),
    "a long key": (call(**{"ai.telemetry.metadata." + "k" * 201: 1}), "201"),
    "a nameless key": (call(**{"ai.telemetry.metadata.": 1}), "empty key"),
    "a deep value": (call(metadata=json.dumps({"deep": json.loads("[" * 40 + "]" * 40)})), "32 deep"),
    "a span from the future": (call() | {"startTimeUnixNano": str(4 * 10**18)}, "ahead"),
    "no trace id": (call() | {"traceId": "0" * 32}, "trace_id"),
    "half a span id": (call() | {"spanId": "b7"}, "span_id"),
    "a span id of other letters": (call() | {"spanId": "z" * 16}, "span_id"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_span_that_may_not_be_stored_is_rejected_alone(server: Server, own: NewProject, case: str) -> None:
    odd, why = REJECTED[case]
    good = call("A good one")
    sent = send(server, own.write_key, request(odd, good))
    assert sent.status == 200 and sent.json["partialSuccess"]["rejectedSpans"] == "1", sent.json
    assert why in sent.json["partialSuccess"]["errorMessage"]
    assert sent.n_used == 1


def test_rejections_are_told_in_protobuf_too(server: Server, own: NewProject) -> None:
    sent = send(server, own.write_key, protobuf(call("x" * 100_001), call()))
    told = ExportTraceServiceResponse.FromString(sent.body).partial_success
    assert told.rejected_spans == 1 and "100,001" in told.error_message
    made = ExportLogsServiceRequest()
    each = made.resource_logs.add().scope_logs.add().log_records.add()
    each.event_name, each.trace_id, each.span_id = "gen_ai.client.inference.operation.details", b"\1" * 16, b"\1" * 8
    added = each.attributes.add()
    added.key, added.value.string_value = "gen_ai.prompt", "x" * 100_001
    sent = send(server, own.write_key, made.SerializeToString(), LOGS)
    assert ExportLogsServiceResponse.FromString(sent.body).partial_success.rejected_log_records == 1


ODD: dict[str, dict[str, Any]] = {
    "all of Unicode": call("\u202eüñ 你好 😀 \U0010ffff"),
    "300 attributes that are no fields": call(**{f"vendor.attribute.{n}": n for n in range(300)}),
    "values of other types": call(**{"gen_ai.usage.input_tokens": "many", "session.id": 7, "user.id": [1],
                                     "langfuse.trace.tags": {"a": None}, "langfuse.trace.name": True}),
    "not a number": call(**{"gen_ai.usage.cost": "NaN"}),
    "a name that says nothing": call() | {"name": ""},
    "no times": call() | {"startTimeUnixNano": "0", "endTimeUnixNano": "0"},
    "times that run backwards": call() | {"endTimeUnixNano": "5"},
    "times that are no numbers": call() | {"startTimeUnixNano": "soon", "endTimeUnixNano": "9" * 30},
    "ids in capitals": call() | {"traceId": "ABCDEF" + "0" * 26},
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_values_cost_no_more_than_themselves(server: Server, own: NewProject, case: str) -> None:
    sent = send(server, own.write_key, request(ODD[case]))
    assert (sent.status, sent.json, sent.n_used) == (200, {}, 1)


def test_an_export_that_is_sent_again_is_stored_once(server: Server, own: NewProject) -> None:
    body = protobuf(*(call(f"Question {n}") for n in range(20)))
    assert [send(server, own.write_key, body).n_used for _ in range(3)] == [20, 20, 20]
    assert server.wait_for_events(own.project_id, 20).height == 20


def test_spans_that_are_no_calls_are_taken_left_out_and_counted(server: Server, own: NewProject) -> None:
    def left_out() -> float:
        lines = server.connect()
        lines.request("GET", "/metrics")
        text = lines.getresponse().read().decode()
        lines.close()
        return float(next(x for x in text.splitlines() if x.startswith("turret_spans_left_out_total")).split()[-1])

    before = left_out()
    others = [span({"http.request.method": "GET"}, trace=trace_id(next(_n))) for _ in range(3)]
    assert send(server, own.write_key, request(*others)).json == {}
    assert left_out() - before == 3


def test_calls_without_texts_are_taken_with_a_hint(server: Server, own: NewProject) -> None:
    silent = span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, trace=trace_id(next(_n)))
    told = send(server, own.write_key, request(silent)).json["partialSuccess"]
    assert told["rejectedSpans"] == "0" and "capture the content" in told["errorMessage"]


def test_a_used_up_plan_is_told_as_one_that_may_be_tried_again(
    server: Server, new_project: Callable[..., NewProject]
) -> None:
    project = new_project("enterprise", 3)
    sent = send(server, project.write_key, request(*(call(f"Question {n}") for n in range(5))))
    assert sent.status == 200 and sent.json["partialSuccess"]["rejectedSpans"] == "2"
    assert "used up" in sent.json["partialSuccess"]["errorMessage"]
    sent = send(server, project.write_key, protobuf(call("One more")))
    assert (sent.status, Status.FromString(sent.body).code) == (429, 8)
    assert int(sent.headers["retry-after"]) > 0 and sent.headers["ratelimit-remaining"] == "0"


def test_a_used_up_plan_refuses_turns_that_would_wait_and_counts_the_spans_of_the_request_alone(
    server: Server, new_project: Callable[..., NewProject]
) -> None:
    project = new_project("enterprise", 1)
    asked = {"role": "user", "content": "Where is my order?"}

    def turn(trace: str, n: int, given: list[Any], gave: dict[str, Any]) -> dict[str, Any]:
        said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": given, "gen_ai.output.messages": [gave]}
        return span(said, trace=trace, own_id=f"{n:016x}", parent="f" * 16, start_s=n)

    def begun(trace: str) -> dict[str, Any]:
        return turn(trace, 1, [asked], {"role": "assistant", "tool_calls": [{"id": trace, "type": "function"}]})

    def ended(trace: str) -> dict[str, Any]:
        calls = {"role": "assistant", "tool_calls": [{"id": trace, "type": "function"}]}
        given = [asked, calls, {"role": "tool", "tool_call_id": trace, "content": "Here."}]
        return turn(trace, 2, given, {"role": "assistant", "content": "There."})

    first, second, third = (letter * 32 for letter in "123")
    assert send(server, project.write_key, request(begun(first), begun(second))).json == {}
    sent = send(server, project.write_key, request(ended(first), ended(second)))
    assert sent.json["partialSuccess"]["rejectedSpans"] == "1"
    assert send(server, project.write_key, request(begun(third))).status == 429


def test_other_methods_are_refused_as_elsewhere(server: Server) -> None:
    assert server.request("GET", TRACES).status == 405


spans_of_any_kind = st.builds(
    lambda keys, texts: protobuf(
        span(dict(zip(keys, texts, strict=False)), trace=trace_id(next(_n)), events=[("gen_ai.choice", {"message": 7})])
    ),
    st.lists(
        st.sampled_from(
            ["gen_ai.operation.name", "gen_ai.input.messages", "gen_ai.output.messages", "openinference.span.kind",
             "input.value", "llm.input_messages.0.message.role", "llm.input_messages.0.message.content", "metadata",
             "events", "ai.operationId", "ai.prompt", "ai.response.toolCalls", "gen_ai.evaluation.name", "session.id",
             "langfuse.observation.usage_details", "gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens"]
        ),
        max_size=8, unique=True,
    ),
    st.lists(
        st.recursive(
            st.text(st.characters(codec="utf-8"), max_size=8) | st.integers(-(2**63), 2**63 - 1) | st.floats()
            | st.booleans() | st.sampled_from(["chat", "LLM", "CHAIN", "user", "ai.generateText", '[{"role":"user"}]',
                                               '{"messages":[[]]}', '[[1]]', '{"choices":[{}]}', '"x"', '{"args":{}}']),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["role", "content", "parts", "type", "text", "tool_calls", "id"]), inner),
            max_leaves=6,
        ),
        min_size=8, max_size=8,
    ),
)  # fmt: skip
QUIET = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUIET
@given(body=spans_of_any_kind)
def test_spans_with_any_values_are_answered_200(server: Server, project: NewProject, body: bytes) -> None:
    sent = send(server, project.write_key, body)
    assert sent.status == 200, (sent.body, ExportTraceServiceRequest.FromString(body))


@QUIET
@given(
    cuts=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4),
    is_json=st.booleans(),
    path=st.sampled_from([TRACES, LOGS]),
)
def test_mutated_bodies_never_fail_the_server(
    server: Server, project: NewProject, cuts: list[tuple[int, int, bytes]], is_json: bool, path: str
) -> None:
    made = call()
    body = json.dumps(request(made)).encode() if is_json else protobuf(made)
    for at, cut, inserted in cuts:
        body = body[:at] + inserted + body[at + cut :]
    sent = send(server, project.write_key, body, path, Content_Type=JSON if is_json else PROTOBUF)
    assert sent.status in (200, 400), sent.body
