"""The topics of a text field as people see them: with their edits.

Edits are rows of `topic_edits` and are laid over the tables when they are read. So they show at once, hold through
every refit (a topic's id keeps its meaning), and can be taken back. The messages of a topic that is merged into another
are that topic's, in sizes, journeys and the export alike; a hidden topic keeps its messages and is only left out of the
list. A pinned topic is shown as it is, and every refit keeps it: its id, its label and its texts. A refit also keeps
each topic that any other edit in force is about, or one day the edit would be about nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_pipeline.lake.tables import TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.definitions import DEFINED, Definition, definitions
from turret_pipeline.semantics.edits import in_force, merged_topics
from turret_pipeline.semantics.kinds import MOVES
from turret_pipeline.semantics.visits import END, ONLY_MOVES, START, UNASSIGNED

RENAME, MERGE, HIDE, PIN = ACTIONS = ("rename", "merge", "hide", "pin")
MOVE_NODES = {ONLY_MOVES: "Moves only"} | {move: move.capitalize() for move in MOVES} | {"other": "Other moves"}
FEW = "few"
"""What topics and moves are counted as that too few users have to be shown without texts (see `views.few`)."""
NODES = {START: "Start", END: "End", UNASSIGNED: "No topic", FEW: "Few users", **MOVE_NODES}
"""Labels of the nodes of journeys that are no topics, and of those among them that are moves of conversation."""


@dataclass(frozen=True)
class EditsInForce:
    """The edits in force about the topics of one field.

    labels: by topic or theme, those of definitions among them. merged: from a topic to the topic that has its messages
    now. defined: definitions by topic. hidden, pinned: ids.
    """

    labels: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    defined: dict[str, Definition] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()


def edits_of(snapshot: Snapshot, text_field: str) -> EditsInForce:
    """Return the edits in force about the topics of a field."""
    last = snapshot.remember("edits", (TOPIC_EDITS,), lambda: in_force(snapshot.scan(TOPIC_EDITS).collect())).filter(
        pl.col("field") == text_field
    )
    by_action = {
        action: dict(last.filter(pl.col("action") == action).select("topic_id", "value").iter_rows())
        for action in ACTIONS
    }
    defined = {each.topic_id: each for each in definitions(last)}
    labels = {name: each.label for name, each in defined.items()} | by_action[RENAME]
    return EditsInForce(labels, merged_topics(last), defined, frozenset(by_action[HIDE]), frozenset(by_action[PIN]))


def topics_of(snapshot: Snapshot, field: str, level: int = 0) -> pl.DataFrame:
    """Return the rows of `TOPICS` of one field and level, without centroids, in order of the id.

    Names are those that people gave; a topic that is merged into another is left out, and so is one that is defined no
    more though the next build has yet to take it away.
    """

    def compute() -> pl.DataFrame:
        edits = edits_of(snapshot, field)
        is_there = ~DEFINED | pl.col("topic_id").is_in(list(edits.defined))
        return (
            snapshot.scan(TOPICS)
            .filter(pl.col("field") == field, pl.col("level") == level, is_there)
            .filter(~pl.col("topic_id").is_in(list(edits.merged)))
            .drop("project_id", "field", "centroid")
            .with_columns(
                label=pl.col("topic_id").replace_strict(edits.labels, default=pl.col("label"), return_dtype=pl.String)
            )
            .sort("topic_id")
            .collect()
        )

    return snapshot.remember(("topics", field, level), (TOPICS, TOPIC_EDITS), compute)


def themes_of(snapshot: Snapshot, field: str) -> dict[str, str]:
    """Return by topic the theme that it belongs to; topics without one are left out."""
    return dict(topics_of(snapshot, field).drop_nulls("parent_id").select("topic_id", "parent_id").iter_rows())


def shown_topic(snapshot: Snapshot, field: str) -> pl.Expr:
    """Return as `topic_id` the topic that people see for a row's `topic_id`: the one that it is merged into.

    One that the topics of this moment lack (a build is under way) counts as none.
    """
    merged, known = edits_of(snapshot, field).merged, topics_of(snapshot, field)["topic_id"].to_list()
    shown = {name: name for name in known} | {name: end for name, end in merged.items() if end in known}
    return pl.col("topic_id").replace_strict(shown, default=None, return_dtype=pl.String)


def labels_of(snapshot: Snapshot, field: str) -> dict[str, str]:
    """Return the label of every node that the field's journeys can have."""
    rows = (topics_of(snapshot, field, level).select("topic_id", "label").iter_rows() for level in (0, 1))
    return {**NODES, **{topic_id: label for each in rows for topic_id, label in each}}


def model_version(snapshot: Snapshot, field: str) -> int | None:
    """Return the number of the fit that the field's topics come from; None: none yet."""
    found = topics_of(snapshot, field)["model_version"].max()
    return found if isinstance(found, int) else None
