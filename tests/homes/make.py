"""Make the home of one release, with everything in it that an upgrade must bring along.

    git worktree add --detach ../release v0.2.0
    .venv/bin/python -m tests.homes.make ../release 0.2.0

makes a home by the commands and routes of the code in `../release`, with the libraries that are installed here, and
packs it with `turret backup` of the code here: `tests/homes/0.2.0.tar.xz`, with `0.2.0.json` beside it, which says what
was put in. Only what every release has is used: `/track`, `/v1`, and `turret up`, `build`, `serve` and `project`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.small_lake import FRAMES, THEMES
from turret_api.command.backup import write
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

N_BUILT, N_SPOOLED = 160, 5
LIMIT = 4321
"""Events a month of the project's plan: a number that no default has."""


def event(number: int) -> dict[str, Any]:
    """Return the body of one event for `/track`; sessions go from theme to theme."""
    words = list(THEMES.values())[(number + number // 5) % 4]
    text = FRAMES[number // 4 % len(FRAMES)].format(words[number // 16 % 5], number)
    at = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2) + dt.timedelta(seconds=20 * number)
    return {
        "event_id": f"event-{number}",
        "session_id": f"session-{number // 5}",
        "user_id": f"user-{number // 10}",
        "name": "user_prompt",
        "timestamp": at.isoformat(),
        "metadata": {
            "prompt": text,
            "plan": ("free", "pro", "team")[number % 3],
            "latency_ms": 100 + number * 7 % 900,
            "code": number % 7,
        },
    }


class Release:
    """The code in `tree`, run on the home `home`."""

    def __init__(self, tree: Path, home: Path) -> None:
        self.tree = tree
        ports = [free_port(), free_port()]
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TURRET_")},
            "PYTHONPATH": str(tree),
            "PYTHONWARNINGS": "ignore",
            "TURRET_HOME": str(home),
            "TURRET_PORT": str(ports[0]),
            "TURRET_DAGSTER_PORT": str(ports[1]),
        }

    def run(self, *words: str) -> str:
        """Return what a command of the release prints; raise `CalledProcessError` if it fails."""
        command = [sys.executable, "-m", "turret_api", *words]
        return subprocess.run(
            command, cwd=self.tree, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    @contextlib.contextmanager
    def running(self, command: str, end: signal.Signals = signal.SIGTERM, **settings: str) -> Iterator[None]:
        """Inside the block `turret up` or `turret serve` of the release takes events; `end` ends it."""
        words = [sys.executable, "-m", "turret_api", command]
        process = subprocess.Popen(words, cwd=self.tree, env=self.environment | settings)
        try:
            wait_for(lambda: self.ask("GET", "/readyz")[0] == 200)
            yield
        finally:
            process.send_signal(end)
            process.wait(120)

    def ask(self, method: str, path: str, key: str = "", body: object = None) -> tuple[int, Any]:
        """Return status and body of an answer of the API; status 0: nobody answered."""
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        request.add_header("X-API-Key", key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except OSError:
            return 0, None

    def get(self, path: str, key: str) -> Any:
        """Return the body of a successful answer; raise `RuntimeError` otherwise."""
        return self.must("GET", path, key)

    def must(self, method: str, path: str, key: str, body: object = None) -> Any:
        """Return the body of an answer of 200 or 201; raise `RuntimeError` otherwise."""
        status, answer = self.ask(method, path, key, body)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path} was answered {status}: {answer}")
        return answer


def free_port() -> int:
    """Return a TCP port of this machine that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(holds: Callable[[], object], patience_s: float = 240.0) -> None:
    """Return once `holds` does; raise `TimeoutError` if that takes longer."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the release did not get ready")
        time.sleep(0.3)


def make(release: Release) -> dict[str, Any]:
    """After this call the home is made; return what was put in."""
    project = json.loads(
        release.run("project", "create", "shop", "--plan", "enterprise", "--limit", str(LIMIT), "--json")
    )
    other = json.loads(release.run("project", "create", "other", "--plan", "pro", "--json"))
    write, admin = project["write_key"], project["admin_key"]
    ids: list[str] = []
    with release.running("up"):
        for start in range(0, N_BUILT, 40):
            body = [event(number) for number in range(start, start + 40)]
            release.must("POST", "/track", write, body)
            ids += [each["event_id"] for each in body]
        release.must("POST", "/track", other["write_key"], event(0))

        def topics() -> list[dict[str, Any]]:
            status, answer = release.ask("GET", "/v1/topics?field=prompt&limit=1000", admin)
            return answer["data"] if status == 200 else []

        wait_for(lambda: sum(topic.get("level", 0) == 0 for topic in topics()) >= 4)
        found = [topic for topic in topics() if topic.get("level", 0) == 0]
        first, second, third, *_ = sorted(topic["topic_id"] for topic in found)
        edits = [
            {"field": "prompt", "topic_id": first, "action": "rename", "value": "Named by a person"},
            {"field": "prompt", "topic_id": second, "action": "merge", "value": third},
            {"field": "prompt", "topic_id": third, "action": "hide", "value": "true"},
        ]
        for edit in edits:
            release.must("POST", "/v1/topics/edits", admin, edit)
        release.must("PATCH", "/v1/fields/code", admin, {"type": "enum"})
    release.run("build")
    # Taken and not yet rolled when the machine loses its power.
    with release.running("serve", signal.SIGKILL, TURRET_ROLL_SECONDS="3600"):
        body = [event(number) for number in range(N_BUILT, N_BUILT + N_SPOOLED)]
        release.must("POST", "/track", write, body)
        ids += [each["event_id"] for each in body]
        time.sleep(3)
    return {
        "project": project,
        "other": other,
        "limit": LIMIT,
        "event_ids": ids,
        "topics": [{name: topic[name] for name in ("topic_id", "label")} for topic in found],
        "edits": edits,
    }


def pack(settings: Settings, archive: Path, strange: Mapping[str, str]) -> None:
    """After this call `archive` holds the home; for each path of this machine in `strange` it has another."""
    with database(settings) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            columns = connection.execute(
                text(
                    "SELECT table_name, column_name FROM information_schema.columns "
                    "WHERE table_schema = 'dagster' AND data_type IN ('text', 'character varying')"
                )
            ).all()
            for table, column in columns:
                for found, wanted in strange.items():
                    change = f'UPDATE dagster.{table} SET "{column}" = replace("{column}", :found, :wanted)'
                    connection.execute(
                        text(f'{change} WHERE position(:found in "{column}") > 0'), {"found": found, "wanted": wanted}
                    )
        engine.dispose()
        write(settings, url, archive, print)


def main(tree: str, name: str) -> None:
    """Make the archive `name` of a home of the release in `tree`."""
    release, here = Path(tree).absolute(), Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        expected = make(Release(release, home))
        (here / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")
        strange = {
            str(release): "/turret",
            str(home): "/home",
            sys.prefix: "/python",
            str(here.parents[1]): "/turret",
            socket.gethostname(): "host",
        }
        settings = Settings.from_environment({"TURRET_HOME": str(home)})
        pack(settings, here / f"{name}.tar.xz", strange)


if __name__ == "__main__":
    main(*sys.argv[1:])
