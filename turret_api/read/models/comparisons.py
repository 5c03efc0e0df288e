"""Two segments side by side, and users that come back."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from turret_api.read.models.journeys import Rest
from turret_api.read.models.shared import ByModel, Model, Page


class EdgeDifference(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    labels: list[str]
    a_sessions: int
    a_share: float = Field(description="of a's sessions, those that make the move")
    a_count: int
    a_probability: float | None
    a_median_gap_s: float | None
    b_sessions: int
    b_share: float
    b_count: int
    b_probability: float | None
    b_median_gap_s: float | None
    difference: float | None = Field(description="a_share less b_share; null: a side has no session")
    low: float | None = Field(description="lower end of its 95% confidence interval (Newcombe)")
    high: float | None
    p_value: float | None = Field(description="that the shares are equal: Fisher's exact test, mid-p")
    q_value: float | None = Field(description="adjusted over all edges and both tests (Benjamini-Hochberg)")
    gap_difference_s: float | None = Field(
        description="median over a's sessions of their gaps before the move less that of b's; null: too few make it"
    )
    gap_low_s: float | None = Field(description="lower end of its 95% confidence interval (Bonett and Price)")
    gap_high_s: float | None
    gap_p_value: float | None = Field(description="that the gaps are alike: test of Mann and Whitney")
    gap_q_value: float | None = Field(description="as `q_value`")


class SideCounts(Model):
    a: int
    b: int


class Comparison(ByModel, Page):
    data: list[EdgeDifference] = Field(description="the surest differences first")
    n_sessions: SideCounts
    n_sessions_in_both: int = Field(description="sessions with messages in both segments; they count on neither side")
    rest: Rest


class ReturnPair(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: str = Field(alias="from", description="topic of a session: the one with most of its messages")
    target: str = Field(alias="to", description="topic of the same user's next session")
    count: int
    users: int
    probability: float
    lift: float
    median_interval_s: float


class ReturnTopic(Model):
    topic_id: str
    label: str
    sessions: int
    returns: int = Field(description="of them, sessions of users who had one before")
    share: float = Field(description="of all returns")
    lift: float | None = Field(
        description="that share over the topic's share of users' first sessions; null: it has none"
    )


class Interval(Model):
    from_s: int
    below_s: int | None
    count: int


class RestPairs(Model):
    pairs: int
    count: int


class Returns(ByModel, Page):
    data: list[ReturnPair]
    rest: RestPairs
    topics: list[ReturnTopic] = Field(description="what users come back for, most first")
    n_users: int
    n_returning_users: int
    n_sessions: int
    n_returns: int
    interval_quantiles_s: dict[str, float | None] = Field(description="from the start of a session to that of the next")
    intervals: list[Interval]
