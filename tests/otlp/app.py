"""An app as people write them: OpenAI's client, a tool, an instrumentation, OpenTelemetry's SDK and its exporter."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import openai
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.language_model import Server as Model

OPENINFERENCE, OPENLLMETRY = "openinference", "openllmetry"
_ASSOCIATED = context.create_key("association")
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]


def completion(text: str | None, *tools: str) -> bytes:
    """Return what OpenAI's API answers: a text, or calls of tools by their ids."""
    calls = [{"id": each, "type": "function", "function": {"name": "look_up", "arguments": "{}"}} for each in tools]
    message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5-2026", "choices": [choice]}
    return json.dumps(answer | {"usage": usage}).encode()


class _Associated(SpanProcessor):
    """Names session and user on each span, as Traceloop's SDK does."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        for key, value in (context.get_value(_ASSOCIATED) or {}).items():
            span.set_attribute(f"traceloop.association.properties.{key}", value)


class App:
    """Answers users with a model; each answer may take two calls and a tool."""

    def __init__(self, url: str, key: str, model: Model, instrumentation: str, *, batch_s: float = 60.0) -> None:
        self._instrumentation = instrumentation
        self._provider = TracerProvider(resource=Resource.create({"service.name": "shop"}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(
            endpoint=f"{url}/v1/traces", headers={"x-api-key": key}, compression=Compression.Gzip
        )
        self._provider.add_span_processor(_Associated())
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=batch_s * 1000))
        self._tracer = self._provider.get_tracer("shop")
        self._client = openai.OpenAI(base_url=f"http://127.0.0.1:{model.server_port}/v1", api_key="x", max_retries=0)

    def ask(self, text: str, session_id: str, user_id: str, history: list[Any] | None = None) -> str:
        """Return the model's answer, after it has used its tool if it wants to."""
        messages: list[Any] = [*(history or []), {"role": "user", "content": text}]
        with self._about(session_id, user_id), self._tracer.start_as_current_span("POST /chat"):
            while True:
                message = self._call(messages)
                if not message.tool_calls:
                    return str(message.content)
                messages.append(message.model_dump(exclude_none=True))
                messages += [{"role": "tool", "tool_call_id": each.id, "content": "42"} for each in message.tool_calls]

    def flush(self) -> None:
        """Export what has ended."""
        assert self._provider.force_flush()

    def close(self) -> None:
        self._provider.shutdown()
        self._client.close()

    def _call(self, messages: list[Any]) -> Any:
        answer = self._client.chat.completions.create(model="gpt-5", messages=messages, tools=TOOLS)  # type: ignore[call-overload]
        return answer.choices[0].message

    @contextlib.contextmanager
    def _about(self, session_id: str, user_id: str) -> Iterator[None]:
        about = {"session_id": session_id, "user_id": user_id}
        if self._instrumentation == OPENINFERENCE:
            with using_attributes(**about):
                yield
        else:
            token = context.attach(context.set_value(_ASSOCIATED, about))
            try:
                yield
            finally:
                context.detach(token)


@contextlib.contextmanager
def running(url: str, key: str, say: Callable[..., Any], model: Model, instrumentation: str) -> Iterator[App]:
    """Yield an app whose calls of the model are instrumented for the length of the block."""
    model.say = say
    app = App(url, key, model, instrumentation)
    made = OpenInference() if instrumentation == OPENINFERENCE else OpenLLMetry()
    with warnings.catch_warnings():  # the library's own, as it is imported
        warnings.simplefilter("ignore")
        made.instrument(tracer_provider=app._provider)
    try:
        yield app
    finally:
        made.uninstrument()
        app.close()
