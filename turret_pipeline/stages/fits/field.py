"""One text field of a project: the tables that its topics are made from and go to, and what their marks say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

import polars as pl
from deltalake.exceptions import DeltaError

from turret_pipeline.analysis.kinds.texts import for_fit
from turret_pipeline.analysis.topics.fit import assign_texts
from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    FIELD_TYPES,
    MESSAGES,
    TEXT_KINDS,
    TOPIC_ASSIGNMENTS,
    TOPIC_EDITS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
    Table,
)
from turret_pipeline.semantics.definitions import DEFINED, Definition, definitions
from turret_pipeline.semantics.edits import in_force
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.stages.containment import contained
from turret_pipeline.stages.fits.lost import Lost
from turret_pipeline.stages.fits.marks import DEFINITIONS, TALLY, field_mark
from turret_pipeline.stages.shared_frames import FRAMES
from turret_pipeline.stages.stage import Task
from turret_pipeline.stages.work import Work

_LEFT_TO_FIELD = ("project_id", "field", "model_version")
ASSIGNED = pl.Schema({name: kind for name, kind in TOPIC_ASSIGNMENTS.schema.items() if name not in _LEFT_TO_FIELD})

CLUSTERS = ("graph", "hdbscan")
"""Ways to find topics, in order of their mark; topics without one are of the first."""

OTHER_CLUSTERS = "another way to cluster was chosen"
"""Reason of a fit whose clusters replace the topics that there are; ids carry on."""

ASSIGN_TEXTS = 65_536
"""Texts whose vectors are in memory at once when they are assigned to topics."""

Made = TypeVar("Made")

MICRO = 1_000_000
"""Marks are whole numbers: similarities are kept in millionths."""


@dataclass(frozen=True)
class Tables:
    """The tables of one project that topics are made from and go to, open; and the key of the embedding model."""

    model: str
    types: ProjectTable
    messages: ProjectTable
    embeddings: ProjectTable
    kinds: ProjectTable
    topics: ProjectTable
    assignments: ProjectTable
    lineage: ProjectTable
    fits: ProjectTable
    edits: ProjectTable

    @classmethod
    def of(cls, task: Task) -> Tables:
        """Return the tables as the task has them open."""
        read = (FIELD_TYPES, MESSAGES, EMBEDDINGS, TEXT_KINDS)
        names = (*read, TOPICS, TOPIC_ASSIGNMENTS, TOPIC_LINEAGE, TOPIC_FITS, TOPIC_EDITS)
        return cls(task.model, *(task.open(table) for table in names))

    @cached_property
    def unfit(self) -> pl.DataFrame:
        """`text_id` and `is_move` of texts that are moves of conversation, or say little by themselves."""
        kinds = self.kinds.scan().filter(pl.col("model") == self.model).drop("project_id", "model").collect()
        return kinds.filter(~for_fit(kinds)).select("text_id", is_move=pl.col("move").is_not_null())

    @cached_property
    def slight_fields(self) -> frozenset[str]:
        """The fields of whose texts, but for moves, most say little by themselves: one look for all fields."""
        if self.unfit["is_move"].all():
            return frozenset()
        said = self.messages.scan().select("field", "text_id").unique()
        told = said.join(self.unfit.lazy(), on="text_id", how="left").group_by("field")
        counted = told.agg(slight=(~pl.col("is_move")).sum(), others=pl.col("is_move").is_null().sum())
        return frozenset(counted.filter(pl.col("slight") > pl.col("others")).collect(engine="streaming")["field"])


@dataclass(frozen=True)
class Tally:
    """How the assignments of texts that may be part of a fit stand, so that they need not be counted again.

    n_texts: assigned or known to have no topic. n_without: of them, those without one. n_since: texts that came since
    the last fit. near_since: sum of their similarities to the nearest topic. n_unembedded: texts that could not be
    embedded, which have no topic and are in none of the other numbers.
    """

    n_texts: int = 0
    n_without: int = 0
    n_since: int = 0
    near_since: float = 0.0
    n_unembedded: int = 0

    def with_texts(self, added: pl.DataFrame, n_unembedded: int = 0) -> Tally:
        """Return the tally with the rows (`ASSIGNED`) of texts that came since the last fit, and others unembedded.

        added: of texts that may be part of a fit.
        """
        near = float(added["similarity"].sum())
        return Tally(
            self.n_texts + added.height,
            self.n_without + added["topic_id"].null_count(),
            self.n_since + added["similarity"].count(),
            self.near_since + near,
            self.n_unembedded + n_unembedded,
        )

    def with_none(self, n_without: int) -> Tally:
        """Return the tally of the same texts where so many have no topic."""
        return replace(self, n_without=n_without)


@dataclass(frozen=True)
class Field:
    """One text field of a project, with the tables that its topics are made from and go to.

    version: of the method by which topics are fitted now. is_embedded: whether all texts have their vectors but those
    that cannot be embedded; else the rest still waits. lost: what went with events that were taken back; None: not
    known.
    """

    work: Work
    name: str
    tables: Tables
    version: int
    is_embedded: bool
    lost: Lost | None = None

    def mark_id(self, mark: str) -> str:
        """Return the name of the field's own mark, in `topics` or `topic_assignments`."""
        return field_mark(mark, self.name)

    def _mark(self, table: ProjectTable, mark: str) -> int:
        return table.mark(self.mark_id(mark)) or 0

    @property
    def model(self) -> int:
        """What stands for the vectors in a mark: their model, and how and without which frames texts were embedded."""
        key, version = model_key(self.work.model), self.tables.embeddings.mark("method") or 1
        if self.frames:
            return fingerprint(key, version, self.frames)
        return fingerprint(key) if version == 1 else fingerprint(key, version)

    @property
    def frames(self) -> int:
        """What stands for the shared frames that texts were embedded without; 0 for none."""
        return self.tables.embeddings.mark(FRAMES) or 0

    @property
    def fitted_frames(self) -> int:
        """The same of the newest fit."""
        return self._mark(self.tables.topics, FRAMES)

    @property
    def fit(self) -> int:
        """Number of the fit that the field's topics are of, 0 before the first."""
        return self._mark(self.tables.topics, "fit")

    @property
    def assigned_fit(self) -> int:
        """Number of the fit that the field's assignments are of; less than `fit` where that was interrupted."""
        return self._mark(self.tables.assignments, "fit")

    @property
    def base_version(self) -> int:
        """Version of `topics` that the newest fit was made from."""
        return self._mark(self.tables.topics, "base")

    @property
    def seen(self) -> int:
        """Time of receipt, in microseconds, up to which the newest fit read."""
        return self._mark(self.tables.topics, "seen")

    @property
    def seen_before(self) -> int:
        """The same of the fit before the newest."""
        return self._mark(self.tables.topics, "seen before")

    @property
    def fitted_model(self) -> int:
        """What stands for the vectors of the newest fit."""
        return self._mark(self.tables.topics, "model")

    @property
    def fitted_version(self) -> int:
        """Version of the method that made the newest fit."""
        return self._mark(self.tables.topics, "method") or 1

    @property
    def fitted_clusters(self) -> str:
        """How the topics of the newest fit were found."""
        return CLUSTERS[self._mark(self.tables.topics, "clusters")]

    @cached_property
    def unfit(self) -> pl.DataFrame:
        """`text_id` of the texts that no fit takes: moves of conversation, and those that say little by themselves.

        Where those are most of what is said, as in a field of single words, only moves are left out.
        """
        unfit, takes_slight = self.tables.unfit, self._takes_slight
        return unfit.filter(pl.col("is_move") | ~pl.lit(takes_slight)).select("text_id")

    @property
    def _takes_slight(self) -> bool:
        return self.name in self.tables.slight_fields

    @property
    def told_by(self) -> int:
        """What stands for how texts are told that no fit takes."""
        method = self.tables.kinds.made_by() or 1
        return fingerprint(method, "slight too") if self._takes_slight else method

    @property
    def fitted_told_by(self) -> int:
        """The same of the newest fit; 0: that was made of all texts."""
        return self._mark(self.tables.topics, "told by")

    @cached_property
    def edits(self) -> pl.DataFrame:
        """The edits in force of the field's topics."""
        return in_force(self.tables.edits.scan().filter(pl.col("field") == self.name).collect())

    @cached_property
    def definitions(self) -> list[Definition]:
        """The topics that people defined, by id."""
        return definitions(self.edits)

    @property
    def wanted(self) -> int:
        """What stands for the definitions, 0 for none."""
        return fingerprint([(each.topic_id, each.value) for each in self.definitions]) if self.definitions else 0

    @property
    def is_redefined(self) -> bool:
        """Whether the assignments follow from other definitions than there are now."""
        return self.wanted != self._mark(self.tables.assignments, DEFINITIONS)

    def tally(self) -> Tally:
        """Return how the assignments stand, as their marks say."""
        n_texts, n_without, n_since, near, n_bare = (self._mark(self.tables.assignments, name) for name in TALLY)
        return Tally(n_texts, n_without, n_since, near / MICRO, n_bare)

    def tally_marks(self, tally: Tally) -> dict[str, int]:
        """Return the marks that say `tally`, for the commit that makes it true."""
        near = round(tally.near_since * MICRO)
        values = (tally.n_texts, tally.n_without, tally.n_since, near, tally.n_unembedded)
        return {self.mark_id(name): value for name, value in zip(TALLY, values, strict=True)}

    def reason_of(self, fit: int) -> str:
        """Return why fit number `fit` was made, as it wrote down before it wrote topics."""
        found = self.rows(self.tables.fits).filter(pl.col("model_version") == fit)["reason"]
        return str(found[0]) if len(found) else "the last fit was interrupted"

    def rows(self, table: ProjectTable, at: int | None = None) -> pl.DataFrame:
        """Return the field's rows of `table` (at the version `at`, default: the one that is open)."""
        return table.scan(at).filter(pl.col("field") == self.name).drop("project_id", "field").collect()

    def topics_at(self, version: int) -> pl.DataFrame:
        """Return the field's topics as of `version`, or the newest where that is no longer kept.

        The newest are of the fit that was interrupted, with the ids and labels that it gave: as good to go on from.
        """
        try:
            return self.rows(self.tables.topics, version)
        except (DeltaError, FileNotFoundError):  # its commit was cleaned away, or its files
            return self.rows(self.tables.topics)

    @property
    def tried_with(self) -> str:
        """What stands for the method and settings of a fit that is made now."""
        return str(fingerprint(self.version, self.model, self.work.clusters))

    def n_embedded_late(self) -> int:
        """Return how many texts have a vector now that had none when their assignment was made."""
        tally = self.tally()
        if not tally.n_unembedded:
            return 0
        rows = self.rows(self.tables.assignments).filter(pl.col("similarity").is_null(), ~IS_GONE)
        of_model = pl.col("model") == model_key(self.work.model)
        there = self.tables.embeddings.having("text_id", rows["text_id"]).filter(of_model)
        # Where the field has no topics, texts with a vector have no similarity either.
        known = rows.height - tally.n_unembedded
        return int(there.select(pl.len()).collect().item()) - known

    @cached_property
    def is_gone(self) -> bool:
        """Whether the field has messages, and all of them are gone."""
        there = self._messages().select(any=pl.len() > 0, left=(~IS_GONE).any()).collect().row(0)
        return there == (True, False)

    def n_messages(self) -> int:
        """Return how many messages the field has."""
        return int(self._messages().select(pl.len()).collect().item())

    def texts(self) -> pl.DataFrame:
        """Return `text_id`, `n_messages`, `first` (microseconds) of all the field's distinct texts, by `text_id`."""
        grouped = self._messages().group_by("text_id")
        first = pl.col("received_at").min().dt.epoch("us")
        return grouped.agg(n_messages=pl.len().cast(pl.Int64), first=first).sort("text_id").collect()

    def new_texts(self, days: Collection[dt.date]) -> pl.DataFrame:
        """Return `text_id` of the distinct texts received on `days` that have no assignment, in order."""
        said = self._messages().filter(pl.col("received_date").is_in(list(days))).select("text_id").unique()
        known = self.tables.assignments.scan().filter(pl.col("field") == self.name).select("text_id")
        return said.join(known, on="text_id", how="anti").sort("text_id").collect()

    def with_vectors(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Return those of `texts` that have a vector, with `text` and `vector`, in the same order."""
        # A filter, not a join: the reader then decodes the vectors of these texts only, not those of the whole table.
        of_model = pl.col("model") == model_key(self.work.model)
        there = self.tables.embeddings.having("text_id", texts["text_id"]).filter(of_model)
        found = there.select("text_id", "text", "vector").collect()
        return texts.join(found, on="text_id", how="inner", maintain_order="left")

    def made_of(self, texts: pl.DataFrame, make: Callable[[pl.DataFrame], Made]) -> Iterator[Made]:
        """Yield what `make` makes of those of `texts` that have a vector, about `ASSIGN_TEXTS` at a time.

        make: takes the texts with `text` and `vector`; called here or by the workers of the fanout. The files of
        vectors are read one after the other, each once: there may be far more than fit into memory.
        """
        there = self.tables.embeddings.having_by("text_id", texts["text_id"], ASSIGN_TEXTS)
        chunks = ((texts[places], rows) for places, rows in there)
        made = self.work.spread(partial(_made, make, model_key(self.work.model)), chunks)
        return (each for each in made if each is not None)

    def assign(self, texts: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
        """Return the rows (`ASSIGNED`) of `texts`: the nearest found topic, null where none is near or there is none.

        Texts without a vector are left out. Raise `FieldError` where the analysis fails.
        """
        frames, done = [ASSIGNED.to_frame(eager=True)], 0
        for rows in self.made_of(texts.select("text_id"), partial(_assigned, topics.filter(~DEFINED))):
            frames.append(rows)
            done += rows.height
            self.work.tell("topic_assignments", done, texts.height)
        return pl.concat(frames)

    def unassigned(self, texts: pl.DataFrame, assigned: pl.DataFrame) -> pl.DataFrame:
        """Return the rows (`ASSIGNED`) of those of `texts` that are not in `assigned`, with no topic.

        None while texts still wait for their vectors.
        """
        left = texts.select("text_id").join(assigned, on="text_id", how="anti") if self.is_embedded else texts.head(0)
        nothing = [pl.lit(None, dtype).alias(name) for name, dtype in ASSIGNED.items() if name != "text_id"]
        return left.select("text_id").with_columns(nothing).select(ASSIGNED.names())

    def _messages(self) -> pl.LazyFrame:
        return self.tables.messages.scan().filter(pl.col("field") == self.name)


def _made(make: Callable[[pl.DataFrame], Made], model: str, chunk: tuple[pl.DataFrame, pl.LazyFrame]) -> Made | None:
    """Return what `make` makes of a chunk, some texts and their rows of `EMBEDDINGS`; None where these are none."""
    texts, there = chunk
    found = there.filter(pl.col("model") == model).select("text_id", "text", "vector").collect()
    return make(texts.join(found, on="text_id", how="inner", maintain_order="left")) if found.height else None


def _assigned(topics: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    with contained():
        return as_assigned(assign_texts(texts, topics))


def as_assigned(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what an analysis assigned (text_id, topic_id, similarity, x, y) as rows of `ASSIGNED`."""
    return rows.with_columns(found_topic_id=pl.lit(None, dtype=pl.String)).select(ASSIGNED.names())


def declared(field: Field, table: Table, rows: pl.DataFrame, fit: int) -> pl.DataFrame:
    """Return `rows` with the columns that the table declares: those of fit number `fit` of the field."""
    named = rows.with_columns(
        project_id=pl.lit(field.work.project_id), field=pl.lit(field.name), model_version=pl.lit(fit, dtype=pl.Int64)
    )
    return named.select(table.schema.names())
