"""Events of PostHog: batch exports (JSON lines, Parquet), and the table of events as CSV or JSON.

https://posthog.com/docs/data-pipelines/batch-exports/s3 has the columns. In Parquet and CSV the properties are a text
of JSON; a CSV of chosen columns has each in a column of its own, `properties.$session_id`. Its generations of language
models say what was asked and answered in `$ai_input` and `$ai_output_choices`.
"""

from __future__ import annotations

from collections.abc import Iterator

from turret_api.importing.formats.format import (
    Document,
    Format,
    Object,
    answered,
    asked,
    first,
    nested,
    spoken,
    without,
)

_SESSION = ("$session_id", "$ai_session_id")
_OF_THE_PERSON = ("$set", "$set_once", "$unset")
_INPUT, _OUTPUT = ("$ai_input", "$ai_input_state"), ("$ai_output_choices", "$ai_output", "$ai_output_state")


def documents(row: Object) -> Iterator[Document]:
    """Yield the event of a row."""
    properties = nested(row, "properties")
    metadata = without(properties, *_SESSION, *_OF_THE_PERSON)
    prompt, response = first(properties, *_INPUT), first(properties, *_OUTPUT)
    if prompt is not None:
        said = spoken(asked(prompt), None if response is None else answered(response))
        metadata = without(metadata, *_INPUT, *_OUTPUT) | said
    yield {
        "name": row.get("event"),
        "event_id": first(row, "uuid", "id"),
        "user_id": first(row, "distinct_id", "person.distinct_id", "person_id"),
        "session_id": first(properties, *_SESSION),
        "timestamp": first(row, "timestamp", "created_at"),
        "metadata": metadata,
    }


FORMAT = Format(
    "posthog",
    "batch exports (JSON lines, Parquet) and tables of events (CSV, JSON)",
    (frozenset({"event"}), frozenset({"properties", "distinct_id"})),
    documents,
)
