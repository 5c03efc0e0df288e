"""What unusual data costs beside usual data: hundreds of text fields, thousands of keys, one endless session.

Each shape is a project of its own in a home of its own, with as many events and the same texts:

- usual: one text field, three segments, sessions of a few messages;
- text_fields: the texts lie in `N_FIELDS` fields;
- keys: each event has five more keys, of `N_KEYS` in all;
- session: one session has all messages.

Measured are `turret build` of all of it, of `N_NEW` more events, the build's largest memory, and the answers to `PATHS`
(the slowest, each asked for the first time and again). The ratio is to the usual shape in the same run.

    python benchmarks/limits.py [--events 50000] [--shapes usual,text_fields,keys,session] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import polars as pl
from collector import start
from history import make_day, make_texts
from report import say, show

from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

N_FIELDS, N_KEYS, N_NEW = 500, 5_000, 200
SHAPES = ("usual", "text_fields", "keys", "session")
TURRET = [sys.executable, "-m", "turret_api"]
PATHS = (
    "/v1/fields",
    "/v1/topics?field={field}",
    "/v1/topics/map?field={field}",
    "/v1/journeys?field={field}",
    "/v1/journeys/paths?field={field}",
    "/v1/journeys/loops?field={field}",
    "/v1/journeys/returns?field={field}",
    "/v1/journeys/sessions?field={field}",
    "/v1/sessions/{session}",
    "/v1/messages?field={field}&limit=100",
)


def make_events(shape: str, n: int, day: int = 0) -> pl.DataFrame:
    """Return `n` events as `turret import` takes them: `name`, `session_id`, `user_id`, `timestamp`, `metadata`."""
    rows = make_day(make_texts(round(n * 0.4) * (day + 1)), day, n)
    if shape == "session":
        rows = rows.with_columns(session_id=pl.lit("endless"))
    metadata = []
    for place, text in enumerate(rows["metadata"]):
        found = json.loads(text)
        if shape == "text_fields":
            found[f"prompt_{place % N_FIELDS}"] = found.pop("prompt")
        if shape == "keys":
            for number in range(place * 5, place * 5 + 5):
                kind = number % N_KEYS % 3
                value = (place % 900, f"choice {place % 7}", f"id-{number * 7919 % 1000003:x}")[kind]
                found[f"key_{number % N_KEYS}"] = value
        metadata.append(found)
    return rows.select("name", "session_id", "user_id", "timestamp").with_columns(
        metadata=pl.Series([json.dumps(each) for each in metadata])
    )


def write(events: pl.DataFrame, file: Path) -> Path:
    """Write events as NDJSON."""
    with file.open("w") as out:
        for name, session, user, at, metadata in events.iter_rows():
            head = {"name": name, "session_id": session, "user_id": user, "timestamp": at.isoformat()}
            out.write(f'{json.dumps(head)[:-1]}, "metadata": {metadata}}}\n')
    return file


def run(environment: dict[str, str], *words: str) -> tuple[float, float, str]:
    """Run a `turret` command; return its seconds, its largest memory in MiB, and what it printed."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen([*TURRET, *words], env=environment, stdout=printed, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - started
        printed.seek(0)
        said = printed.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"turret {' '.join(words)}: {said[-2000:]}")
    return taken, usage.ru_maxrss / 1024, said


def answers(environment: dict[str, str], read_key: str, field: str) -> dict[str, float]:
    """Return the milliseconds of the slowest first and second answers, and tell all of them."""
    process, port = start([*TURRET, "serve", "--port", "0"], environment)
    slowest = [0.0, 0.0]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": read_key}, timeout=120) as client:
            client.get("/v1/fields")  # the process that works on questions starts
            listed = client.get("/v1/journeys/sessions", params={"field": field}).json()
            session = listed["data"][0]["session_id"] if listed.get("data") else "endless"
            for path in PATHS:
                asked = path.format(field=field, session=session)
                took = []
                for extra in ("from=2020-01-01", "from=2020-01-02"):
                    mark = "&" if "?" in asked else "?"
                    url = asked if "fields" in path or "/sessions/" in path else asked + mark + extra
                    started = time.perf_counter()
                    answer = client.get(url).raise_for_status()
                    took.append(1000 * (time.perf_counter() - started))
                size = len(answer.content)
                say(f"    {asked:<60} {took[0]:8.0f} ms {took[1]:8.0f} ms {size:>12,} bytes")
                slowest = [max(slowest[0], took[0]), max(slowest[1], took[1])]
    finally:
        process.terminate()
        process.wait(60)
    return {"answer_first_ms": slowest[0], "answer_again_ms": slowest[1]}


def measure_shape(shape: str, n_events: int) -> dict[str, float]:
    """Return the figures of one shape."""
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        settings = Settings.from_environment({"TURRET_HOME": f"{folder}/home"})
        with database(settings) as url:
            environment = {**os.environ, "TURRET_HOME": f"{folder}/home"}
            environment["TURRET_DATABASE_URL"] = url.replace("+psycopg2", "", 1)
            project = json.loads(run(environment, "project", "create", "p", "--plan", "enterprise", "--json")[2])
            name = project["project_id"]
            first = write(make_events(shape, n_events), Path(folder) / "first.ndjson")
            imported = run(environment, "import", str(first), "--project", name)[0]
            say(f"{shape}: imported in {imported:.1f} s")
            built, memory, _ = run(environment, "build")
            say(f"{shape}: built in {built:.1f} s, {memory:.0f} MiB")
            more = write(make_events(shape, N_NEW, 1), Path(folder) / "more.ndjson")
            run(environment, "import", str(more), "--project", name)
            again, _, _ = run(environment, "build")
            say(f"{shape}: {N_NEW} more built in {again:.1f} s")
            field = "prompt_7" if shape == "text_fields" else "prompt"
            return {
                "import_s": imported,
                "build_s": built,
                "build_mib": memory,
                "build_more_s": again,
                **answers(environment, project["read_key"], field),
            }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {shape: measure_shape(shape, options.events) for shape in options.shapes.split(",")}
    figures = {f"{shape}_{name}": value for shape, each in found.items() for name, value in each.items()}
    for shape, each in found.items():
        for name, value in each.items() if shape != "usual" and "usual" in found else []:
            figures[f"{shape}_{name}_ratio"] = value / found["usual"][name]
    show(figures, options.json)


if __name__ == "__main__":
    main()
