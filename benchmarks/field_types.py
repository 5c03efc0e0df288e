"""How many field types are right after 1, 10, 100 and all events, and what counting the evidence costs.

Windows of as many events in a row are judged, 60 of them over each file. The yardstick of the cost is to decode the
same metadata with orjson and nothing else.

    python benchmarks/field_types.py GOLD.json [--json]

GOLD.json maps names of Parquet files beside it (columns `text`, `extra_json`) to the type of each field.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from collections import Counter
from pathlib import Path

import orjson
import polars as pl

from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake.tables import FIELD_OVERRIDES

WINDOWS = 60
SIZES = (1, 10, 100, None)
DAY = dt.date(2026, 3, 1)


def events_of(file: Path) -> pl.DataFrame:
    """Return the file's events: `timestamp`, `metadata`."""
    rows = pl.read_parquet(file, columns=["text", "extra_json"]).iter_rows()
    metadata = [json.dumps({"prompt": text, **json.loads(extra)}) for text, extra in rows]
    at = dt.datetime.combine(DAY, dt.time(), dt.UTC)
    return pl.DataFrame({"metadata": metadata}).with_columns(timestamp=pl.lit(at).cast(pl.Datetime("us", "UTC")))


def wrong(events: pl.DataFrame, size: int | None, gold: dict[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Return by field in how many windows of `size` events (None: all) its type is wrong, and in how many it occurs."""
    n = events.height if size is None else size
    starts = [0] if size is None else range(0, events.height - n, max(1, events.height // WINDOWS))
    bad, seen = Counter[str](), Counter[str]()
    for start in starts:
        profiles = profile_fields(events.slice(start, n)).with_columns(received_date=pl.lit(DAY))
        found = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types
        for field, kind in found.select("field", "type").iter_rows():
            seen[field] += 1
            bad[field] += kind != gold[field]
    return bad, seen


def main() -> None:
    """Measure and print a line for each file and number of events."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    right: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    ours = yardstick = 0.0
    n_events = 0
    for name, gold in json.loads(options.gold.read_text()).items():
        events = events_of(options.gold.parent / name)
        for size in SIZES:
            bad, seen = wrong(events, size, gold)
            label = f"after_{size or 'all'}"
            judged[label] += seen.total()
            right[label] += seen.total() - bad.total()
            if not options.json:
                listed = ", ".join(f"{field} {n} of {seen[field]}" for field, n in bad.items() if n) or "none"
                print(f"{name:<24} {size or 'all':>4} events: wrong {listed}")
        started = time.process_time()
        profile_fields(events)
        ours += time.process_time() - started
        started = time.process_time()
        for text in events["metadata"]:
            orjson.loads(text)
        yardstick += time.process_time() - started
        n_events += events.height
    figures = {f"right_{label}": right[label] / judged[label] for label in judged}
    figures |= {"events_per_cpu_s": n_events / ours, "times_bare_decoding": ours / yardstick}
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<24} {value:>14,.3f}")


if __name__ == "__main__":
    main()
