"""From a question to a response: ETag, 304, packing, the cursor's header."""

from __future__ import annotations

import datetime as dt

from fastapi import Request
from starlette.responses import Response

from turret_api.auth import Principal
from turret_api.read.engine.engine import Engine
from turret_api.read.engine.question import Question
from turret_api.read.http.front import SLOT, Kept
from turret_api.roles import ANALYST

MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "sql": "text/plain; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
}
FILE_FORMS = ("csv", "parquet")
"""What is a file to its client, which the audit log tells of each time: the front must not send it again by itself."""
_PACKED = "-gzip"
_VARY = "X-API-Key, X-Project, Cookie, Accept-Encoding"


class Replies:
    """Replies to requests with what `engine` answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reply(
        self, request: Request, principal: Principal, question: Question, form: str, as_of: dt.datetime | None
    ) -> Response:
        """Return the answer to the question of `principal`, or 304 if the client has it already.

        form: `json`, `csv`, `parquet` or `sql`; as a file, the cursor of the next page is in the header `Next-Cursor`.
        """
        named = _tags(request.headers.get("If-None-Match", ""))
        found = self._engine.ask(
            principal.project_id,
            question,
            form,
            as_of,
            lambda fingerprint: bool(named & {"*", _tag(fingerprint), _tag(fingerprint + _PACKED)}),
        )
        tag, packed_tag = _tag(found.fingerprint), _tag(found.fingerprint + _PACKED)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": _VARY}
        content = found.made
        if content is None:
            kept = packed_tag if packed_tag in named and not named & {"*", tag} else tag
            return Response(status_code=304, headers={**headers, "ETag": kept})
        if content.following is not None:
            headers["Next-Cursor"] = content.following
        if content.state is not None:
            headers["State"] = content.state
        is_packed = content.is_packed and "gzip" in request.headers.get("Accept-Encoding", "")
        sent = content.sent if is_packed else content.plain
        if is_packed:
            headers |= {"ETag": packed_tag, "Content-Encoding": "gzip"}
        response = Response(sent, media_type=MEDIA[form], headers=headers)
        # What is kept is sent to whoever may read texts; a viewer's answer is another, and is made by the engine.
        is_for_all = principal.may(ANALYST) and form not in FILE_FORMS
        if found.generation is not None and SLOT in request.scope and is_for_all:
            kept_tag = headers["ETag"].encode()
            again = Kept(found.generation, principal.project_id, kept_tag, response.raw_headers, sent)
            request.scope[SLOT].append(again)
        return response


def _tag(fingerprint: str) -> str:
    return f'"{fingerprint}"'


def _tags(header: str) -> set[str]:
    """Return the tags that the header `If-None-Match` names; `*` stands for any."""
    return {each.strip().removeprefix("W/") for each in header.split(",")}
