"""What one more day costs after short and long histories: the work must follow the day, not the history.

Histories of generated messages (`history`), 10,000 a day, are built from nothing; then one more day comes. Both
builds call what the assets call, stage after stage with the checks behind each, in a process of their own. Left out:
Dagster's own seconds, which do not grow with a project (`turret build` tells them as "orchestration"), and the
embedding model: the vectors of the texts are made up and lie in `embeddings` before the build, whose stage finds
nothing missing (what writing the day's vectors took is told). Labels are made with the real model.

    python benchmarks/growth.py [--sizes 100000 1000000] [--day 10000] [--new-texts 0.4] [--folder DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
from history import SHARE_NEW, make_day, make_texts, make_vectors

from turret_pipeline.analysis.fields.detect import text_id
from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake.parts import write_part
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS
from turret_pipeline.stages import CHECKS, STAGES
from turret_pipeline.stages.embeddings import CHUNK_TEXTS, embedding_rows
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

PROJECT = "growing"
PARTS_A_DAY = 4


def write_days(lake: Lake, days: range, n: int, share_new: float) -> float:
    """Write the raw parts of `days`, `n` messages each, and the vectors of their texts; return the seconds of these."""
    lake.make()
    n_new = round(n * share_new)
    texts = make_texts(days.stop * n_new)
    for number in days:
        events = make_day(texts, number, n, share_new)
        rows = -(-n // PARTS_A_DAY)
        day = events["received_at"][0].date()
        for part in range(PARTS_A_DAY):
            write_part(lake, PROJECT, day, f"part-{part}.parquet", events.slice(part * rows, rows))
    fresh = texts.slice(days.start * n_new)
    embeddings, spent = Work(lake, PROJECT).open(EMBEDDINGS), 0.0
    for start in range(0, fresh.height, CHUNK_TEXTS):
        chunk = fresh.slice(start, CHUNK_TEXTS)
        vectors = make_vectors(chunk["topic"].to_numpy(), days.start * n_new + start)
        ids = pl.Series([text_id(text) for text in chunk["text"]], dtype=pl.String)
        rows_of = embedding_rows(PROJECT, model_key(None), chunk.select("text", text_id=ids), vectors)
        started = time.perf_counter()
        embeddings.append(rows_of)
        spent += time.perf_counter() - started
    return spent


def build(lake: Lake) -> dict[str, object]:
    """Bring the project up to date; return seconds by stage, of its checks, of finding what to do, and peak memory."""
    stages: dict[str, float] = {}
    checks: dict[str, float] = {}
    rows: dict[str, int] = {}
    started = time.perf_counter()
    assert pending_stages(lake, None)[PROJECT]
    found = time.perf_counter() - started
    peaks: dict[str, int] = {}
    for stage in STAGES:
        name = stage.table.name
        _forget_peak()
        begun = time.perf_counter()
        outcomes = stage.bring(Work(lake, PROJECT))
        stages[name] = time.perf_counter() - begun
        peaks[name] = _peak_mib()
        _forget_peak()
        begun = time.perf_counter()
        for outcome in outcomes:
            rows[outcome.table] = outcome.n_rows
            for label, check in CHECKS[outcome.table].items():
                finding = check.find(lake, PROJECT, outcome.to_check)
                assert finding.n_wrong == 0, (outcome.table, label, finding)
        checks[name] = time.perf_counter() - begun
        peaks[f"checks of {name}"] = _peak_mib()
    return {
        "seconds": time.perf_counter() - started,
        "pending": found,
        "stages": stages,
        "checks": checks,
        "rows": rows,
        "peaks_mib": peaks,
        "peak_mib": max(peaks.values()),
    }


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def measure(folder: Path, size: int, n: int, share_new: float) -> dict[str, dict[str, Any]]:
    """Return what the first build of `size` messages took (`full`), and that of the next `n` (`day`)."""
    lake, n_days = folder / f"lake-{size}", size // n
    shutil.rmtree(lake, ignore_errors=True)
    _step("write", lake, 0, n_days, n, share_new)
    full = _step("build", lake)
    written = _step("write", lake, n_days, n_days + 1, n, share_new)
    return {"full": full, "day": _step("build", lake) | written}


def figures(found: dict[int, dict[str, dict[str, Any]]]) -> dict[str, float]:
    """Return what is asked of growth, and every stage's seconds, by name."""
    small, large = (found[size] for size in (min(found), max(found)))
    shown = {
        "day_ratio": large["day"]["seconds"] / small["day"]["seconds"],
        "day_share_of_full": large["day"]["seconds"] / large["full"]["seconds"],
        "new_share": large["day"]["rows"]["events"] / max(found),
    }
    for size, builds in found.items():
        for build, seen in builds.items():
            name = f"{size}_{build}"
            shown |= {f"{name}_s": seen["seconds"], f"{name}_peak_mib": seen["peak_mib"]}
            shown |= {f"{name}_{stage}_s": seen["stages"][stage] + seen["checks"][stage] for stage in seen["stages"]}
    return shown


def table(found: dict[int, dict[str, dict[str, Any]]]) -> str:
    """Return the seconds of each stage (and of its checks), a column a build, as lines of text."""
    columns = [(f"{size:,} {build}", seen) for size, builds in found.items() for build, seen in builds.items()]
    lines = [["stage (and checks)", *(name for name, _ in columns)]]
    lines += [["finding what to do", *(f"{seen['pending']:.2f}" for _, seen in columns)]]
    for stage in (each.table.name for each in STAGES):
        both = (f"{seen['stages'][stage]:.2f} ({seen['checks'][stage]:.2f})" for _, seen in columns)
        lines.append([stage, *both])
    lines.append(["all, s", *(f"{seen['seconds']:.1f}" for _, seen in columns)])
    lines.append(["peak memory, MiB", *(f"{seen['peak_mib']:,}" for _, seen in columns)])
    return "\n".join(f"{line[0]:<20}" + "".join(f"{cell:>18}" for cell in line[1:]) for line in lines)


def _step(*words: object) -> dict[str, Any]:
    command = [sys.executable, __file__, "--step", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--day", type=int, default=10_000)
    parser.add_argument("--new-texts", type=float, default=SHARE_NEW, help="share of messages that bring a new text")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step, lake, *numbers = options.step
        if step == "write":
            first, last, n = map(int, numbers[:3])
            spent = write_days(Lake(lake), range(first, last), n, float(numbers[3]))
            print(json.dumps({"writing_vectors": spent}))
        else:
            print(json.dumps(build(Lake(lake))))
        return
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as temporary:
        folder = options.folder or Path(temporary)
        found = {size: measure(folder, size, options.day, options.new_texts) for size in options.sizes}
    shown = figures(found)
    if options.json:
        print(json.dumps(shown))
        return
    print(table(found))
    print(f"one more day of {options.day:,} after the longest history, by after the shortest: {shown['day_ratio']:.2f}")
    print(f"{shown['new_share']:.1%} new costs {shown['day_share_of_full']:.1%} of the full build")


if __name__ == "__main__":
    main()
