"""An API over a home of its own and real accounts, with a project and a key of each role."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from turret_api.accounts import Accounts, NewProject
from turret_api.app import create_app
from turret_api.roles import ROLES, SCOPE_OF_ROLE
from turret_pipeline.settings import Settings


@dataclass(eq=False)
class House:
    """The API, its accounts, a project, and the project's keys by role, or by `write`."""

    client: TestClient
    accounts: Accounts
    settings: Settings
    project: NewProject
    keys: dict[str, str]

    def ask(self, method: str, path: str, key: str = "owner", **more: Any) -> httpx.Response:
        return self.client.request(method, path, headers={"X-API-Key": self.keys.get(key, key)}, **more)


@pytest.fixture(scope="module")
def house(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path_factory.mktemp("house"))})
    settings.open_lake().make()
    accounts = Accounts(database_url)
    accounts.migrate()
    project = accounts.create_project(f"House {secrets.token_hex(4)}")
    made = {role: accounts.create_key(project.project_id, SCOPE_OF_ROLE[role], role=role).key for role in ROLES}
    with TestClient(create_app(settings, accounts)) as client:
        yield House(client, accounts, settings, project, {**made, "write": project.write_key})
    accounts.close()
