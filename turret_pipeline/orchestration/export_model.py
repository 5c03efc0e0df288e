"""`python -m turret_pipeline.orchestration.export_model`: a field's topics as a folder that BERTopic opens.

A process of its own, as `orchestration.build` is, because `turret export` may not load BERTopic. Topics are as people
see them: with the names that they gave, and merged where they merged them.

Exits with 0 when the folder is written, 1 when it cannot be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import polars as pl

from turret_pipeline.lake.tables import JOURNEY_STEPS, TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.edits import in_force, labels_given, merged_topics
from turret_pipeline.settings import SettingError, Settings
from turret_pipeline.stages.work import Work

MODEL_FILES = frozenset({"config.json", "topics.json", "topic_embeddings.safetensors"})
SHIPPED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
"""Name under which everybody finds the embedding model that ships with Turret."""


def main(arguments: list[str] | None = None) -> int:
    """Write the folder that the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(
        "turret_pipeline.orchestration.export_model", description="Write a BERTopic model."
    )
    parser.add_argument("--project", required=True, help="id of the project")
    parser.add_argument("--field", required=True, help="text field whose topics they are")
    parser.add_argument("--out", required=True, type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    out = options.out
    try:
        settings = Settings.from_environment()
    except SettingError as error:
        return _fail(str(error))
    if out.exists() and not (out.is_dir() and {path.name for path in out.iterdir()} <= MODEL_FILES):
        return _fail(f"{out} is there already and is no exported model; name a new folder")
    if not out.absolute().parent.is_dir():
        return _fail(f"there is no folder {str(out.absolute().parent)!r} to write into")
    work = Work(settings.open_lake(), options.project, settings.model)
    topics, of_messages = shown_topics(work, options.field)
    if topics.is_empty():
        return _fail(f"the field {options.field!r} of {options.project} has no topics yet; `turret build` finds them")
    warnings.simplefilter("ignore")  # of BERTopic's own making
    from turret_pipeline.analysis.topics.portable import portable_model

    model = portable_model(topics, of_messages)
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        model.save(folder, serialization="safetensors", save_embedding_model=settings.model or SHIPPED_MODEL)
        for path in Path(folder).iterdir():
            path.replace(out / path.name)
    print(f"{topics.height} topics of {options.field} of {options.project} are in {out}; BERTopic.load opens it")
    return 0


def shown_topics(work: Work, field: str) -> tuple[pl.DataFrame, pl.Series]:
    """Return the field's topics as people see them, and the topic of each message in the order of `turret export`.

    Topics: topic_id, label, keywords, examples, centroid; of merged ones it is the mean direction of all their texts.
    The topic of a message is null where it has none.
    """
    of_field = pl.col("field") == field
    edits = in_force(work.open(TOPIC_EDITS).scan().filter(of_field).collect())
    merged, labels = merged_topics(edits), labels_given(edits)
    topics = work.open(TOPICS).scan().filter(of_field, pl.col("level") == 0).collect()
    topics = topics.with_columns(
        into=pl.col("topic_id").replace(merged),
        label=pl.col("topic_id").replace_strict(labels, default=pl.col("label"), return_dtype=pl.String),
    )
    centroids = {
        str(name): _mean_direction(part) for (name,), part in topics.partition_by("into", as_dict=True).items()
    }
    topics = topics.filter(pl.col("topic_id") == pl.col("into")).sort("topic_id")
    topics = topics.with_columns(
        centroid=pl.Series([centroids[name] for name in topics["topic_id"]], dtype=TOPICS.schema["centroid"])
    )
    messages = work.open(JOURNEY_STEPS).scan().filter(of_field).sort("timestamp", "received_at", "seq", "event_id")
    found = messages.select(pl.col("topic_id").replace(merged)).collect()
    there = found["topic_id"].is_in(topics["topic_id"].implode())
    of_messages = found.select(pl.when(there).then("topic_id")).to_series()
    return topics.select("topic_id", "label", "keywords", "examples", "centroid"), of_messages


def _mean_direction(topics: pl.DataFrame) -> list[float]:
    """Return the mean direction of the texts of all these topics, of unit length."""
    if topics.height == 1:
        return list(topics["centroid"][0])
    weights = np.maximum(topics["n_texts"].to_numpy(), 1)
    mean = np.average(np.array(topics["centroid"].to_list()), axis=0, weights=weights)
    return list((mean / max(float(np.linalg.norm(mean)), 1e-12)).tolist())


def _fail(reason: str) -> int:
    print(f"Error: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
