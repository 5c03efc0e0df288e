"""What changed: the last days against as many before them, of every kind at once, what matters most first.

All tests are one family (Benjamini and Hochberg), in which each kind has an equal share. So on a morning on which
nothing changed at most one page in twenty says that something did.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import FieldAnswer, Meaning, Next, typed_rows
from turret_api.read.questions.changes.feelings import outcomes_told
from turret_api.read.questions.changes.kinds import KINDS, NEW_USERS, enum_fields
from turret_api.read.questions.changes.scene import CANDIDATES, Scene
from turret_api.read.questions.journeys.statistics import Z_95, difference_of_shares, q_values
from turret_api.read.questions.of_field import TOPICS_BUILT, OfField
from turret_api.read.questions.topics.topics import TOPIC_SOURCES, WholeDays
from turret_api.read.sql.changes import COLUMNS, change_views, scene_views
from turret_api.read.views.journeys import JOURNEY_SOURCES
from turret_api.read.views.outcomes import OUTCOME_SOURCES
from turret_api.read.views.topics import labels_of
from turret_api.read.views.windows import whole_days_of
from turret_pipeline.lake.tables import FRICTION
from turret_pipeline.semantics.changes import LEAST_CHANGE, RECENT_DAYS, Days, last_windows, share_change

FALSE_ALARMS = 0.05
WEIGHT = {"topic_of_new_users": 2.0}
"""By kind, how much more its sessions matter than others: those of new users decide whether they come back."""


class Finding(TypedDict):
    """One change that is hardly chance."""

    kind: Annotated[
        Literal[
            "topic", "topic_of_new_users", "topic_of_segment", "move", "friction_of_topic", "friction_of_move",
            "outcome", "outcome_of_topic", "sentiment_of_topic", "volume"
        ],
        Meaning("what changed: a topic's share of sessions; the same of new users' (or a segment's), beyond others; a "
                "move's share of the sessions that have the topic that it leaves; "
                "the share of a topic's (or a move's) sessions that met with friction there; of the sessions with an "
                "outcome (of a topic: that came to it before), the share that went well; the share of a topic's "
                "sessions in which a message of it sounds negative; the number of sessions"),
    ]  # fmt: skip
    direction: Literal["new", "up", "down", "gone"]
    sentence: Annotated[str, Meaning("the change in words, with its numbers")]
    topic_id: Annotated[str | None, Meaning("the topic, or the one that the move leaves")]
    label: str | None
    to_topic: Annotated[str | None, Meaning("the topic that the move goes to")]
    to_label: str | None
    segment: Annotated[str | None, Meaning("the enum field of a segment")]
    value: Annotated[
        str | None, Meaning("of the segment; of an outcome which values are counted: good, or above a number")
    ]
    outcome: Annotated[str | None, Meaning("the field that is marked as an outcome")]
    now: Annotated[int, Meaning("sessions that have it, of those that began in the last days")]
    of_now: Annotated[int | None, Meaning("these sessions: of the segment, the topic or the move; null: all are meant")]
    share_now: float | None
    before: int
    of_before: int | None
    share_before: float | None
    change: Annotated[float | None, Meaning("of the share, or the number: 0.5 is half as much again; null: from none")]
    difference: Annotated[float, Meaning("of the shares; of a number of sessions, its change")]
    low: Annotated[float, Meaning("lower end of its 95% confidence interval (Newcombe; of a number, by its own noise)")]
    high: float
    p_value: float
    q_value: Annotated[float, Meaning("adjusted over all that was tested, each kind with an equal share")]
    importance: Annotated[
        float, Meaning("sessions more, or fewer, than before at least, by the interval; those of new users twice")
    ]


@dataclass(frozen=True)
class Changes(FieldAnswer):
    """What changed, what matters most first; where there are too few whole days, nothing is said."""

    data: list[Finding] = dataclasses.field(default_factory=list)
    next: Next = None
    now: Annotated[WholeDays | None, Meaning("the last days; null: there are too few whole days")] = None
    before: Annotated[WholeDays | None, Meaning("as many before them")] = None
    n_whole_days: Annotated[int, Meaning("whole days that there are")] = 0
    n_needed_days: Annotated[int, Meaning("whole days that are needed")] = 2 * RECENT_DAYS
    n_sessions_now: int = 0
    n_sessions_before: int = 0
    n_tests: Annotated[int, Meaning("what was looked at")] = 0


@dataclass(frozen=True)
class ChangesOfField(OfField):
    """What changed in the last `days` whole days against as many before them?"""

    level: int = 0
    days: int = RECENT_DAYS

    tables = tuple(dict.fromkeys((*TOPIC_SOURCES, *JOURNEY_SOURCES, *OUTCOME_SOURCES, FRICTION)))
    built = TOPICS_BUILT
    answers = Changes

    def scene(self, snapshot: Snapshot, field: str) -> Scene | None:
        """Return the sessions that are compared; None: there are too few whole days."""
        whole = whole_days_of(snapshot, field, self.filters)
        windows = last_windows(whole, self.days)
        if whole is None or windows is None:
            return None
        return Scene(snapshot, field, self.filters, self.level, whole, *windows)

    def of_field(self, snapshot: Snapshot, field: str) -> Changes:
        """Return all findings."""
        scene = self.scene(snapshot, field)
        if scene is None:
            whole = whole_days_of(snapshot, field, self.filters)
            return Changes(n_whole_days=whole.n if whole else 0, n_needed_days=2 * self.days)
        tested = pl.concat([CANDIDATES.to_frame(), *(of_kind(scene) for of_kind in KINDS)])
        found = findings(tested, labels_of(snapshot, field))
        return Changes(
            n_whole_days=scene.days.n,
            n_needed_days=2 * self.days,
            data=typed_rows(found, Finding),
            now=_days(scene.now),
            before=_days(scene.before),
            n_sessions_now=scene.count(True),
            n_sessions_before=scene.count(False),
            n_tests=tested.height,
        )

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL of all that is looked at, by kind, in both windows."""
        windows = last_windows(whole_days_of(snapshot, field, self.filters), self.days)
        if windows is None:
            return Queries({}, left_out=f"There are no {2 * self.days} whole days yet, so nothing is compared.")
        now, before = windows
        scene = Scene(snapshot, field, self.filters, self.level, now, now, before)
        views = scene_views(field, scene.filters, self.level, now, before)
        views |= change_views(field, enum_fields(snapshot), outcomes_told(scene), scene.filters)
        data = f"""
SELECT {COLUMNS}, "now", of_now, "now" / of_now AS share_now, before, of_before, before / of_before AS share_before
FROM may_have_changed ORDER BY kind, "now" DESC, topic_id, to_topic, segment, value"""
        totals = """
SELECT count(*) FILTER (is_now) AS n_sessions_now, count(*) FILTER (NOT is_now) AS n_sessions_before
FROM scene_sessions"""
        return Queries({"data": data, "totals": totals}, views, LEFT_OUT)


