"""What several erasures of a project take away at once: one look at each file, one commit and one build for all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import cached_property

from turret_pipeline.semantics.selection import Selections
from turret_pipeline.semantics.values import text_id
from turret_pipeline.stages.erasure.gathering import Gathered


class Together:
    """Erasures of one project, as one.

    Args:
        project_id: the project.
        erasures: what each takes away; they may have events in common.
    """

    def __init__(self, project_id: str, erasures: Iterable[Gathered]) -> None:
        self.project_id = project_id
        self.erasures = tuple(erasures)
        self.selection = Selections(each.selection for each in self.erasures)

    @cached_property
    def event_ids(self) -> list[str]:
        """Ids of the events that go, sorted; so are all of these."""
        return _all(each.event_ids for each in self.erasures)

    @cached_property
    def user_ids(self) -> list[str]:
        """Ids of the users of whom no other event stays."""
        return _all(each.user_ids for each in self.erasures)

    @cached_property
    def session_ids(self) -> list[str]:
        """Likewise of sessions."""
        return _all(each.session_ids for each in self.erasures)

    @cached_property
    def texts(self) -> list[str]:
        """Texts, keys and names that no event that stays has."""
        return _all(each.texts for each in self.erasures)

    @property
    def text_ids(self) -> list[str]:
        """Ids of the texts, as messages have them."""
        return [text_id(text) for text in self.texts]

    @cached_property
    def files(self) -> dict[tuple[dt.date, str], list[Gathered]]:
        """Day and name of the files of raw events that have some, with the erasures that they have some of."""
        found: dict[tuple[dt.date, str], list[Gathered]] = {}
        for each in self.erasures:
            for file in each.files:
                found.setdefault(file, []).append(each)
        return found

    @cached_property
    def others(self) -> frozenset[tuple[dt.date, str]]:
        """Day and name of those that have other events with the same ids, which stay."""
        return frozenset(file for each in self.erasures for file in each.others)


def _all(lists: Iterable[Sequence[str]]) -> list[str]:
    return sorted({value for values in lists for value in values})
