"""Who may see what: every route that only reads, by every role. A new route fails here until it is said whose it is."""

from __future__ import annotations

import pytest

from tests.people.conftest import House
from turret_api.roles import ANALYST, OWNER, ROLES, VIEWER

LEAST_ROLE = {
    "/v1/alerts": ANALYST,
    "/v1/alerts/deliveries": ANALYST,
    "/v1/alerts/rules": ANALYST,
    "/v1/alerts/targets": ANALYST,
    "/v1/annotations": VIEWER,
    "/v1/answers": ANALYST,
    "/v1/changes": ANALYST,
    "/v1/digest": VIEWER,
    "/v1/erasures": OWNER,
    "/v1/erasures/{erasure_id}": OWNER,
    "/v1/events": VIEWER,
    "/v1/few": VIEWER,
    "/v1/fields": VIEWER,
    "/v1/fields/history": ANALYST,
    "/v1/fields/{field}/history": ANALYST,
    "/v1/freshness": VIEWER,
    "/v1/friction": ANALYST,
    "/v1/journeys": VIEWER,
    "/v1/journeys/compare": ANALYST,
    "/v1/journeys/drop-offs": VIEWER,
    "/v1/journeys/funnel": ANALYST,
    "/v1/journeys/loops": ANALYST,
    "/v1/journeys/paths": ANALYST,
    "/v1/journeys/returns": ANALYST,
    "/v1/journeys/sessions": ANALYST,
    "/v1/journeys/starts": VIEWER,
    "/v1/keeping": OWNER,
    "/v1/keys": OWNER,
    "/v1/masking": OWNER,
    "/v1/people": OWNER,
    "/v1/audit": OWNER,
    "/v1/messages": ANALYST,
    "/v1/outcomes": ANALYST,
    "/v1/project": VIEWER,
    "/v1/retention": ANALYST,
    "/v1/sessions": ANALYST,
    "/v1/sessions/{session_id}": ANALYST,
    "/v1/topics": VIEWER,
    "/v1/topics/compare": ANALYST,
    "/v1/topics/edits": ANALYST,
    "/v1/topics/fits": VIEWER,
    "/v1/topics/map": ANALYST,
    "/v1/topics/notes": ANALYST,
    "/v1/topics/{topic_id}": VIEWER,
    "/v1/topics/{topic_id}/notes": ANALYST,
    "/v1/usage": VIEWER,
    "/v1/views": VIEWER,
}
"""By route the least role that may read it. A viewer's answers hold no text of an event (`tests/read/test_viewers`)."""


@pytest.mark.slow
def test_each_route_is_read_by_its_role_and_those_above_and_by_no_other_key(house: House) -> None:
    document = house.client.app.openapi()  # type: ignore[attr-defined]
    routes = {path for path, item in document["paths"].items() if path.startswith("/v1/") and "get" in item}
    assert routes == set(LEAST_ROLE)
    for path in sorted(routes):
        asked = "/".join("absent" if part.startswith("{") else part for part in path.split("/"))
        for role in ("none", "write", *ROLES):
            status = house.ask("GET", asked, role).status_code
            if role in ROLES and ROLES.index(role) >= ROLES.index(LEAST_ROLE[path]):
                assert status in (200, 400, 404), (path, role, status)
            else:
                assert status == 401, (path, role, status)


def test_who_is_signed_in_is_told_that_the_role_is_too_low_and_a_key_only_that_it_is_refused(house: House) -> None:
    signed_in = {"key": house.keys[VIEWER], "next": "/"}
    origin = {"Origin": str(house.client.base_url)}
    house.client.post("/sign-in", data=signed_in, headers=origin, follow_redirects=False)
    try:
        assert house.client.get("/v1/topics").status_code == 200
        for path, needed in (("/v1/messages", "an analyst"), ("/v1/keys", "an owner")):
            refused = house.client.get(path)
            assert refused.status_code == 403 and refused.json()["code"] == "ROLE_TOO_LOW"
            assert f"you are a viewer, and it takes {needed}" in refused.json()["error"]
            assert house.ask("GET", path, VIEWER).json()["code"] == "INVALID_API_KEY"
    finally:
        house.client.cookies.clear()


def test_an_owner_chooses_of_how_many_users_a_count_must_be_and_others_see_it(house: House) -> None:
    assert house.ask("GET", "/v1/few", VIEWER).json() == {"viewers": 5, "exports": 0}
    try:
        chosen = house.ask("PUT", "/v1/few", OWNER, json={"viewers": 0, "exports": 7})
        assert chosen.status_code == 200
        assert house.ask("GET", "/v1/few", ANALYST).json() == {"viewers": 0, "exports": 7}
        for wrong in ({"viewers": -1}, {"viewers": "5"}, {"viewers": 1001}, {"most": 1}):
            assert house.ask("PUT", "/v1/few", OWNER, json=wrong).status_code == 400, wrong
        assert house.ask("GET", "/v1/few", OWNER).json()["exports"] == 7
    finally:
        assert house.ask("PUT", "/v1/few", OWNER, json={}).json() == {"viewers": 5, "exports": 0}


@pytest.mark.parametrize("role", ROLES)
def test_what_is_kept_of_an_answer_is_never_sent_to_another_role(house: House, role: str) -> None:
    answers = [house.ask("GET", "/v1/topics", each) for each in (role, ANALYST, role)]
    assert answers[0].headers["ETag"] == answers[2].headers["ETag"]
    assert (answers[0].headers["ETag"] == answers[1].headers["ETag"]) is (role != VIEWER)
