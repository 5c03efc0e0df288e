"""Traces, observations and sessions of Langfuse.

Read are tables exported as CSV, JSON or JSON lines, exports to blob storage, and the JSON of one trace or session.
https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields has the columns; tables of the UI
have the same in camel case. The exchange of a trace and of a generation becomes `prompt` and `response`; what a span, a
tool or a retriever took and gave is `input` and `output`, or the same question would count once for each step of a
trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turret_api.importing.formats.format import (
    Document,
    Format,
    Object,
    an_object,
    answered,
    asked,
    first,
    opened,
    spoken,
)

_SPEAKS = ("GENERATION", None, "")
_ABOUT = {
    "model": ("model", "providedModelName", "provided_model_name", "modelId", "model_id"),
    "level": ("level",),
    "status": ("statusMessage", "status_message"),
    "environment": ("environment",),
    "release": ("release",),
    "version": ("version",),
    "tags": ("tags", "trace_tags", "traceTags"),
    "latency": ("latency",),
    "usage": ("usage", "usageDetails", "usage_details"),
    "cost": ("totalCost", "total_cost", "calculatedTotalCost"),
    "scores": ("scores",),
    "trace": ("traceId", "trace_id"),
}
"""Keys of the metadata that an event gets, each from the first of these columns that has a value."""
_TIME = ("startTime", "start_time", "timestamp", "createdAt", "created_at")


def documents(row: Object) -> Iterator[Document]:
    """Yield the event of a trace or observation, or those of a session's traces."""
    traces = opened(row.get("traces"))
    if type(traces) is list:
        for trace in traces:
            if type(trace) is dict:
                yield _event({"sessionId": row.get("id"), **trace})
        return
    yield _event(row)


def _event(row: Object) -> Document:
    kind = row.get("type")
    prompt, response = opened(row.get("input")), opened(row.get("output"))
    said = spoken(asked(prompt), answered(response)) if kind in _SPEAKS else {"input": prompt, "output": response}
    is_observation = first(row, "traceId", "trace_id") is not None
    what = str(kind or "observation").lower() if is_observation else "trace"
    return {
        "name": first(row, "name", "traceName", "trace_name") or what,
        "event_id": row.get("id"),
        "user_id": first(row, "userId", "user_id"),
        "session_id": first(row, "sessionId", "session_id") or first(row, "traceId", "trace_id"),
        "timestamp": first(row, *_TIME),
        "metadata": _metadata(row) | {key: opened(first(row, *keys)) for key, keys in _ABOUT.items()} | said,
    }


def _metadata(row: Object) -> dict[str, Any]:
    """Return what the application itself noted; its keys never take the place of those that Turret gives."""
    return {key: opened(value) for key, value in an_object(row.get("metadata")).items()}


FORMAT = Format(
    "langfuse",
    "traces, observations and sessions (CSV, JSON, JSON lines)",
    (frozenset({"id"}), frozenset({"input", "output", "traceId", "trace_id", "traces", "sessionId", "session_id"})),
    documents,
)
