"""What a long prompt asks is found, whatever it carries and in whatever language."""

# ruff: noqa: RUF001 - letters and marks of other scripts are meant.

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.semantics.prompts.asked import SHORT_CHARACTERS, asked
from turret_pipeline.semantics.prompts.asking import units
from turret_pipeline.semantics.prompts.windows import MOST_UNITS, WINDOW_UNITS, windows

ARTICLE = (
    "The harbour of the old town was built in 1821 by a company of merchants. Its walls are made of granite, and the "
    "tide rises four metres in spring. In the last century the fishing fleet shrank from ninety boats to eleven. The "
    "council has since turned the warehouses into flats and a museum. Visitors arrive mostly by train, which takes two "
    "hours from the capital. The bridge across the river mouth was finished in 1994 after a dispute over its height.\n"
) * 2
CODE = """\
import os
import sys

def load(path):
    with open(path) as file:
        rows = [line.split(",") for line in file]
    return {row[0]: float(row[1]) for row in rows}

class Store:
    def __init__(self, path):
        self.rows = load(path)

    def total(self):
        return sum(self.rows.values())
"""
TRACE = """\
Traceback (most recent call last):
  File "/srv/app/main.py", line 41, in <module>
    run()
  File "/srv/app/main.py", line 12, in run
    load(sys.argv[1])
KeyError: 'harbour'
2026-10-04 12:00:01 ERROR worker 7 stopped
2026-10-04 12:00:02 INFO worker 7 started
"""
JSON = """\
{
  "orders": [
    {"id": 1, "harbour": "north", "price": 12.5},
    {"id": 2, "harbour": "south", "price": 8.25}
  ],
  "next": null,
  "total": 2,
  "source": "export"
}
"""
TABLE = (
    "harbour | boats | year\n--- | --- | ---\nnorth | 11 | 1994\nsouth | 90 | 1821\neast | 7 | 1900\nwest | 8 | 1901\n"
    * 2
)
CSV = "harbour,boats,year\nnorth,11,1994\nsouth,90,1821\neast,7,1900\nwest,12,1950\nouter,3,2001\n" * 3
MAIL = """\
From: Ann Lee <ann@example.org>
To: Bob <bob@example.org>
Subject: harbour tour

Hello Bob,

the harbour tour starts at nine. I will bring the tickets and you bring the map.

Ann

From: Bob <bob@example.org>
To: Ann Lee <ann@example.org>
Subject: Re: harbour tour

Where exactly shall I wait for you?
"""
QUOTED_MAIL = (
    "> the harbour tour starts at nine\n> I will bring the tickets\n> and you bring the map of the harbour\n" * 3
)
CHAT = """\
Ann: did you see the harbour?
Bob: yes, it was lovely
Ann: which boat did you take?
Bob: the small one with the blue sail
Ann: and how long did it take?
Bob: two hours, with a stop at the lighthouse and a cup of tea
"""
CHINESE_ARTICLE = (
    "旧城的港口建于一八二一年，由一家商人公司出资。它的墙用花岗岩砌成，春天的潮水可涨四米。上个世纪渔船从九十艘减到十一艘。"
    * 4
)
ARABIC_ARTICLE = (
    "بني ميناء المدينة القديمة عام ١٨٢١ على يد شركة من التجار. جدرانه من الجرانيت ويرتفع المد أربعة أمتار في الربيع. "
    * 5
)

ASK = "Why was my card payment declined twice?"


CARRIED = [
    f"```python\n{CODE}```",
    f"~~~\n{TRACE}~~~",
    CODE,
    "\n".join("    " + line for line in CODE.splitlines()),
    TRACE,
    JSON,
    TABLE,
    CSV,
    QUOTED_MAIL,
    ARTICLE,
    f"“{ARTICLE.strip()}”",
    f"«{ARTICLE.strip()}»",
    f'"""{ARTICLE}"""',
    f"<document>\n{ARTICLE}</document>",
    f"<article id='7'>{ARTICLE}</article>",
    CHINESE_ARTICLE,
    ARABIC_ARTICLE,
]
CONVERSATIONS = [MAIL, CHAT]
FORMS = ["{ask}\n\n{carried}", "{carried}\n\n{ask}", "{carried}\n\n{ask}\n\n{carried}"]


