"""Labels of messages in which something is masked: they say what people ask, not what was masked."""

from __future__ import annotations

import re
from random import Random

import pytest

from tests.analysis.labels.planted import planted_texts
from tests.analysis.labels.test_templates import INTENTS, PRODUCTS
from turret_pipeline.analysis.labels.names import Namer

KINDS = ("EMAIL", "PHONE", "CARD", "IBAN", "NATIONAL_ID", "IP", "SECRET")
MASKED = re.compile(r"<|>|_|\b(?:email|phone|iban|national|id|ip|secret|[0-9a-f]{6})\b", re.IGNORECASE)


def masked(text: str, draw: Random, *, linked: bool) -> str:
    """Return a text with one or two placeholders beside it."""
    made = [
        f"<{draw.choice(KINDS)}_{draw.randrange(16**6):06x}>" if linked else f"<{draw.choice(KINDS)}>"
        for _ in range(draw.randint(1, 2))
    ]
    return " ".join([text, *made] if draw.random() < 0.7 else [*made, text])


@pytest.mark.parametrize("linked", [False, True])
def test_no_label_is_made_of_placeholders(linked: bool) -> None:
    draw = Random(0)
    products = [each for each in PRODUCTS if each != "phone"]
    topics = [
        [masked(text.format(draw.choice(products)), draw, linked=linked) for text in said for _ in range(40)]
        for said in INTENTS.values()
    ]
    labels = Namer(*planted_texts(topics)).topics()
    assert len(labels) == len(INTENTS) and not [each for each in labels if MASKED.search(each)], labels
