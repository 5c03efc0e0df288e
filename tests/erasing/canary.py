"""A canary in every field of every kind of event, the ways to send it, and the forms in which bytes may hold it."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.command.test_up import Up, turret
from tests.lake.holding import contents
from tests.otlp.spans import request, span, span_id, trace_id
from tests.processes.conftest import processes_of
from turret_api.processes.postgres import embedded_url
from turret_api.processes.postgres_keeper import binaries

CANARY = "kanarienvogelsieben"
USER = f"{CANARY}-user"
ERASED_S = 480
THEMES = ("refund my payment for order {}", "where is the parcel of order {}", "the password of account {} is lost")
FORMS = [
    CANARY.encode(),
    CANARY.encode("utf-16-le"),
    CANARY.encode("utf-16-be"),
    "".join(f"%{each:02x}" for each in CANARY.encode()).encode(),
    "".join(f"\\u{ord(each):04x}" for each in CANARY).encode(),
    # The characters of base64 that follow from the canary alone, for each place where it may begin.
    *(base64.b64encode(b" " * n + CANARY.encode())[4 if n else 0 : -4] for n in range(3)),
]


def holding(folder: Path) -> list[str]:
    """Return the files that hold the canary in one of its forms, in any case of letters."""
    files = (each for each in sorted(folder.rglob("*")) if each.is_file() and not each.is_symlink())
    return [str(each.relative_to(folder)) for each in files if any(map(has_canary, contents(each)))]


def has_canary(content: bytes) -> bool:
    lower = content.lower()
    return any(form.lower() in lower for form in FORMS[:5]) or any(form in content for form in FORMS[5:])


class System(Up):
    """A `turret up` with one project. more: variables of its environment besides those of its home."""

    def __init__(self, home: Path, **more: str) -> None:
        super().__init__(home)
        self.environment |= more
        self.keys: dict[str, str] = {}

    def turret(self, *words: str) -> str:
        done = subprocess.run(turret(*words), env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end_all(self) -> None:
        """End it if it runs, and whatever of it is left."""
        if self.process is not None and self.process.poll() is None:
            self.end()
        for process in processes_of(self.home):
            process.kill()

    def make_project(self) -> None:
        self.keys = json.loads(self.turret("project", "create", "shop", "--json"))

    def ask(self, method: str, path: str, body: Any = None, key: str = "admin_key", **how: Any) -> Any:
        answer = httpx.request(
            method, f"{self.url}{path}", headers={"X-API-Key": self.keys[key], **how.pop("headers", {})},
            json=body, timeout=60, **how,
        )  # fmt: skip
        assert answer.status_code < 300, answer.text
        return answer.json()

    def track(self, events: list[dict[str, Any]], **how: Any) -> None:
        told = self.ask("POST", "/track", None if how else events, key="write_key", **how)
        assert told["success"] is True

    def dump(self) -> bytes:
        """Return what the database says, as SQL."""
        url = self.environment.get("TURRET_DATABASE_URL") or str(embedded_url(self.home))
        url = url.replace("+psycopg2", "")
        return subprocess.run([str(binaries() / "pg_dump"), url], capture_output=True, check=True).stdout


def others() -> list[dict[str, Any]]:
    return [
        {
            "name": "asked",
            "event_id": f"other-{number}",
            "session_id": f"s{number // 4}",
            "user_id": f"u{number // 12}",
            "metadata": {"prompt": THEMES[number % 3].format(number), "plan": ("free", "pro")[number % 2]},
        }
        for number in range(90)
    ]


def canaries(kind: str, n: int) -> list[dict[str, Any]]:
    """Return events in every field of which the canary stands."""
    return [
        {
            "name": f"{CANARY} name",
            "event_id": f"{CANARY}-{kind}-{number}",
            "session_id": f"{CANARY}-session-{number % 2}",
            "user_id": USER,
            "metadata": {
                "prompt": f"a cage for my {CANARY}, please, number {number}",
                "reply": f'Sorry, I cannot sell a {CANARY} {kind}. "{CANARY}\\{CANARY}"\n{CANARY}',
                "plan": f"{CANARY}-plan",
                f"{CANARY} key": f"{CANARY} é value",
                "list": [CANARY, {"deep": [f"{CANARY}"]}],
                "number": 5 + number,
                "yes": True,
                "none": None,
            },
        }
        for number in range(n)
    ]


def send_all(system: System, folder: Path) -> None:
    """Send the canary in every way there is, with events of others among them."""
    system.track(others())
    system.track(canaries("array", 12))
    ndjson = "\n".join(json.dumps(each) for each in canaries("ndjson", 12)).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    system.track([], content=ndjson, headers=headers)
    zipped = gzip.compress(json.dumps(canaries("gzip", 12)).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    system.track([], content=zipped, headers=headers)
    for number in range(3):
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.conversation.id": f"{CANARY}-conversation",
            "user.id": USER,
            "gen_ai.input.messages": json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": f"a song of the {CANARY} {number}"}]}]
            ),
        }
        body = request(span(attributes, trace=trace_id(number + 1), own_id=span_id(number + 1), name="chat"))
        system.ask("POST", "/v1/traces", body, key="write_key")
    file = folder / f"{CANARY}.ndjson"
    rows = [{**each, "timestamp": "2026-11-20T10:00:00Z"} for each in canaries("import", 12)]
    rows += [{**each, "event_id": f"{each['event_id']}-i", "timestamp": "2026-11-20T11:00:00Z"} for each in others()]
    file.write_text("\n".join(json.dumps(each) for each in rows))
    system.turret("import", str(file), "--project", "shop")
    file.unlink()


def build_and_copy(system: System, folder: Path) -> tuple[Path, Path]:
    """Build, write about the canary, look at it, export it and back it up; return the exported file and the archive."""
    system.turret("build", "--project", "shop")
    topics = system.ask("GET", "/v1/topics?field=prompt")["data"]
    named = [each for each in topics if CANARY in json.dumps(each).lower()]
    assert named, topics
    edit = {"topic_id": named[0]["topic_id"], "action": "rename", "value": f"Cages of {CANARY}"}
    system.ask("POST", "/v1/topics/edits", edit)
    system.ask("POST", f"/v1/topics/{named[0]['topic_id']}/notes", {"text": f"the {CANARY} again"})
    system.ask("GET", f"/v1/messages?field=prompt&q={CANARY}")
    system.ask("GET", f"/v1/sessions/{CANARY}-session-0")
    exported, archive = folder / "exports" / "messages.ndjson", folder / "backups" / "shop.tar"
    for each in (exported, archive):
        each.parent.mkdir()
    system.turret("export", "messages", "--project", "shop", "--field", "prompt", "--out", str(exported))
    system.turret("backup", str(archive))
    return exported, archive