@pytest.mark.parametrize("carried", [*CARRIED, *CONVERSATIONS], ids=lambda carried: carried[:20].strip())
@pytest.mark.parametrize("form", FORMS)
def test_what_is_asked_is_found_before_after_and_amid_what_was_pasted(form: str, carried: str) -> None:
    # A question amid two conversations may be one of theirs.
    form = FORMS[0] if carried in CONVERSATIONS and form == FORMS[2] else form
    found = asked(form.format(ask=ASK, carried=carried))
    assert ASK in found
    assert len(found) <= 2 * len(ASK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Translate the following: {ARTICLE}", "Translate the following:"),
        (f"Translate the following text into French:\n\n{ARTICLE}", "Translate the following text into French:"),
        (f"Summarize this article for me: {ARTICLE}\n\n{ARTICLE}", "Summarize this article for me:"),
        (f"Übersetze den Text ins Englische: {ARTICLE}", "Übersetze den Text ins Englische:"),
        (f"请把下面的文章翻译成英文：{CHINESE_ARTICLE}", "请把下面的文章翻译成英文："),
        (f"لخص النص التالي: {ARABIC_ARTICLE}", "لخص النص التالي:"),
        (f"{ARTICLE}\nsummarise the above in one line, thanks", "summarise the above in one line, thanks"),
        (f"{CHINESE_ARTICLE}\n请总结上面的文章", "请总结上面的文章"),
        (f"{ARABIC_ARTICLE}\n\nما هي الفكرة الرئيسية؟", "ما هي الفكرة الرئيسية؟"),
        (f"Is this right?\n{CODE}", "Is this right?"),
    ],
    ids=lambda value: value[:24],
)
def test_of_a_text_to_work_on_only_the_request_is_left(text: str, expected: str) -> None:
    assert asked(text) == expected


def test_the_last_of_some_examples_asks_where_it_waits_for_its_answer() -> None:
    shots = "".join(
        f"Input: the {what} is {how}\nOutput: {how}\n\n" for what, how in [("sea", "cold"), ("sun", "hot")] * 4
    )
    assert asked(f"Say the feeling.\n\n{shots}Input: my card was declined\nOutput:") == (
        "Say the feeling.\nInput: my card was declined\nOutput:"
    )
    assert asked(f"{CHAT}\nAnn: where is my refund?") == "Ann: where is my refund?"


def test_a_request_that_says_too_little_keeps_the_beginning_of_its_material() -> None:
    found = asked(f"Fix this:\n\n{CODE * 3}")
    assert found.startswith("Fix this:\nimport os") and len(found) < 350
    assert asked(CODE * 3).startswith("import os")


@pytest.mark.parametrize(
    "text",
    [
        "I was charged twice for my card, can you tell me why? " * 3,
        "I have been waiting for my card for two weeks now. I ordered it on the first, and the app says it was sent. "
        "I called the post office and they know nothing of it. I need it before I travel to Spain next month.",
        "print(1); x = [1, 2]; y = {3}",
        "",
        "   ",
    ],
)
def test_a_text_that_carries_nothing_is_itself(text: str) -> None:
    assert asked(text) == text
    assert windows(text) == [(text, 1.0)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "word ",
        "a",
        "{",
        '"',
        "“",
        "<a>",
        "[b]",
        "```\n",
        "a:b\n",
        "> x\n",
        "字",
        "a.",
        "? ",
        "\n",
        "' ",
        "a b. ",
        "?-",
        " ",
        ";",
        "; ",
        ': "',
        "(",
        "a,",
    ],
)
@pytest.mark.parametrize("form", ["{}", "who are you?\n{}", "who are you? {}x", ":{}x"])
def test_of_a_giant_text_a_bounded_part_is_left(unit: str, form: str) -> None:
    found = asked(form.format(unit * (100_000 // len(unit))))
    assert units(found) <= MOST_UNITS
    assert found.strip() or not (unit + form[:-2]).strip()


_BLOCKS = st.sampled_from(
    [ARTICLE, CODE, TRACE, JSON, TABLE, MAIL, CHAT, CHINESE_ARTICLE, ASK, "Fix this:", "```\n", "“", "…", "\n\n"]
)


@given(st.one_of(st.text(), st.lists(st.one_of(_BLOCKS, st.text(max_size=30)), max_size=6).map("\n".join)))
def test_what_is_asked_is_there_and_asks_itself(text: str) -> None:
    found = asked(text)
    assert asked(found) == found
    assert bool(found.strip()) == bool(text.strip())
    assert len(found) <= len(text)
    if len(text) <= SHORT_CHARACTERS:
        assert found == text
    parts = windows(found)
    assert all(units(part) <= 1.2 * WINDOW_UNITS and part.strip() for part, _ in parts) or not text.strip()
    assert "".join("".join(part for part, _ in parts).split()) == "".join(found.split()) or not text.strip()
