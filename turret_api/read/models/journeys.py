"""The graph of journeys, and what is read off the visits behind it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import ConfigDict, Field

from turret_api.read.models.shared import ByModel, Model, Numbers, Page


class Node(Model):
    topic_id: str
    label: str
    kind: Literal["topic", "start", "end", "unassigned"]
    count: int = Field(description="visits; of start and end: sessions")


class Edge(Model):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    count: int
    sessions: int
    probability: float
    median_gap_s: float | None
    p25_gap_s: float | None
    p75_gap_s: float | None
    p95_gap_s: float | None
    lift: float = Field(
        description="moves, over those expected if where to did not depend on where from; 1: as expected"
    )
    number: Numbers | None = Field(
        default=None,
        description="with `number=<field>`: that field over the messages that begin the visits moved to (to `end`: the "
        "last messages)",
    )


class Rest(Model):
    edges: int
    count: int


class Journeys(ByModel):
    nodes: list[Node]
    edges: list[Edge]
    rest: Rest = Field(description="edges that are not listed, and the moves on them")
    n_sessions: int
    n_visits: int


class Path(Model):
    topics: list[str]
    labels: list[str]
    count: int
    sessions: int
    share: float


class RestPaths(Model):
    paths: int
    count: int


class Paths(ByModel, Page):
    data: list[Path]
    n_paths: int
    rest: RestPaths


class Start(Model):
    topic_id: str
    label: str
    sessions: int
    share: float


class Starts(ByModel, Page):
    data: list[Start]
    n_sessions: int


class DropOff(Start):
    rate: float = Field(description="share of the topic's visits that are the last of their session")


class DropOffs(ByModel, Page):
    data: list[DropOff]
    n_sessions: int


class Loop(Model):
    topics: list[str]
    labels: list[str]
    count: int
    sessions: int


class RestLoops(Model):
    loops: int
    count: int


class Loops(ByModel, Page):
    data: list[Loop]
    rest: RestLoops = Field(description="pairs that are not listed, and the returns between them")


class EdgeSession(Model):
    session_id: str
    user_id: str = Field(description="of its first message")
    at: dt.datetime = Field(description="when it moved so first")
    count: int = Field(description="how often it moves so")
    started_at: dt.datetime
    ended_at: dt.datetime
    n_visits: int


class EdgeSessions(ByModel, Page):
    data: list[EdgeSession]
    n_sessions: int
    n_moves: int


class Step(Model):
    topic_id: str
    label: str
    sessions: int
    share_of_first: float
    share_of_previous: float
    median_gap_s: float | None


class Funnel(ByModel, Page):
    data: list[Step]
    n_sessions: int
