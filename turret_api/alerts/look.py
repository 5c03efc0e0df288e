"""A look at what a project's rules ask for: findings of `/v1/changes`, silence, lateness and damage.

Each question of `/v1/changes` keeps its false alarms to one page in twenty. Where a project's rules ask several, for
other fields or numbers of days, each may be wrong so much more rarely (Bonferroni): the promise is for the project.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from turret_api.alerts.book import AlertBook
from turret_api.alerts.rules import FRESHNESS, SILENCE, Found, Rule, found_change, subject_of
from turret_api.alerts.store import AlertStore
from turret_api.errors import ApiError
from turret_api.freshness import Freshness
from turret_api.read.engine.engine import Engine
from turret_api.read.questions.changes.findings import FALSE_ALARMS, ChangesOfField
from turret_api.read.questions.changes.users import is_of_enough
from turret_pipeline.lake.tables import BUILDS
from turret_pipeline.lake.waiting import newest_part

log = logging.getLogger(__name__)

LEAST_PAUSE = dt.timedelta(hours=1)
"""Least time from one look at a silent project to the next."""


@dataclass
class Looked:
    """What a look at a project came to: sentences that nobody was told of before, and what could not be looked at."""

    project_id: str
    new: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Looking:
    """What looks need: the rules, what they found before, and what is looked at."""

    store: AlertStore
    book: AlertBook
    engine: Engine
    freshness: Freshness

    def look(self, project_id: str, now: dt.datetime) -> Looked:
        """Note what the project's rules find now.

        Changes are looked for where the tables were built since the last look, or the rules are others.
        """
        rules, looked = self.store.rules(project_id), Looked(project_id)
        found: dict[str, list[Found]] = {}
        look_at: dict[str, dt.datetime] = {}
        built_at = None
        try:
            built_at = self._built_at(project_id)
            if built_at is not None and built_at != self.book.last_look(project_id).built_at:
                found |= self._changes(project_id, [each for each in rules if each.is_of_changes], looked)
            self._states(project_id, rules, now, found, look_at)
        except OSError as error:
            log.exception("a project's rules could not be looked at", extra={"project_id": project_id})
            looked.problems.append(str(error)[:300])
        seen = None if looked.problems else built_at  # what could not be looked at has its turn again
        looked.new = self.book.note(project_id, rules, found, now, built_at=seen, look_at=look_at)
        return looked

    def _built_at(self, project_id: str) -> dt.datetime | None:
        """Return when any table of the project was built last."""
        builds = self.engine.library.snapshot(project_id).scan(BUILDS)
        newest = builds.select(pl.col("built_at").max()).collect().item()
        return newest if isinstance(newest, dt.datetime) else None

    def _changes(self, project_id: str, rules: list[Rule], looked: Looked) -> dict[str, list[Found]]:
        """Return by rule what it finds in `/v1/changes`; of one whose question failed, nothing is known."""
        questions = {(each.filters.field, each.filters.days) for each in rules}
        found: dict[str, list[Found]] = {}
        for name, days in sorted(questions, key=str):
            try:
                answer = self._ask(project_id, ChangesOfField(name, days=days))
            except ApiError as error:
                looked.problems.append(error.message)
                continue
            sure = [each for each in answer["data"] if each["q_value"] < FALSE_ALARMS / len(questions)]
            mine = [each for each in rules if (each.filters.field, each.filters.days) == (name, days)]
            wanted = [each for each in sure if any(rule.wants(each) for rule in mine)]
            of_few = self._of_few(project_id, ChangesOfField(answer["field"], days=days), wanted)
            for rule in mine:
                found[rule.rule_id] = [
                    found_change(
                        answer["field"],
                        each,
                        dt.date.fromisoformat(answer["now"]["last"]),
                        days,
                        is_of_few=is_of_few,
                    )
                    for each, is_of_few in zip(wanted, of_few, strict=True)
                    if rule.wants(each)
                ]
        return found

    def _of_few(self, project_id: str, question: ChangesOfField, findings: list[dict[str, Any]]) -> list[bool]:
        """Tell of each finding whether it is of fewer users than the project lets leave without texts."""
        least = self.store.few(project_id).exports
        if not least or not findings:
            return [False] * len(findings)
        scene = question.scene(self.engine.library.snapshot(project_id), str(question.field))
        return [scene is None or not is_of_enough(scene, each, least) for each in findings]

    def _ask(self, project_id: str, question: ChangesOfField) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(self.engine.ask(project_id, question).content or b"")
        return answer

    def _states(
        self,
        project_id: str,
        rules: list[Rule],
        now: dt.datetime,
        found: dict[str, list[Found]],
        look_at: dict[str, dt.datetime],
    ) -> None:
        """Add what the rules find that watch a state, and when the clock alone may make them find something."""
        for rule in rules:
            if rule.kind == FRESHNESS:
                found[rule.rule_id] = [*self._late(project_id), *self._damaged(project_id)]
            elif rule.kind == SILENCE:
                hours = dt.timedelta(hours=rule.filters.hours)
                newest = newest_part(self.engine.library.lake, project_id)
                if newest is None:
                    found[rule.rule_id] = []  # a project that nothing was ever sent to is not silent
                    look_at[rule.rule_id] = now + hours
                    continue
                last = dt.datetime.fromtimestamp(newest, dt.UTC)
                is_silent = now - last >= hours
                found[rule.rule_id] = [_silence(last, rule.filters.hours)] if is_silent else []
                # While it is silent, it is looked at now and then, to see that it has ended: each look is a run.
                again = max(hours / 4, LEAST_PAUSE) if is_silent else dt.timedelta()
                look_at[rule.rule_id] = max(last + hours, now + again)

    def _late(self, project_id: str) -> list[Found]:
        waits = [each for each in self.freshness.late(project_id) if each.project_id == project_id]
        return [
            Found(subject_of(FRESHNESS, "late"), each.words, {"kind": "late", "since": each.since_utc.isoformat()})
            for each in waits[:1]
        ]

    def _damaged(self, project_id: str) -> list[Found]:
        words = self.freshness.damage(project_id)
        return [Found(subject_of(FRESHNESS, each), each, {"kind": "damaged"}) for each in words]


def _silence(last: dt.datetime, hours: int) -> Found:
    span = "an hour" if hours == 1 else f"{hours} hours"
    words = f"No event has come for {span}: the last one came at {last:%Y-%m-%d %H:%M} UTC."
    return Found(subject_of(SILENCE), words, {"kind": SILENCE, "last_event_at": last.isoformat()})
