"""What can be seen of a text, in one line."""

# ruff: noqa: RUF001 - letters that look like others are meant.
from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.analysis.labels.printable import is_visible, printable

CASES = {
    "plain words": "plain words",
    "  two\n lines\t": "two lines",
    "a\u00a0b\u3000c": "a b c",
    "zero\u200bwidth": "zerowidth",
    "\x1b[31mred\x1b[0m": "[31mred [0m",
    "\u202eturned\u202c": "turned",
    "\u200b\u200d\ufeff": "",
    "\u3164\u2800": "",
    "می\u200cخواهم": "میخواهم",
    "🙏🏽 ok": "🙏🏽 ok",
    "👩\u200d💻": "👩💻",
    "\ue000": "",
}


@pytest.mark.parametrize(("text", "seen"), CASES.items())
def test_what_can_be_seen_of_a_text(text: str, seen: str) -> None:
    assert printable(text) == seen


@given(st.text())
def test_what_can_be_seen_is_printable_and_what_cannot_is_not_visible(text: str) -> None:
    found = printable(text)
    assert found.isprintable() and found == found.strip() and printable(found) == found
    visible = pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(is_visible(pl.col("text")))["text"][0]
    assert not (visible and not found) or any(not char.isprintable() for char in text)
