"""Every question that the read API answers; the calculator process loads them all before the first one comes."""

from __future__ import annotations

from turret_api.read.questions.events import EventsByName
from turret_api.read.questions.fields import AllFields, HistoryOfField
from turret_api.read.questions.journeys.comparison import ComparisonOfSegments
from turret_api.read.questions.journeys.edge_sessions import SessionsOfEdge
from turret_api.read.questions.journeys.ends import SessionEnds, SessionStarts
from turret_api.read.questions.journeys.funnel import FunnelOfTopics
from turret_api.read.questions.journeys.graph import JourneyGraph
from turret_api.read.questions.journeys.loops import LoopsOfTopics
from turret_api.read.questions.journeys.paths import PathsOfTopic
from turret_api.read.questions.journeys.returns import ReturnsOfUsers
from turret_api.read.questions.messages import NewestMessages
from turret_api.read.questions.search import SimilarMessages
from turret_api.read.questions.sessions import OneSession
from turret_api.read.questions.topics.edits import AllEdits
from turret_api.read.questions.topics.fits import AllFits
from turret_api.read.questions.topics.map import MapOfTexts
from turret_api.read.questions.topics.topic import OneTopic
from turret_api.read.questions.topics.topics import TopicsOfField

__all__ = [
    "AllEdits",
    "AllFields",
    "AllFits",
    "ComparisonOfSegments",
    "EventsByName",
    "FunnelOfTopics",
    "HistoryOfField",
    "JourneyGraph",
    "LoopsOfTopics",
    "MapOfTexts",
    "NewestMessages",
    "OneSession",
    "OneTopic",
    "PathsOfTopic",
    "ReturnsOfUsers",
    "SessionEnds",
    "SessionStarts",
    "SessionsOfEdge",
    "SimilarMessages",
    "TopicsOfField",
]
