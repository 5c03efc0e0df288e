"""The OpenAPI document is one from which a client is generated that type-checks, and works."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PACKAGE = "turret_api_client"
"""As the generator calls it, which is not what our own client is called."""
MYPY = f"""
[mypy]
strict = True
# What the generator writes whatever the document says: the end of a `with`, and casts that change nothing.
disable_error_code = redundant-cast
[mypy-{PACKAGE}.client]
disable_error_code = arg-type
"""


@pytest.fixture(scope="module")
def generated(server, project, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What the generator has made of the document that is served, and said meanwhile."""
    folder = tmp_path_factory.mktemp("generated")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (folder / "mypy.ini").write_text(MYPY)
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none",
         "--url", f"http://127.0.0.1:{server.port}/openapi.json"],
        cwd=folder, env={**os.environ, "PATH": tools}, capture_output=True, text=True,
    )  # fmt: skip
    document = server.request("GET", "/openapi.json").json
    return SimpleNamespace(folder=folder, document=document, status=done.returncode, said=done.stdout + done.stderr)


@pytest.fixture
def package(generated: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the generated package."""
    monkeypatch.syspath_prepend(str(generated.folder))
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.mark.slow
def test_every_route_becomes_a_function_and_nothing_is_warned_of(generated: SimpleNamespace) -> None:
    assert (generated.status, "WARNING" in generated.said) == (0, False), generated.said
    made = {file.stem for file in (generated.folder / PACKAGE / "api").glob("*/*.py")} - {"__init__"}
    operations = [each for item in generated.document["paths"].values() for each in item.values()]
    assert len(made) == len(operations)
    assert made >= {"track", "get_usage", "get_topics", "get_journeys", "get_messages"}


@pytest.mark.slow
def test_the_generated_client_type_checks(generated: SimpleNamespace) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", ".mypy_cache", "-p", PACKAGE],
        cwd=generated.folder, capture_output=True, text=True,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_the_generated_client_sends_and_asks(server, project, package: Any) -> None:
    clients, models = package("client"), package("models")
    url = f"http://127.0.0.1:{server.port}"
    track, get_usage, get_topics = (
        package(name) for name in ("api.write.track", "api.read.get_usage", "api.read.get_topics")
    )

    def client(key: str) -> Any:
        return clients.AuthenticatedClient(url, token=key, prefix="", auth_header_name="X-API-Key")

    def event(number: int) -> Any:
        return models.Event.from_dict({"name": "n", "metadata": {"id": number, "list": [{"a": None}]}, "event_id": "g"})

    with client(project.write_key) as writing:
        one = track.sync(client=writing, body=event(1))
        many = track.sync(client=writing, body=[event(1), models.Event.from_dict({"name": "n", "metadata": {}})])
        refused = get_usage.sync(client=writing)
    with client(project.read_key) as reading:
        usage, topics = get_usage.sync(client=reading), get_topics.sync(client=reading)

    assert isinstance(one, models.Tracked)
    assert (one.success, one.event_id) == (True, "g")
    assert isinstance(many, models.TrackedMany)
    assert (many.accepted, many.rejected, many.results[0].duplicate) == (1, 1, True)
    assert isinstance(refused, models.Error)
    assert refused.code == "INVALID_API_KEY"
    assert (usage.plan, usage.limit) == ("pro", 1_000_000)
    assert topics.data == []
