"""Topics of one text field: found rarely by a fit, given to new texts always.

`fit_topics` groups the field's distinct texts into topics and the topics into themes, names them and puts them on a
map; `assign_texts` gives new texts the topics of the last fit, which costs one matrix product; `refit_reason` says when
a fit is due. Pure functions: frames in, frames out; the same frames and seed give the same result, in whatever order
the rows come. How topics are found stands in `topics.clusters`, how they are named in `labels`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_pipeline.analysis.labels.language_model import Suggest
from turret_pipeline.analysis.labels.languages import languages_of
from turret_pipeline.analysis.labels.names import Embed
from turret_pipeline.analysis.labels.printable import is_visible
from turret_pipeline.analysis.topics.centroids import cosines_to
from turret_pipeline.analysis.topics.clusters import GraphClusters
from turret_pipeline.analysis.topics.last_fit import LastFit
from turret_pipeline.analysis.topics.map import find_themes, place_texts, place_topics
from turret_pipeline.analysis.topics.neighbours import count_terms
from turret_pipeline.analysis.topics.rows import count_messages, place_rows, theme_ids_of, theme_rows, topic_rows
from turret_pipeline.lake.tables import TOPICS

MIN_TEXTS = 20
"""Distinct texts below which there are no topics: fewer would be invention."""

MAX_FIT_TEXTS = 200_000
"""Distinct texts past which a fit takes a sample and assigns the rest."""

_LEFT_TO_CALLER = ("project_id", "field", "model_version")
TOPIC_SCHEMA = pl.Schema({name: dtype for name, dtype in TOPICS.schema.items() if name not in _LEFT_TO_CALLER})
ASSIGNMENT_SCHEMA = pl.Schema(
    {"text_id": pl.String, "topic_id": pl.String, "similarity": pl.Float64, "x": pl.Float32, "y": pl.Float32}
)
"""topic_id: null for none. similarity: cosine to the (nearest) topic's centroid. x, y: place of the text on the map,
outside the nearest topic where it has none; null where there are no topics."""


@dataclass(frozen=True)
class TopicFit:
    """The outcome of a fit.

    topics: one row a topic (level 0) or theme (level 1), as `TOPICS` without project_id, field and model_version.
    assignments: as `ASSIGNMENT_SCHEMA`; one row a distinct text of the fit, by text_id.
    """

    topics: pl.DataFrame
    assignments: pl.DataFrame


def fit_topics(
    texts: pl.DataFrame,
    *,
    previous_topics: pl.DataFrame | None = None,
    previous_assignments: pl.DataFrame | None = None,
    held: Collection[str] = (),
    given_labels: Collection[str] = (),
    clusters: str = "graph",
    replace: bool = False,
    seed: int = 0,
    embed: Embed | None = None,
    suggest: Suggest | None = None,
) -> TopicFit:
    """Return the topics of `texts` and the topic of each; topics, ids and labels of the last fit stay where they can.

    texts: text_id, text, vector (unit length), n_messages; one row a distinct text.
    previous_topics, previous_assignments: what the last fit left, or None for the first. Texts that came since are
        best left out of the assignments: a topic is born only from texts that are not in them or have none there.
    held: old topics that go on whatever is found: with id and label, most of their texts, and if need be with none.
    given_labels: labels that people gave, which are not given again.
    clusters: what finds them: `graph` (`topics.clusters`) or `hdbscan` (`topics.density`). replace: whether
        these replace the topics of the last fit, but for those held, however good they are; ids carry on.
    embed: the model behind the vectors, as `Embedder.embed`: labels are better with it. suggest: a language model that
        may give new topics other names and summaries (`labels.language_model`).
    """
    # Without the vectors, which for many texts are half a gigabyte.
    said = texts.select("text_id", "text", "n_messages").with_row_index("row").unique("text_id").sort("text_id")
    usable = said.filter(is_visible(pl.col("text")))
    # text_id is a hash, so the first rows in its order are a random sample, and nearly the same one at the next fit.
    sample = usable.head(MAX_FIT_TEXTS)
    nothing = TopicFit(TOPIC_SCHEMA.to_frame(), _unassigned(said["text_id"]))
    if sample.height < MIN_TEXTS:
        return nothing

    # These import BERTopic and HDBSCAN, which takes seconds that assigning texts need not wait for.
    from turret_pipeline.analysis.labels.representation import TopicLabels
    from turret_pipeline.analysis.topics.bertopic import topic_model
    from turret_pipeline.analysis.topics.density import DensityClusters
    from turret_pipeline.analysis.topics.refit import SteadyClusters

    vectors, words = unit_matrix(texts["vector"].gather(sample["row"])), sample["text"].to_list()
    terms, said_in = count_terms(words), languages_of(words)
    last = LastFit(previous_topics, previous_assignments, held, given_labels)
    fresh = DensityClusters(seed=seed) if clusters == "hdbscan" else GraphClusters(terms, said_in, seed=seed)
    found = TopicLabels(sample, vectors, last, embed, suggest, terms, said_in)
    topic_model(terms, SteadyClusters(fresh, *last.clusters(sample["text_id"]), replace), found).fit(words, vectors)
    if not found.ids_:
        return nothing

    themes = find_themes(found.centroids_, np.array([members.height for members in found.members_]))
    rows = topic_rows(found.members_, found.ids_, found.labels_, found.summaries_, found.keywords_, found.centroids_)
    theme_ids = theme_ids_of(themes, found.ids_, previous_topics)
    theme_labels = found.namer_.themes(themes, found.labels_, last.labels(theme_ids, level=1))
    rows += theme_rows(rows, themes, found.centroids_, theme_ids, theme_labels)
    rows = place_rows(rows, place_topics(found.centroids_, themes, last.places(found.ids_)))
    topics = pl.concat([pl.DataFrame(rows, schema=TOPIC_SCHEMA), found.lost_.select(TOPIC_SCHEMA.names())])
    topics = topics.with_columns(fitted_texts=pl.lit(usable.height, dtype=pl.Int64))

    assignments = _assignments(sample["text_id"], vectors, found.clusters_, topics.filter(pl.col("level") == 0))
    left_over = texts.join(sample.select("text_id"), on="text_id", how="anti").unique("text_id")
    assignments = pl.concat([assignments, assign_texts(left_over, topics)]).sort("text_id")
    return TopicFit(count_messages(topics, assignments, said), assignments)


def assign_texts(texts: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return text_id, topic_id, similarity for `texts`: the topic with the nearest centroid, null outside its radius.

    texts: text_id, text, vector (unit length). topics: rows of TOPICS; themes are left out.
    """
    leaves = topics.filter(pl.col("level") == 0).sort("topic_id")
    if texts.height == 0 or leaves.height == 0:
        return _unassigned(texts["text_id"])
    centroids, radius = unit_matrix(leaves["centroid"]), leaves["radius"].to_numpy()
    frames = []
    for block in texts.iter_slices(50_000):
        vectors = unit_matrix(block["vector"])
        cosine = vectors @ centroids.T
        nearest = cosine.argmax(axis=1)
        fits = (cosine.max(axis=1) >= radius[nearest]) & block.select(is_visible(pl.col("text")))["text"].to_numpy()
        frames.append(_assignments(block["text_id"], vectors, np.where(fits, nearest, -1), leaves))
    return pl.concat(frames)


