"""What someone may track to make a page run or break: markup in every place that a client can write to."""

from __future__ import annotations

from turret_api.command.sample import SampleMessage

MARKUP = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "<a href=javascript:window.pwned=1>click</a>",
    "</script><script>window.pwned=1</script>",
    "<b>bold</b> &lt;i&gt; <br>",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "'; window.pwned=1; //",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "<style>*{display:none}</style>",
    "<math><mtext><img src onerror=window.pwned=1>",
    "javascript:window.pwned=1",
]
HOSTILE_NAME = "<script>window.pwned=1</script> & Co"
HOSTILE_LABELS = {
    topic: f"{MARKUP[i % len(MARKUP)]} {i}"
    for i, topic in enumerate(("flight_search", "flight_status", "trip_ideas", "refund", "hotel_search", "visa"))
}


def hostile_sample(sample: list[SampleMessage]) -> list[SampleMessage]:
    """Return the sample with markup in texts, user ids, session ids, enum values and a field's name."""
    found = []
    for i, message in enumerate(sample[:300]):
        markup = MARKUP[i % len(MARKUP)]
        metadata = message.event["metadata"]
        event = {
            **message.event,
            "session_id": f"{markup}{message.event['session_id']}",
            "user_id": f"{markup}{message.event['user_id']}",
            "metadata": {
                **metadata,
                "prompt": f"{metadata['prompt']} {markup} {i}",
                "plan": markup,
                "<img src=x onerror=window.pwned=1>": metadata["channel"],
            },
        }
        found.append(SampleMessage(event, message.topic))
    return found
