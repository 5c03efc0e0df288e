"""What goes wrong where it is planted, and lakes with a field that it can be planted in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpora.stand_in import StandIn
from tests.small_lake import DAYS, planted_rows, put
from turret_pipeline.analysis.fields import detect
from turret_pipeline.analysis.labels import names
from turret_pipeline.analysis.topics import fit as topics_fit
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages import embeddings, text_kinds, text_sentiment
from turret_pipeline.stages.fits import fit

POISON = "poison"
"""A word in each text of the field `broken`, and in no other."""

KINDS = {
    "field_profiles": "field_profiles",
    "field_types": "field_types",
    "embeddings": "embeddings",
    "vectors": "embeddings",
    "kinds": "text_kinds",
    "fit": "topics",
    "labels": "topics",
    "blank labels": "topics",
    "map": "topics",
}
"""By kind of fault the table whose stage sees it."""


class Fault:
    """What goes wrong where it is planted, as long as it is on."""

    def __init__(self, error: BaseException) -> None:
        self.error, self.is_on, self.n_raised = error, True, 0

    def around(self, function: Callable[..., Any], strikes: Callable[..., bool]) -> Callable[..., Any]:
        """Return the function, which raises while the fault is on and `strikes` is true of its arguments."""

        def either(*arguments: Any, **named: Any) -> Any:
            if self.is_on and strikes(*arguments, **named):
                self.n_raised += 1
                raise self.error
            return function(*arguments, **named)

        return either


def is_poisoned(texts: Sequence[object], *others: object) -> bool:
    return any(POISON in str(text) for text in texts)


def plant(kind: str, patch: pytest.MonkeyPatch, error: BaseException | None = None) -> Fault:
    """Return a fault that strikes in the analysis of the field `broken`: where it is profiled, judged and so on."""
    fault = Fault(error or TypeError("the analysis choked"))
    if kind == "field_profiles":
        patch.setattr(detect, "observe", fault.around(detect.observe, is_poisoned))
    elif kind == "field_types":
        patch.setattr(detect, "judge", fault.around(detect.judge, lambda field, seen: field == "broken"))
    elif kind == "embeddings":
        patch.setattr(StandIn, "embed", fault.around(StandIn.embed, lambda self, texts, tell=None: is_poisoned(texts)))
    elif kind == "vectors":
        sound = StandIn.embed

        def embed(self: StandIn, texts: Sequence[str], tell: Callable[[int], None] | None = None) -> np.ndarray:
            bad = np.array([fault.is_on and POISON in text for text in texts], dtype=bool)
            return np.where(bad[:, None], np.float32("nan"), sound(self, texts, tell))

        patch.setattr(StandIn, "embed", embed)
    elif kind == "kinds":
        told = fault.around(text_kinds.told_kinds, lambda rows, _: is_poisoned(rows["text"]))
        patch.setattr(text_kinds, "told_kinds", told)
    elif kind == "fit":
        patch.setattr(fit, "fit_topics", fault.around(fit.fit_topics, lambda rows, **_: is_poisoned(rows["text"])))
    elif kind == "labels":
        named = fault.around(names.Namer.topics, lambda namer, *_: is_poisoned(namer._texts))
        patch.setattr(names.Namer, "topics", named)
    elif kind == "blank labels":
        choose = names.Namer.topics

        def blank(namer: names.Namer, *kept: Any) -> list[str]:
            return [" " if fault.is_on and is_poisoned(namer._texts) else label for label in choose(namer, *kept)]

        patch.setattr(names.Namer, "topics", blank)
    else:
        assert kind == "map"
        # The fields are fitted in order of their names.
        first = fault.around(topics_fit.place_topics, lambda *_: fault.n_raised == 0)
        patch.setattr(topics_fit, "place_topics", first)
    return fault


def stand_in(patch: pytest.MonkeyPatch) -> None:
    """Embed by the stand-in instead of the model."""
    for module in (embeddings, text_kinds, text_sentiment, fit):
        patch.setattr(module, "open_lake_embedder", lambda lake, model: StandIn(model, "words"))


def made_lake(folder: Path) -> Lake:
    lake = Lake(str(folder))
    lake.make()
    for number, day in enumerate(DAYS):
        rows = [with_broken(row) for row in planted_rows()[80 * number : 80 * number + 80]]
        put(lake, day, f"a-{number}", rows)
    return lake


def with_broken(row: dict[str, Any]) -> dict[str, Any]:
    metadata = json.loads(row["metadata"])
    return row | {"metadata": json.dumps(metadata | {"broken": f"{metadata['prompt']} with {POISON}"})}
