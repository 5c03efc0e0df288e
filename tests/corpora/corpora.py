"""Corpora of every kind that traffic, or a test of a text box, may bring: seeded, so that a number names one for good.

A corpus is what one field of one project holds: values in the order in which they are sent, two thirds before the first
build and the rest before the second. Most are small, as a fit of a few dozen texts meets every edge that one of many
thousands does. `KINDS` are the kinds of text; a corpus is of one kind or a mixture, with its own pattern of repetition.
"""

# ruff: noqa: RUF001 - letters that look like others are meant.
from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

Kind = Callable[[random.Random], str]
Value = object

WORDS = """
    refund order parcel delivery password account login invoice payment card recipe soup bread flight hotel booking
    cancel change address update error screen button crash slow network camera battery music playlist garden tomato
    lawyer contract salary holiday doctor appointment fever allergy weather rain museum ticket train station bus"""
STOP_WORDS = "the a of and to in is it you that he was for on are with as his they be at this have from or had by"
WEAK_WORDS = "good new first last early today week make take give use help find start stop add happen question detail"
EMOJI = "😀😂🤣😊😍🙏👍🔥🎉💯🚀🐶🍕⚽🏠✅❤️🇩🇪👨‍👩‍👧‍👦👩🏽‍💻🧑‍🚀"
ARABIC = "مرحبا كيف يمكنني استعادة كلمة المرور الخاصة بي أين طلبي شكرا جزيلا الدفع"
HEBREW = "שלום איך אפשר לאפס את הסיסמה שלי איפה ההזמנה תודה רבה תשלום"
PERSIAN = "می‌خواهم سفارش خود را لغو کنم رمز عبور پرداخت کجاست"
HINDI = "नमस्ते मेरा ऑर्डर कहाँ है पासवर्ड बदलना भुगतान धन्यवाद"
RUSSIAN = "здравствуйте где мой заказ как сменить пароль оплата спасибо"
THAI = "สวัสดีครับอยากเปลี่ยนรหัสผ่านพัสดุของฉันอยู่ที่ไหนขอบคุณ"
CHINESE = "你好请问我的订单在哪里怎么重置密码谢谢退款支付失败天气预报食谱"
JAPANESE = "こんにちは注文はどこですかパスワードを変更したいありがとうカタカナ"
KOREAN = "안녕하세요 주문이 어디에 있나요 비밀번호를 바꾸고 싶어요 감사합니다"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202e\u2066\u2069\u115f\u3164\u2800\u180e\u034f"
CONTROL = "".join(map(chr, [*range(1, 32), *range(127, 160)])) + "\u2028\u2029"
SPACES = " \u00a0\u2003\u3000\u202f\u205f\t\n\r\v\f"
CASES = "İIıißẞSSΣσςǅﬁﬂÅÅéé"
UNASSIGNED = "\ue000\uf8ff\U000f0000\U0010fffd\u0378\ufffe\ufffd\U0003fffd"
COMBINING = "\u0300\u0301\u0323\u0336\u20dd\ufe0f\u0489"
TEMPLATES = ("where is my {}", "I want to cancel the {} of {}", "how much is {} in {}?", "{}: {}", "{}")


def said(words: str, least: int = 1, most: int = 8) -> Kind:
    """Return a kind of text: some of these words in a row."""
    known = words.split()
    return lambda rng: " ".join(rng.choices(known, k=rng.randint(least, most)))


def run(letters: str, least: int = 1, most: int = 20) -> Kind:
    """Return a kind of text: some of these characters in a row."""
    return lambda rng: "".join(rng.choices(letters, k=rng.randint(least, most)))


def always(text: str) -> Kind:
    return lambda rng: text


def amid(letters: str) -> Kind:
    """Return a kind of text: words with some of these characters between, before and within them."""

    def make(rng: random.Random) -> str:
        text = said(WORDS)(rng)
        for _ in range(rng.randint(1, 6)):
            place = rng.randint(0, len(text))
            text = text[:place] + rng.choice(letters) + text[place:]
        return text

    return make


def filled(rng: random.Random) -> str:
    """Return a template with its slots filled with words, names or numbers."""
    fill = rng.choice([said(WORDS, 1, 1), run(string.digits, 1, 6), run(string.ascii_uppercase, 2, 5)])
    template = rng.choice(TEMPLATES)
    return template.format(*(fill(rng) for _ in range(template.count("{}"))))


def varied(rng: random.Random) -> str:
    """Return one of few sentences in another spelling: case, blanks around it, marks behind it."""
    text = rng.choice(["hello there", "reset my password", "ok", "thank you so much"])
    text = rng.choice([str.upper, str.title, str.lower, str.swapcase])(text)
    return rng.choice(["", " ", "\n", "\u200b"]) + text + rng.choice(["", "!", "!!", ".", "?", " ", "…", "\u00a0"])


def code(rng: random.Random) -> str:
    name, number = said(WORDS, 1, 1)(rng), rng.randint(0, 9999)
    return rng.choice(
        [
            f"def {name}(x):\n    return x + {number}\n",
            f"SELECT {name} FROM t{number} WHERE id = {number}; -- DROP TABLE",
            f"for (let i = 0; i < {number}; i++) {{ {name}(i); }}",
            f"Traceback (most recent call last):\n  File \"{name}.py\", line {number}\nKeyError: '{name}'",
            f"\x1b[31mERROR\x1b[0m {name}: exit status {number}",
        ]
    )


