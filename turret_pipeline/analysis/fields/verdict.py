"""The verdict: from evidence to text, enum, number or other, with a confidence and a reason in words.

The order of questions: is there anything; lists and objects; numbers (and among them ids that only look like
numbers); yes and no; ids, dates and addresses; then enum against text. The last is weighed in log odds from two
things. Shape: a single word speaks for an enum, a sentence for text. Repetition: the share of values that occurred
once estimates how much of what comes next is new (Good, "The population frequencies of species", Biometrika 40,
1953); an enum is soon seen whole, text never, however long the options and however often people say "yes".
The constants are ours, set on the traps in the tests and on public conversations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from turret_pipeline.analysis.fields import shapes as shape
from turret_pipeline.analysis.fields.evidence import Evidence

TEXT, ENUM, NUMBER, OTHER = "text", "enum", "number", "other"
TYPES = (TEXT, ENUM, NUMBER, OTHER)

MOST = 0.9
"""Share of the values from which a field is of the kind that they are; the rest are slips."""

_SPOKEN = (
    "prompt message text query question input content utterance comment feedback answer response completion reply "
    "output user_message user_prompt user_input chat_message"
)
SPOKEN_FIELDS = frozenset(_SPOKEN.split())
"""Names under which people send what was said. They only tip the balance while few values are seen."""

_SHAPE_ODDS = {
    shape.BOOLEAN: 3.0,
    shape.WORD: 2.0,
    shape.VERSION: 1.5,
    shape.OPAQUE: 1.0,
    shape.NUMBER: 1.0,
    shape.PHRASE: 0.5,
    shape.SENTENCE: -2.0,
}


@dataclass(frozen=True)
class Verdict:
    """A type, how sure (0 to 1), and why."""

    type: str
    confidence: float
    reason: str


def judge(field: str, seen: Evidence) -> Verdict:
    """Return the type that the values of `field` show."""
    n_blank = seen.shapes[shape.BLANK] + seen.shapes[shape.NULLISH]
    n = seen.n - seen.kinds["null"] - n_blank
    if n <= 0:
        return Verdict(OTHER, 0.0, "no values yet, only null or blank")
    share = {form: count / n for form, count in seen.shapes.items() if form not in (shape.BLANK, shape.NULLISH)}
    nested = (seen.kinds["list"] + seen.kinds["object"]) / n
    if nested >= 0.5:
        return Verdict(OTHER, _sure(nested, n), f"{nested:.0%} of the values are lists or objects")
    numeric = (seen.kinds["number"] + sum(seen.shapes[form] for form in shape.NUMERIC)) / n
    versions = share.get(shape.VERSION, 0)
    if numeric >= MOST and versions < 0.05:
        return _number(seen, n, numeric)
    if numeric + versions >= MOST:
        return Verdict(ENUM, _sure(numeric + versions, n), f"{numeric + versions:.0%} of the values are versions")
    yes_no = (seen.kinds["boolean"] + seen.shapes[shape.BOOLEAN]) / n
    if yes_no >= MOST and (seen.kinds["boolean"] or field.lower() not in SPOKEN_FIELDS or n >= 20):
        return Verdict(ENUM, _sure(yes_no, n), f"{yes_no:.0%} of the values are yes or no")
    ids = sum(share.get(form, 0) for form in shape.IDS)
    if ids >= 0.7:
        return _ids(seen, n, share, ids)
    coded = seen.shapes[shape.CODE] and _same_length(seen) and ids + numeric >= MOST
    if coded:
        return _ids(seen, n, share, ids + numeric)
    words = 1 - numeric - ids - nested
    if numeric > 0.2 and words > 0.1 and not _is_small(seen, n):
        return Verdict(OTHER, _sure(0.7, n), f"mixed: {numeric:.0%} numbers, {words:.0%} words")
    if min(ids, words) >= 0.4 and n >= 10 and not _is_small(seen, n):
        return Verdict(OTHER, _sure(0.7, n), f"mixed: {ids:.0%} ids, dates or addresses, {words:.0%} words")
    return _enum_or_text(field, seen, n, share)


def _number(seen: Evidence, n: int, numeric: float) -> Verdict:
    """Numbers, unless they are codes or ids: their digits, not their size, then carry the meaning."""
    if seen.shapes[shape.CODE] >= 0.02 * n:
        return _ids(seen, n, {shape.CODE: numeric}, numeric)
    least, greatest = seen.least or 0.0, seen.greatest or 0.0
    whole = seen.n_whole == seen.n_numbers
    one_length = len(seen.digits) == 1 and least > 0
    length = int(next(iter(seen.digits))) if len(seen.digits) == 1 else 0
    never_again = seen.n_distinct >= 0.95 * n
    span = greatest - least + 1
    plain = "JSON numbers" if seen.kinds["number"] >= 0.5 * n else "texts that read as numbers"
    money = (seen.shapes[shape.MONEY] + seen.shapes[shape.PERCENT]) / n
    amounts = Verdict(NUMBER, _sure(numeric, n), f"{numeric:.0%} of the values are {plain}")
    if money >= 0.5:
        return replace(amounts, reason=f"{amounts.reason}, {money:.0%} with a currency or a percent sign")
    if seen.n_dates >= MOST * n:
        return Verdict(OTHER, _sure(0.8, n), "whole numbers that read as dates: year, month, day")
    if n >= 5 and one_length and length in (10, 13) and 1e9 <= least / 10 ** (length - 10) <= 2.1e9:
        return Verdict(OTHER, _sure(0.8, n), f"{length} digits each, in the range of times since 1970")
    if whole and n >= 10 and one_length and length >= 8 and never_again:
        return Verdict(OTHER, _sure(0.8, n), f"whole numbers of {length} digits that never repeat: ids")
    if whole and n >= 20 and one_length and length >= 5 and greatest > 5 * least and _fills(seen):
        return Verdict(OTHER, _sure(0.7, n), f"whole numbers of exactly {length} digits, from {least:.0f}: codes")
    # n draws out of a range of this size would repeat: the chance of none is exp(-n*n / (2*span)), here under 1 %.
    if whole and least >= 1000 and n >= 10 and seen.n_distinct == n and n * n / (2 * span) >= 5:
        return Verdict(
            OTHER, _sure(0.8, n), f"whole numbers that never repeat within a range of {span:.0f}: a sequence"
        )
    return amounts


def _fills(seen: Evidence) -> bool:
    """Whether numbers of one length lie all over it, as postal codes do; what is measured would spill over."""
    found = seen.quantiles((0.1, 0.9))
    return found is not None and found[1] > 3 * found[0]


def _ids(seen: Evidence, n: int, share: dict[str, float], ids: float) -> Verdict:
    strongest = max(shape.IDS, key=lambda form: share.get(form, 0))
    what = f"{ids:.0%} of the values are {shape.NAMES[strongest]}"
    if strongest not in (shape.DATE, shape.JSON) and _is_small(seen, n):
        return Verdict(ENUM, _sure(0.8, n), f"{what}, but only {seen.n_distinct} different ones in {n}")
    return Verdict(OTHER, _sure(ids, n), f"{what}: neither words nor amounts")


def _is_small(seen: Evidence, n: int) -> bool:
    """Whether a few values make up all: at most 50, each some ten times."""
    return seen.n_distinct <= 50 and n >= 10 * seen.n_distinct


def _same_length(seen: Evidence) -> bool:
    lengths = {len(value.text.strip()) for value in seen.values.values() if value.text}
    return len(lengths) == 1


def _enum_or_text(field: str, seen: Evidence, n: int, share: dict[str, float]) -> Verdict:
    """Weigh enum against text; what is neither (many different tokens) is other."""
    spoken = share.get(shape.SENTENCE, 0) + share.get(shape.PHRASE, 0)
    odds = sum(weight * share.get(form, 0) for form, weight in _SHAPE_ODDS.items()) + 3 * seen.kinds["boolean"] / n
    known = 1 - seen.n_once() / n
    # A few values that do not repeat say little against an enum; many say all.
    odds += 5 * min(math.log(n), 5) * (known - 0.6) if known > 0.6 else 5 * _above(math.log(n), 1.6) * (known - 0.6)
    once = seen.n_once(shape.SENTENCE)
    if once >= 3 and once >= 0.08 * n and 2 * once > share.get(shape.SENTENCE, 0) * n:
        odds -= 5.0
    most_values = 500 * (1 - spoken) + 200 * spoken
    if seen.n_distinct > most_values:
        odds -= 4 * math.log10(seen.n_distinct / most_values) + 1
    if seen.n_distinct > max(50, 0.25 * n):
        # Each sent twice, sentences never occur once; but options would by now have been seen many times.
        odds -= 12.0 * spoken
    if field.lower() in SPOKEN_FIELDS and n < 20:
        odds -= 3.0
    confidence = _sure(1 / (1 + math.exp(-abs(odds))), n)
    repeats = f"{seen.n_distinct} different values in {n}, about {1 - known:.0%} of what comes next is new"
    if odds > 0:
        return Verdict(ENUM, confidence, f"{repeats}: a set of options")
    if spoken >= 0.3 or (field.lower() in SPOKEN_FIELDS and share.get(shape.OPAQUE, 0) < 0.5):
        return Verdict(TEXT, confidence, f"{spoken:.0%} of the values are phrases or sentences; {repeats}")
    return Verdict(OTHER, confidence, f"{repeats}, and few have more than one word: neither options nor sentences")


def _above(value: float, floor: float) -> float:
    return max(min(value, 5.0) - floor, 0.0)


def _sure(strength: float, n: int) -> float:
    """Return the confidence: the strength of the evidence, less while little was seen."""
    return round(strength * n / (n + 1), 4)
