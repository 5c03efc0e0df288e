"""Who may change what: every route that changes something, by every role."""

from __future__ import annotations

import itertools

import pytest

from tests.people.conftest import House
from turret_api.roles import EDITOR, OWNER, ROLES

EDITORS = {
    "PATCH /v1/fields",
    "PATCH /v1/fields/{field}",
    "POST /v1/alerts/deliveries/{delivery_id}/send",
    "POST /v1/alerts/rules",
    "PUT /v1/alerts/rules/{rule_id}",
    "DELETE /v1/alerts/rules/{rule_id}",
    "POST /v1/annotations",
    "DELETE /v1/annotations/{annotation_id}",
    "POST /v1/topics",
    "POST /v1/topics/edits",
    "POST /v1/topics/try",
    "PUT /v1/topics/{topic_id}",
    "DELETE /v1/topics/{topic_id}",
    "POST /v1/topics/{topic_id}/notes",
    "DELETE /v1/topics/{topic_id}/notes/{note_id}",
    "POST /v1/views",
    "PUT /v1/views/{view_id}",
    "DELETE /v1/views/{view_id}",
}
"""What an editor may do, and an owner."""


def test_only_an_owner_may_use_a_route_that_changes_something_unless_it_is_an_editors(house: House) -> None:
    methods = ("post", "put", "patch", "delete")
    document = house.client.app.openapi()  # type: ignore[attr-defined]
    writes = {
        (method.upper(), path)
        for (path, item), method in itertools.product(document["paths"].items(), methods)
        if method in item and path.startswith("/v1/") and path != "/v1/traces" and path != "/v1/logs"
    }
    assert {f"{method} {path}" for method, path in writes} >= EDITORS
    for method, path in sorted(writes):
        least = EDITOR if f"{method} {path}" in EDITORS else OWNER
        # What is asked for makes no sense, so it changes nothing; but whether one may ask is judged first.
        asked = "/".join("absent" if part.startswith("{") else part for part in path.split("/"))
        for role in ("write", *ROLES):
            status = house.ask(method, asked, role, json={"nonsense": 1}).status_code
            if role != "write" and ROLES.index(role) >= ROLES.index(least):
                assert status not in (401, 403) and status < 500, (method, path, role, status)
            else:
                assert status == 401, (method, path, role, status)


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/people", "/v1/audit"])
def test_only_an_owner_sees_who_may_come_in(house: House, path: str) -> None:
    for role in ("write", *ROLES):
        assert house.ask("GET", path, role).status_code == (200 if role == OWNER else 401), role
