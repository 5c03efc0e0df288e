"""All benchmarks, each beside its yardstick in one run, as one table.

    make bench                                             # on texts that we generate
    .venv/bin/python -m benchmarks --gold GOLD.parquet     # on labelled texts: columns text and gold_topic

Each benchmark runs in a process of its own, so that it does not profit from caches that another has filled.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from turret_api.command.sample import make_sample

ROOT = Path(__file__).parents[1]


def write_gold(target: Path, n_sessions: int) -> None:
    """Write the sample's messages with their planted topics: columns text, gold_topic."""
    sample = make_sample(dt.datetime(2026, 1, 31, tzinfo=dt.UTC), n_sessions=n_sessions)
    rows = [(message.event["metadata"]["prompt"], message.topic) for message in sample]
    pl.DataFrame(rows, schema=["text", "gold_topic"], orient="row").write_parquet(target)


def measure(script: str, *arguments: str) -> dict[str, object]:
    """Run one benchmark and return the figures that it prints as JSON; raise if it fails."""
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}.py", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, help="Parquet file with columns text and gold_topic")
    parser.add_argument(
        "--field-types", type=Path, help="JSON file with the type of each field, beside its event files"
    )
    parser.add_argument(
        "--journeys",
        type=Path,
        nargs=2,
        help="labelled conversations and their transitions, as `journeys_gold` takes them",
    )
    parser.add_argument("--sessions", type=int, default=2000, help="sessions of generated texts, without --gold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        gold = options.gold
        if gold is None:
            gold = Path(folder) / "gold.parquet"
            write_gold(gold, options.sessions)
        for script, arguments in {
            "collector": ["--json"],
            "masking": ["--json"],
            "client": ["--json"],
            "otlp": ["--json"],
            "automation": ["--json"],
            "freshness": ["--json"],
            "embedding": [str(gold)],
            "topics": [str(gold), "--assign", "100000", "--many", "200000"],
            "topics_stability": [str(gold)],
            "journeys": ["--json"],
            "read": ["--json"],
            "idle": ["--json"],
            "growth": ["--json"],
            "dashboard": ["--json"],
            "floods": ["--json"],
            "tenants": ["--json"],
            "s3": ["--json"],
            **({"journeys_gold": list(map(str, options.journeys))} if options.journeys else {}),
            **({"field_types": [str(options.field_types), "--json"]} if options.field_types else {}),
            "search": [],
        }.items():
            for name, value in measure(script, *arguments).items():
                shown = f"{value:,.2f}" if isinstance(value, float) else str(value)
                print(f"{script:<12} {name:<36} {shown:>14}", flush=True)


if __name__ == "__main__":
    main()
