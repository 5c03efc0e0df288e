"""What other products export, as events: one file a product, each with its `FORMAT`.

A format takes a row of an export, as its reader gives it, and returns the documents that clients would have sent. It
knows where that product keeps the event's name, ids and time, and which of its keys say something about the event; ids
and times are left as they are found (`values.as_sent` reads them). What a product adds for itself is left out.
"""

from __future__ import annotations

from turret_api.importing.formats import amplitude, langfuse, mixpanel, openai, posthog, segment
from turret_api.importing.formats.format import Format

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        posthog.FORMAT,
        mixpanel.FORMAT,
        segment.FORMAT,
        amplitude.FORMAT,
        langfuse.FORMAT,
        openai.FORMAT,
    )
}
"""Every format by its name, as in `turret import --format`."""
