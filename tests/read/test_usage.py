"""`/v1/usage`, over the whole application with its accounts."""

from __future__ import annotations

import datetime as dt

from fastapi.testclient import TestClient

from turret_api.accounts import Accounts
from turret_api.app import create_app
from turret_api.read.http.project import UsageRow
from turret_pipeline.settings import Settings


def test_usage_tells_the_plan_its_limit_and_what_is_used(database_url: str, settings: Settings) -> None:
    accounts = Accounts(database_url)
    accounts.migrate()
    made = accounts.create_project(f"Usage {dt.datetime.now(dt.UTC):%H%M%S%f}", "pro")
    with TestClient(create_app(settings, accounts)) as client:
        answer = client.get("/v1/usage", headers={"X-API-Key": made.read_key})
        assert client.get("/v1/usage", headers={"X-API-Key": made.write_key}).status_code == 401
        assert client.get("/v1/topics", headers={"X-API-Key": made.admin_key}).json()["data"] == []
        document = client.get("/openapi.json").json()
    found = UsageRow(**answer.json())
    assert (found.plan, found.limit, found.used) == ("pro", 1_000_000, 0)
    assert found.resets_at is not None and found.resets_at.day == 1
    assert {"from", "to", "name"} <= {each["name"] for each in document["paths"]["/v1/topics"]["get"]["parameters"]}
    accounts.close()