LEFT_OUT = (
    "Left out: which of these are told. That follows from tests of these counts (Fisher's exact test, mid-p; of new "
    "users and segments, of the ratio of odds ratios; of the number of sessions, against how weeks differ), as one "
    "family of Benjamini and Hochberg; Newcombe's intervals, and the importance that they give. See docs/model.md."
)


def findings(tested: pl.DataFrame, labels: dict[str, str]) -> pl.DataFrame:
    """Return those of `tested` (`CANDIDATES`) that are hardly chance and large enough, what matters most first.

    Columns of `Finding`. Of the values of one segment field the one that is surest speaks for them.
    """
    measured = _measured(tested.with_columns(q_value=q_values(tested["p_value"], tested["kind"].to_numpy())))
    large = pl.col("change").is_null() | (pl.col("change").abs() >= LEAST_CHANGE)
    sure = measured.filter(pl.col("q_value") < FALSE_ALARMS, large)
    sure = sure.sort("p_value", -pl.col("importance"), "topic_id", "value", nulls_last=True)
    of_value = sure.filter(pl.col("segment").is_not_null()).unique(["topic_id", "segment"], keep="first")
    told = pl.concat([sure.filter(pl.col("segment").is_null()), of_value])
    names = {"label": "topic_id", "to_label": "to_topic"}
    told = told.with_columns(
        pl.col(end).replace_strict(labels, default=pl.col(end), return_dtype=pl.String).alias(name)
        for name, end in names.items()
    )
    words = [_sentence(row) for row in told.iter_rows(named=True)]
    told = told.with_columns(sentence=pl.Series(words, dtype=pl.String))
    return told.sort(-pl.col("importance"), "p_value", "kind", "topic_id", "to_topic", "segment", nulls_last=True)


