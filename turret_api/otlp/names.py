"""What attributes are called by those who write spans, and what becomes of each.

GenAI conventions   https://opentelemetry.io/docs/specs/semconv/gen-ai/
OpenInference       https://github.com/Arize-ai/openinference
OpenLLMetry         https://github.com/traceloop/openllmetry
Langfuse            https://langfuse.com/integrations/native/opentelemetry
Vercel AI SDK       https://ai-sdk.dev/docs/ai-sdk-core/telemetry
Pydantic AI         https://ai.pydantic.dev/logfire/
"""

from __future__ import annotations

_FIELDS: dict[str, tuple[str, ...]] = {
    "model": (
        "gen_ai.response.model",
        "llm.response.model_name",
        "llm.model_name",
        "ai.response.model",
        "langfuse.observation.model.name",
        "gen_ai.request.model",
        "llm.request.model_name",
        "ai.model.id",
        "model_name",
    ),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "operation": ("gen_ai.operation.name",),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "cost": ("gen_ai.usage.cost", "gen_ai.usage.total_cost", "llm.cost.total", "operation.cost"),
    "finish_reason": (
        "gen_ai.response.finish_reasons",
        "gen_ai.response.finish_reason",
        "llm.response.finish_reason",
        "llm.finish_reason",
        "ai.response.finishReason",
    ),
    "agent": ("gen_ai.agent.name", "agent.name", "agent_name"),
    "error": ("error.type",),
    "level": ("langfuse.observation.level",),
    "status": ("langfuse.observation.status_message",),
    "environment": ("langfuse.environment", "deployment.environment.name", "deployment.environment"),
    "release": ("langfuse.release", "service.version"),
    "version": ("langfuse.version",),
    "service": ("service.name",),
    "tags": ("langfuse.trace.tags", "tag.tags"),
}
ABOUT = SESSION, USER, NAME = "session", "user", "name"
_ABOUT: dict[str, tuple[str, ...]] = {
    SESSION: (
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.session.id",
        "langfuse_session_id",
        "langfuse.trace.metadata.langfuse_session_id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.conversation_id",
        "traceloop.association.properties.thread_id",
        "traceloop.association.properties.chat_id",
        "ai.telemetry.metadata.sessionId",
        "ai.telemetry.metadata.session_id",
        "ai.telemetry.metadata.conversationId",
        "ai.telemetry.metadata.threadId",
        "ai.telemetry.metadata.chatId",
        "langsmith.trace.session_id",
        "thread_id",
    ),
    USER: (
        "user.id",
        "langfuse.user.id",
        "langfuse_user_id",
        "enduser.id",
        "langfuse.trace.metadata.langfuse_user_id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "ai.telemetry.metadata.user_id",
        "gen_ai.user",
        "llm.user",
    ),
    NAME: (
        "langfuse.trace.name",
        "ai.telemetry.functionId",
        "gen_ai.workflow.name",
        "traceloop.workflow.name",
    ),
}
MEANINGS: dict[str, tuple[str, int]] = {
    alias: (field, rank)
    for table in (_FIELDS, _ABOUT)
    for field, aliases in table.items()
    for rank, alias in enumerate(aliases)
}
"""By attribute what it means, and its rank: of several with one meaning the first counts."""
NO_FIELD = "", 0
"""What an attribute means that has its own place."""

NUMBERS = ("input_tokens", "output_tokens", "cost")
"""Fields that are added up over the calls of one turn."""

OWN = (
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "ai.telemetry.metadata.",
    "traceloop.association.properties.",
)
"""Before the names that an application gave its own data."""
OWN_OBJECTS = ("metadata", "langfuse.trace.metadata", "langfuse.observation.metadata", "langfuse.metadata")
"""Attributes that hold such data as an object, or as JSON."""

ASKED = (
    "gen_ai.input.messages",
    "langfuse.observation.input",
    "ai.prompt.messages",
    "ai.prompt",
    "gen_ai.prompt",
    "pydantic_ai.all_messages",
    "all_messages_events",
    "events",
    "input.value",
    "traceloop.entity.input",
    "langfuse.trace.input",
    "input",
)
"""Attributes that hold what a model, or whatever wraps it, was given; the first counts that says something."""
ANSWERED = (
    "gen_ai.output.messages",
    "langfuse.observation.output",
    "ai.response.text",
    "ai.response.object",
    "gen_ai.completion",
    "pydantic_ai.all_messages",
    "final_result",
    "all_messages_events",
    "events",
    "output.value",
    "traceloop.entity.output",
    "langfuse.trace.output",
    "output",
)
"""Likewise what it gave."""
FLAT_ASKED = (("llm.input_messages.", "message."), ("gen_ai.prompt.", ""))
FLAT_ANSWERED = (("llm.output_messages.", "message."), ("gen_ai.completion.", ""))
"""Before and behind the number of a message whose parts are attributes of their own."""

DETAILS = "gen_ai.client.inference.operation.details"
EVALUATION = "gen_ai.evaluation.result"
PROMPT_EVENTS, ANSWER_EVENTS = ("gen_ai.content.prompt",), ("gen_ai.content.completion",)
"""Events of a span with attributes `gen_ai.prompt` and `gen_ai.completion`."""
MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE = "gen_ai.choice"

TOOL_FINISHES = frozenset(("tool_calls", "tool_call", "tool_use", "tool-calls", "function_call", "TOOL_CALLS"))
"""What a model's call says of its end where the turn goes on with tools."""

OPERATION_ID, OBSERVATION, OPENINFERENCE = "ai.operationId", "langfuse.observation.type", "openinference.span.kind"
REQUEST_TYPE, ENTITY, OPERATION = "llm.request.type", "traceloop.span.kind", "gen_ai.operation.name"
"""Attributes that say what kind of span it is."""
USAGE, COST = "langfuse.observation.usage_details", "langfuse.observation.cost_details"
TOOL_CALLS = "ai.response.toolCalls"
SCORE_NAME = "gen_ai.evaluation.name"
SCORE_VALUE, SCORE_LABEL = "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label"
OF_TOOLS = ("gen_ai.tool.name", "gen_ai.tool.call.id")

KNOWN = frozenset(
    (
        *MEANINGS,
        *OWN_OBJECTS,
        *ASKED,
        *ANSWERED,
        *OF_TOOLS,
        *(OPERATION_ID, OBSERVATION, OPENINFERENCE, REQUEST_TYPE, ENTITY, OPERATION),
        *(USAGE, COST, TOOL_CALLS, SCORE_NAME, SCORE_VALUE, SCORE_LABEL),
    )
)
MEANINGS |= dict.fromkeys(KNOWN - MEANINGS.keys() - set(OWN_OBJECTS), NO_FIELD)
LIKE_KNOWN = (*OWN, *(before for before, _ in (*FLAT_ASKED, *FLAT_ANSWERED)))
"""Names, and beginnings of names, of all attributes that mean anything."""