def refit_reason(n_texts: int, n_unassigned: int, topics: pl.DataFrame) -> str | None:
    """Return why a fit is due, in words, or None when assigning is enough.

    n_texts: distinct texts of the field now. n_unassigned: of them, without a topic or not yet assigned.
    topics: the field's rows of TOPICS, empty before the first fit.
    """
    if n_texts < MIN_TEXTS:
        return None
    if topics.height == 0:
        return "the field has no topics yet"
    fitted = int(topics["fitted_texts"].max() or 0)  # type: ignore[arg-type]
    if n_texts >= 1.2 * fitted + MIN_TEXTS:
        return f"distinct texts grew from {fitted} to {n_texts}"
    if n_unassigned >= max(MIN_TEXTS, 0.02 * n_texts):
        return f"{n_unassigned} of {n_texts} distinct texts fit no topic"
    return None


def unit_matrix(vectors: pl.Series) -> np.ndarray:
    """Return a list column as float32 of shape (n_rows, n_dims) with rows of unit length (zero rows stay zero)."""
    flat = vectors.explode(empty_as_null=False, keep_nulls=False).to_numpy().astype(np.float32, copy=False)
    matrix = flat.reshape(len(vectors), -1) if len(vectors) else np.zeros((0, 1), dtype=np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))[:, None]  # norm() copies the matrix
    unit: np.ndarray = np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)
    return unit


def _assignments(text_ids: pl.Series, vectors: np.ndarray, clusters: np.ndarray, topics: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these texts; clusters: row of `topics` that each belongs to, -1 for none."""
    centroids = unit_matrix(topics["centroid"])
    nearest = clusters.copy()
    free = clusters < 0
    nearest[free] = (vectors[free] @ centroids.T).argmax(axis=1)
    middles, sizes = topics.select("x", "y").to_numpy(), topics["n_texts"].to_numpy()
    places = place_texts(vectors, nearest, ~free, centroids, middles, sizes)
    own = pl.Series(np.where(free, 0, clusters))
    return pl.DataFrame(
        {
            "text_id": text_ids,
            "topic_id": pl.select(pl.when(pl.Series(~free)).then(topics["topic_id"].gather(own))).to_series(),
            "similarity": cosines_to(vectors, centroids, nearest).astype(np.float64),
            "x": places[:, 0],
            "y": places[:, 1],
        },
        schema=ASSIGNMENT_SCHEMA,
    )


def _unassigned(text_ids: pl.Series) -> pl.DataFrame:
    return text_ids.to_frame("text_id").with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in ASSIGNMENT_SCHEMA.items() if name != "text_id"
    )
