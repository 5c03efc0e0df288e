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
    "<svg><script>window.pwned=1</script></svg>",
    "<body onload=window.pwned=1>",
    "<input autofocus onfocus=window.pwned=1>",
    "<select autofocus onfocus=window.pwned=1>",
    "<details open ontoggle=window.pwned=1>x</details>",
    "<video><source onerror=window.pwned=1></video>",
    "<audio src=x onerror=window.pwned=1>",
    "<object data=javascript:window.pwned=1>",
    "<embed src=javascript:window.pwned=1>",
    "<form action=javascript:window.pwned=1><button>go</button></form>",
    "<base href=https://elsewhere.example/>",
    "<meta http-equiv=refresh content=0;url=https://elsewhere.example/>",
    "<link rel=stylesheet href=https://elsewhere.example/x.css>",
    "<div style=background:url(https://elsewhere.example/x.png)>x</div>",
    "<template><script>window.pwned=1</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=window.pwned=1>'>",
    "<!--><img src=x onerror=window.pwned=1>-->",
    "<![CDATA[<img src=x onerror=window.pwned=1>]]>",
    "<marquee onstart=window.pwned=1>x</marquee>",
    "<img src=`x` onerror=`window.pwned=1`>",
    "<scr<script>ipt>window.pwned=1</scr</script>ipt>",
    "<ScRiPt>window.pwned=1</sCrIpT>",
    "&#60;script&#62;window.pwned=1&#60;/script&#62;",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
    "data:text/html,<script>parent.pwned=1</script>",
    "`${window.pwned=1}`",
    '=HYPERLINK("https://elsewhere.example","x")',
    '%{customdata} %{text} <extra>x</extra> <a href="javascript:window.pwned=1">y</a>',
]
"""Forty of them; the last one is what plotly reads in its templates, the one before what spreadsheets run."""
HOSTILE_NAME = "<script>window.pwned=1</script> & Co"
HOSTILE_LABELS = {
    topic: f"{MARKUP[i % len(MARKUP)]} {i}"
    for i, topic in enumerate(("flight_search", "flight_status", "trip_ideas", "refund", "hotel_search", "visa"))
}


def hostile_sample(sample: list[SampleMessage]) -> list[SampleMessage]:
    """Return the sample with markup in texts, user ids, session ids, event names, enum values and a field's name."""
    found = []
    for i, message in enumerate(sample[: len(MARKUP) * 9]):
        markup = MARKUP[i % len(MARKUP)]
        metadata = message.event["metadata"]
        event = {
            **message.event,
            "name": markup,
            "session_id": f"{MARKUP[len(message.event['session_id']) % len(MARKUP)]}{message.event['session_id']}",
            "user_id": f"{markup}{message.event['user_id']}",
            "metadata": {
                **metadata,
                "prompt": f"{markup} {metadata['prompt']} {i}",
                "plan": markup,
                MARKUP[1]: metadata["channel"],
                MARKUP[9]: metadata["latency_ms"],
            },
        }
        found.append(SampleMessage(event, message.topic))
    return found