def _measured(tested: pl.DataFrame) -> pl.DataFrame:
    """Return `tested` with shares, change, difference, its interval, direction and importance."""
    is_share = pl.col("of_now").is_not_null()
    of = {name: tested[name].fill_null(1).to_numpy() for name in ("of_now", "of_before")}
    now, before = tested["now"].to_numpy(), tested["before"].to_numpy()
    of_now, of_before = np.maximum(of["of_now"], now), np.maximum(of["of_before"], before)
    difference, low, high = difference_of_shares(now, of_now, before, of_before)
    shares = {"difference": difference, "low": low, "high": high}
    # Of a number of sessions: its p-value says how wide the interval of the logarithm is.
    from scipy.special import ndtri

    log = np.log(np.maximum(now, 1) / np.maximum(before, 1))
    z = -ndtri(np.clip(tested["p_value"].to_numpy() / 2, 1e-300, 0.499))
    half = np.minimum(Z_95 * np.abs(log) / z, 20.0)
    numbers = {"difference": np.expm1(log), "low": np.expm1(log - half), "high": np.expm1(log + half)}
    share = pl.col("now") / pl.col("of_now"), pl.col("before") / pl.col("of_before")
    told = tested.with_columns(
        **{
            name: pl.when(is_share).then(pl.Series(shares[name])).otherwise(pl.Series(numbers[name])) for name in shares
        },
        share_now=share[0],
        share_before=share[1],
    )
    of_share = share_change("now", "of_now", "before", "of_before")
    of_number = pl.when(pl.col("before") > 0).then(pl.col("now") / pl.col("before") - 1)
    direction = (
        pl.when(pl.col("kind").str.starts_with("topic") & (pl.col("before") == 0))
        .then(pl.lit("new"))
        .when(pl.col("kind").str.starts_with("topic") & (pl.col("now") == 0))
        .then(pl.lit("gone"))
        .when(pl.col("difference") > 0)
        .then(pl.lit("up"))
        .otherwise(pl.lit("down"))
    )
    least = pl.when((pl.col("low") > 0) | (pl.col("high") < 0)).then(pl.min_horizontal(pl.col("low", "high").abs()))
    size = pl.when(is_share).then("of_now").otherwise("before")
    weight = pl.col("kind").replace_strict(WEIGHT, default=1.0, return_dtype=pl.Float64)
    return told.with_columns(
        change=pl.when(is_share).then(of_share).otherwise(of_number),
        direction=direction,
        importance=(least.fill_null(0.0) * size * weight),
    )


def _sentence(row: dict[str, object]) -> str:
    """Return a finding in words."""
    topic, to = f"“{row['label']}”", f"“{row['to_label']}”"
    verb = {"new": "is new", "gone": "is gone", "up": "grew", "down": "shrank"}[str(row["direction"])]
    friction = {"up": "rose", "down": "fell"}.get(str(row["direction"]), "rose")
    if row["kind"] == "volume":
        more = "More" if row["direction"] == "up" else "Fewer"
        return f"{more} sessions than weeks usually differ by: {row['now']:,}, {row['before']:,} before."
    numbers = f"{_percent(row['share_now'])} of sessions, {_percent(row['share_before'])} before"
    went = f"“{row['outcome']}” is {row['value']} in {numbers}"
    match row["kind"]:
        case "outcome":
            return f"{'More' if row['direction'] == 'up' else 'Less'} often than before {went}."
        case "outcome_of_topic":
            return f"After {topic}, {'more' if row['direction'] == 'up' else 'less'} often than before {went}."
        case "sentiment_of_topic":
            return f"Negative messages {friction} on {topic}: {numbers}."
        case "topic":
            return f"{topic} {verb}: {numbers}."
        case "topic_of_new_users":
            return f"{topic} {verb} among {NEW_USERS} more than among others: {numbers}."
        case "topic_of_segment":
            return f"{topic} {verb} for {row['segment']} {row['value']} more than for others: {numbers}."
        case "move":
            way = "came more" if row["direction"] == "up" else "came less"
            return f"After {topic}, {to} {way} often: {numbers}."
        case "friction_of_topic":
            return f"Friction {friction} on {topic}: {numbers}."
        case _:
            return f"Friction {friction} on the way from {topic} to {to}: {numbers}."


def _percent(share: object) -> str:
    assert isinstance(share, float)
    value = share * 100
    return f"{value:.1f}%" if 0 < value < 10 else f"{value:.0f}%"


def _days(days: Days) -> WholeDays:
    return WholeDays(first=days.first, last=days.last, count=days.n)
