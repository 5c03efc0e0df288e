"""`shared_frames`: the long passages that many texts share, which are cut out before texts are embedded.

A passage may have slots, written "{…}": pieces that vary, such as a name or a date. Passages are found anew from all
texts whenever messages came or went, so a late event gives what one build of all events gives. Of `MANY_MESSAGES` or
more that would read the whole history for every run: there they are found anew once the messages are `NEWS` more or
fewer, as a sample of the texts hardly changes before. The mark `frames` tells which there are, and changes with them
alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import MESSAGES, SHARED_FRAMES
from turret_pipeline.semantics.prompts.finding import find_frames
from turret_pipeline.semantics.prompts.frames import LEAST_UNITS, Frames
from turret_pipeline.stages.messages import STAGE as MESSAGES_STAGE
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

FRAMES = "frames"
"""Name of the mark that says which frames there are: 0 for none."""

LOOKED = "messages looked through"
"""Name of the mark with the number of messages that there were when frames were last looked for."""

MANY_MESSAGES, NEWS = 500_000, 0.01

MOST_TEXTS = 5_000
"""Long texts that are looked through, those first in the order of `text_id`: a random sample, nearly the same later."""

_TEXT = pl.col("text").str
MAY_HAVE_FRAMES = (_TEXT.len_bytes() >= LEAST_UNITS) | (
    _TEXT.contains(r"[:=\x{ff1a}]") & _TEXT.contains(r"\n|^\s*[\[({]|[\])}]\s*$")
)
"""Whether a text may have a frame: it is long, or may have keys and values at its ends."""


def bring(task: Task) -> Outcome:
    """After this call the table has the frames that the project's texts share now, in one commit.

    While there is none, and the days that changed have no long texts, there can be none now.
    """
    outcome, table = Outcome("shared_frames"), task.table
    if task.has_news:
        wanted, changed = task.inputs(), {day: task.inputs(day) for day in task.stage.stale_days(task)}
        n_messages, n_looked = int(task.open(MESSAGES).sizes()["n_rows"].sum()), table.mark(LOOKED) or 0
        if n_looked >= MANY_MESSAGES and abs(n_messages - n_looked) < NEWS * n_looked and not task.makes_anew():
            table.set_inputs(wanted, changed)
        else:
            rows = _found(task, changed)
            failpoint.reached("shared_frames.after_analysis")
            marks = {FRAMES: fingerprint(rows["text"].to_list()) if rows.height else 0, LOOKED: n_messages}
            if rows.equals(table.read().sort("text")):
                table.append(rows.clear(), inputs=wanted, days=changed, marks=marks)
            else:
                table.replace(rows, inputs=wanted, days=changed, marks=marks)
                outcome.n_rows = rows.height
    outcome.facts = {"frames": table.read().height}
    return task.finish(outcome)


def _found(task: Task, changed: Collection[dt.date]) -> pl.DataFrame:
    """Return the rows of the frames that the texts share now. changed: the days whose messages are not as before."""
    long = _long(task.open(MESSAGES))
    of_days = pl.col("received_date").is_in(list(changed))
    is_looked_for = task.work.full_refresh or task.table.mark(FRAMES) or _is_any(long.filter(of_days))
    frames = find_frames(_sample(long)) if is_looked_for else []
    found = [(task.work.project_id, frame.text, frame.n_texts) for frame in frames]
    return pl.DataFrame(found, schema=SHARED_FRAMES.schema, orient="row").sort("text")


def _long(messages: ProjectTable) -> pl.LazyFrame:
    return messages.scan().filter(MAY_HAVE_FRAMES)


def _is_any(rows: pl.LazyFrame) -> bool:
    return rows.select("text_id").head(1).collect().height > 0


def _sample(long: pl.LazyFrame) -> list[str]:
    """Return the texts that are looked through."""
    ids = long.select("text_id").unique().collect(engine="streaming").sort("text_id").head(MOST_TEXTS)
    texts = long.select("text_id", "text").join(ids.lazy(), on="text_id", how="semi").unique("text_id")
    return texts.collect(engine="streaming").sort("text_id")["text"].to_list()


def frames_of(table: ProjectTable) -> Frames:
    """Return the project's frames, for cutting them out of its texts."""
    return Frames(table.read()["text"].to_list() if table.mark(FRAMES) else ())


def _longest(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    return {"frames": rows.sort("n_texts", "text", descending=[True, False]).select("n_texts", "text")}


STAGE = Stage(
    makes=(
        Product(
            SHARED_FRAMES,
            "Long passages that many texts share, such as a system prompt before each message, and lines of context. "
            "{…} stands for what varies in them. Texts are read without them.",
            {"text n_texts": "messages.text"},
            shows=_longest,
        ),
    ),
    reads=(Source(MESSAGES),),
    method=bring,
    version=2,
    group="topics",
    remembers=True,
    follows=(MESSAGES_STAGE,),
)