def markup(rng: random.Random) -> str:
    name = said(WORDS, 1, 1)(rng)
    return rng.choice(
        [
            f"<div class='{name}'><p>{name} &amp; co</p><br/></div>",
            f"<script>alert('{name}')</script>",
            f"# {name}\n\n| a | b |\n| --- | --- |\n| {name} | {rng.randint(0, 99)} |",
            json.dumps({name: [1, {"x": None}], "n": rng.random()}),
            f'=HYPERLINK("http://{name}.example")',
            f"https://{name}.example/{rng.randint(0, 9999)}?q={name}#top",
        ]
    )


def encoded(rng: random.Random) -> str:
    raw = rng.randbytes(rng.randint(1, 120))
    return rng.choice(
        [base64.b64encode(raw).decode(), raw.hex(), "data:image/png;base64," + base64.b64encode(raw).decode()]
    )


def long(rng: random.Random) -> str:
    """Return a text of up to 100,000 characters, one in four without a blank."""
    size = rng.choice([1_000, 5_000, 100_000])
    word = said(WORDS, 1, 1)(rng)
    return (word + rng.choice([" ", " ", "\n", ""])) * (size // (len(word) + 1))


def anything(rng: random.Random) -> str:
    """Return characters of any kind but surrogates and NUL, which are refused when they are sent."""
    ranges = [(1, 0x7F), (0x80, 0x24F), (0x250, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 30)))


KINDS: dict[str, Kind] = {
    "one word and numbers": lambda rng: f"message c{rng.randint(1, 9)}-{rng.randint(1, 99)}",
    "one word": lambda rng: "message " * rng.randint(1, 30),
    "numbered words": lambda rng: f"{rng.choice(['call', 'chat'])} {rng.randint(1, 10**6)}",
    "digits": run(string.digits),
    "punctuation": run("!?.,;:-_*#/\\|()[]{}<>\"'`~^&%$@+="),
    "underscores": run("_"),
    "emoji": run(EMOJI, 1, 6),
    "one character": run(string.ascii_letters + CHINESE + EMOJI + "!?1", 1, 1),
    "single letters": lambda rng: " ".join(rng.choices(string.ascii_lowercase, k=rng.randint(1, 8))),
    "one text": always("where is my order"),
    "one emoji": always("👍"),
    "two texts": lambda rng: rng.choice(["yes please", "no thanks"]),
    "sentences": said(WORDS, 3, 10),
    "single words": said(WORDS, 1, 1),
    "stop words": said(STOP_WORDS),
    "weak words": said(WEAK_WORDS),
    "laughter": lambda rng: rng.choice(["ha", "lol ", "xD"]) * rng.randint(1, 40),
    "nonsense": run(string.ascii_lowercase, 1, 30),
    "all distinct": lambda rng: f"{rng.getrandbits(64):x} {rng.getrandbits(64):x}",
    "spellings": varied,
    "templates": filled,
    "code": code,
    "markup": markup,
    "encoded": encoded,
    "long": long,
    "invisible": run(INVISIBLE),
    "control": run(CONTROL),
    "spaces": run(SPACES),
    "invisible amid words": amid(INVISIBLE),
    "control amid words": amid(CONTROL),
    "combining amid words": amid(COMBINING),
    "marks alone": run(COMBINING),
    "unassigned": run(UNASSIGNED),
    "letters that change their number with the case": run(CASES + " "),
    "arabic": said(ARABIC),
    "hebrew": said(HEBREW),
    "persian": said(PERSIAN),
    "hindi": said(HINDI),
    "russian": said(RUSSIAN),
    "korean": said(KOREAN),
    "thai": run(THAI, 3, 30),
    "chinese": run(CHINESE, 2, 20),
    "japanese": run(JAPANESE, 2, 20),
    "mixed scripts": said(" ".join([ARABIC, HEBREW, HINDI, RUSSIAN, KOREAN, WORDS, CHINESE, EMOJI])),
    "anything": anything,
}

NOT_TEXTS: list[Value] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    2**63 - 1,
    -(2**63),
    0.1,
    1e-300,
    1e308,
    -1e308,
    [],
    {},
    ["a"],
    "",
]
"""Values that are no texts, and may stand among them."""

VECTORS = ("words", "words", "words", "words", "same", "two", "random", "opposite", "nearly same", "corners")
"""How like texts are to one another in the stand-in's eyes (`tests.corpora.stand_in`)."""


@dataclass(frozen=True)
class Corpus:
    """What one field holds.

    Args:
        name: the kinds of its texts, for people.
        values: in the order in which they are sent.
        is_chosen: whether a person made the field a text field, whatever its values show.
    """

    name: str
    values: list[Value]
    is_chosen: bool


def corpus(seed: int) -> Corpus:
    """Return the corpus of this number: the kinds follow one another, so that any `len(KINDS)` in a row have all."""
    rng = random.Random(seed)
    names = [list(KINDS)[seed % len(KINDS)]]
    if rng.random() < 0.4:
        names += rng.sample(list(KINDS), rng.randint(1, 3))
    n_distinct = rng.choice([1, 2, 10, 19, 20, 25, 30, 35, 40, 45, 60, 90])
    n_distinct = min(n_distinct, 25) if "long" in names else n_distinct
    texts: list[Value] = [KINDS[rng.choice(names)](rng) for _ in range(n_distinct)]
    values = list(texts)
    if rng.random() < 0.5:
        # A few of them come again and again, as greetings and buttons do.
        values += rng.choices(texts[: max(1, n_distinct // 5)], k=rng.randint(1, n_distinct))
    if rng.random() < 0.2:
        values += rng.choices(NOT_TEXTS, k=rng.randint(1, 10))
    if rng.random() < 0.5:
        rng.shuffle(values)
    return Corpus(" + ".join(names), values, is_chosen=rng.random() < 0.8)
