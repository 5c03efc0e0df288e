"""What a refit goes on from: the topics of the last fit, who had them, and what people decided about them since."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_pipeline.analysis.labels.printable import printable
from turret_pipeline.lake.tables import TOPICS


@dataclass(frozen=True)
class LastFit:
    """The last fit of a field, or nothing where there was none.

    topics: rows of `TOPICS`, themes among them; one without a label gets its label as a new one does. assignments:
    text_id, topic_id. held: topics that go on whatever is found. given_labels: labels that people gave, which are not
    given again.
    """

    topics: pl.DataFrame | None = None
    assignments: pl.DataFrame | None = None
    held: Collection[str] = ()
    given_labels: Collection[str] = ()

    def clusters(self, text_ids: pl.Series) -> tuple[np.ndarray | None, list[int]]:
        """Return the topic that each text had, as a number from 0, -1 for none, and the numbers of the held topics.

        None in place of the topics where no text had one.
        """
        if self.assignments is None or self.assignments.height == 0:
            return None, []
        known = self.assignments.select("text_id", "topic_id").unique("text_id", keep="last")
        old = text_ids.to_frame("text_id").join(known, on="text_id", how="left", maintain_order="left")["topic_id"]
        names = old.drop_nulls().unique().sort()
        if len(names) == 0:
            return None, []
        numbers = pl.DataFrame({"topic_id": names, "number": np.arange(len(names))})
        joined = old.to_frame("topic_id").join(numbers, on="topic_id", how="left", maintain_order="left")
        held = [number for number, name in enumerate(names) if name in self.held]
        return joined["number"].fill_null(-1).to_numpy().astype(np.int64), held

    def labels(self, ids: list[str], level: int = 0) -> dict[int, str]:
        """Return the labels of those of these topics, or themes (level 1), that it had too, by place in `ids`.

        Earlier versions gave labels with nothing to see, or that differ in that alone: of such no second is returned.
        """
        if self.topics is None:
            return {}
        rows = self.topics.filter(pl.col("level") == level).drop_nulls("label").select("topic_id", "label").iter_rows()
        seen = {name: printable(label) for name, label in rows}
        first = {label.lower(): name for name, label in reversed(seen.items()) if label}
        return {place: seen[name] for place, name in enumerate(ids) if first.get(seen.get(name, "").lower()) == name}

    def summaries(self, ids: list[str]) -> dict[int, str]:
        """Return the summaries of those of these topics that it had with one, by place in `ids`."""
        if self.topics is None:
            return {}
        said = dict(self.topics.drop_nulls("summary").select("topic_id", "summary").iter_rows())
        return {place: said[name] for place, name in enumerate(ids) if name in said}

    def lost_topics(self, ids: list[str]) -> pl.DataFrame:
        """Return the rows of its held topics that none of `ids` continues, as topics without texts."""
        if self.topics is None:
            return TOPICS.empty()
        held = pl.col("topic_id").is_in(list(self.held)) & ~pl.col("topic_id").is_in(ids)
        nothing = pl.lit(0, dtype=pl.Int64)
        lost = self.topics.filter(pl.col("level") == 0, held)
        return lost.with_columns(parent_id=pl.lit(None, dtype=pl.String), n_messages=nothing, n_texts=nothing)

    def places(self, ids: list[str]) -> np.ndarray:
        """Return the places that topics had on its map: float64 of shape (n_topics, 2), NaN for new topics."""
        places = np.full((len(ids), 2), np.nan)
        if self.topics is not None:
            before = {name: (x, y) for name, x, y in self.topics.select("topic_id", "x", "y").iter_rows()}
            for topic, name in enumerate(ids):
                places[topic] = before.get(name, np.nan)
        return places
