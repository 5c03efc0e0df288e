"""The verdict: from evidence to text, enum, number or other, with a confidence and a reason in words.

The order of questions: is there anything; lists and objects; is it plainly speech; numbers (and among them versions,
postcodes and ids that only look like numbers); yes and no; ids, dates, measures and addresses; names of people; then
enum against text. The last is weighed in log odds from two things. Shape: a single word speaks for an enum, a sentence
for text. Repetition: the share of values that occurred once estimates how much of what comes next is new (Good, "The
population frequencies of species", Biometrika 40, 1953); an enum is soon seen whole, text never.

But what people say repeats too, however open it is: greetings, buttons, a set of questions that is sent every night. So
many different sentences are text whatever share of the values repeats, and so are sentences of which most are still
unseen, as those that were seen once and twice tell (Chao, Scandinavian Journal of Statistics 11, 1984). The constants
are ours, set on the traps in the tests and on public conversations.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from turret_pipeline.analysis.fields import shapes as shape
from turret_pipeline.analysis.fields.evidence import GONE, GONE_TEXT, Evidence
from turret_pipeline.semantics.field_names import ADDRESS, FULL_NAME, ONE_NAME, POSTCODE, ROLE, SPOKEN, VERSION, hint_of

TEXT, ENUM, NUMBER, OTHER = "text", "enum", "number", "other"
TYPES = (TEXT, ENUM, NUMBER, OTHER)

MOST = 0.9
"""Share of the values from which a field is of the kind that they are; the rest are slips."""

MANY_SENTENCES = 100
FEW_SENTENCES = 20
"""Different sentences from which a field is text: one of any name, and one that is called as what people say is."""

_SHAPE_ODDS = {
    shape.BOOLEAN: 3.0,
    shape.WORD: 2.0,
    shape.VERSION: 1.5,
    shape.OPAQUE: 1.0,
    shape.REFERENCE: 1.0,
    shape.NAME: 0.5,
    shape.PERSON: 0.5,
    shape.NUMBER: 1.0,
    shape.PHRASE: 0.5,
    shape.SENTENCE: -2.0,
}


_VERSION = re.compile(r"v?\d{1,4}(?:\.\d{1,3})?")
_TENTH = re.compile(r"\d+\.[1-9]0")


@dataclass(frozen=True)
class Verdict:
    """A type, how sure (0 to 1), and why.

    personal: the values are names, postal or e-mail addresses of people. established: so many different sentences were
    seen that no repetition makes the field an enum.
    """

    type: str
    confidence: float
    reason: str
    personal: bool = False
    established: bool = False


def judge(field: str, seen: Evidence) -> Verdict:
    """Return the type that the values of `field` show."""
    n_blank = seen.shapes[shape.BLANK] + seen.shapes[shape.NULLISH]
    n = seen.n - seen.kinds["null"] - n_blank - seen.unread.total()
    if n <= 0 < seen.unread[GONE_TEXT]:
        return Verdict(TEXT, _sure(1, seen.unread[GONE_TEXT]), "its values are gone; they were text", established=True)
    if n <= 0 < seen.unread[GONE]:
        return Verdict(OTHER, 0.0, "its values are gone")
    if n <= 0 < seen.unread.total():
        return Verdict(OTHER, 0.0, "its values could not be looked into")
    if n <= 0:
        return Verdict(OTHER, 0.0, "no values yet, only null or blank")
    hint = hint_of(field)
    share = {form: count / n for form, count in seen.shapes.items() if form not in (shape.BLANK, shape.NULLISH)}
    nested = (seen.kinds["list"] + seen.kinds["object"]) / n
    if nested >= 0.5:
        return Verdict(OTHER, _sure(nested, n), f"{nested:.0%} of the values are lists or objects")
    numeric = (seen.kinds["number"] + sum(seen.shapes[form] for form in shape.NUMERIC)) / n
    ids = sum(share.get(form, 0) for form in shape.IDS)
    if hint == SPOKEN and max(numeric, ids) < 0.5 and _is_speech(seen, n, hint):
        return _text(seen, n, share, hint)
    versions = share.get(shape.VERSION, 0)
    if numeric >= MOST and versions < 0.05:
        return _number(seen, n, numeric, hint)
    if numeric + versions >= MOST:
        return Verdict(ENUM, _sure(numeric + versions, n), f"{numeric + versions:.0%} of the values are versions")
    yes_no = (seen.kinds["boolean"] + seen.shapes[shape.BOOLEAN]) / n
    if yes_no >= MOST and (seen.kinds["boolean"] or hint != SPOKEN or n >= 20):
        return Verdict(ENUM, _sure(yes_no, n), f"{yes_no:.0%} of the values are yes or no")
    people = _people(seen, n, share, hint)
    if people and (hint != SPOKEN or n >= FEW_SENTENCES):
        return people
    # "5 minutes" or "on March 3rd" is an answer too: where people talk, a few such do not make a column of them.
    answers = sum(share.get(form, 0) for form in (shape.DATE, shape.MEASURE, shape.ADDRESS))
    if ids >= 0.7 and (hint != SPOKEN or n >= FEW_SENTENCES or answers < 0.5 * ids):
        return _ids(seen, n, share, ids)
    codes = ids + numeric + (share.get(shape.REFERENCE, 0) + share.get(shape.OPAQUE, 0) if hint == POSTCODE else 0)
    if hint == POSTCODE and codes >= 0.7:
        return _ids(seen, n, {shape.CODE: codes}, codes)
    coded = seen.shapes[shape.CODE] and _same_length(seen) and ids + numeric >= MOST
    if coded:
        return _ids(seen, n, share, ids + numeric)
    words = 1 - numeric - ids - nested
    if numeric > 0.2 and words > 0.1 and not _is_small(seen, n):
        return Verdict(OTHER, _sure(0.7, n), f"mixed: {numeric:.0%} numbers, {words:.0%} words")
    if min(ids, words) >= 0.4 and n >= 10 and not _is_small(seen, n):
        return Verdict(OTHER, _sure(0.7, n), f"mixed: {ids:.0%} ids, dates or addresses, {words:.0%} words")
    if _is_speech(seen, n, hint):
        return _text(seen, n, share, hint)
    return _enum_or_text(hint, seen, n, share)


def _people(seen: Evidence, n: int, share: dict[str, float], hint: str | None) -> Verdict | None:
    """Return the verdict that the values are names or postal addresses of people, or None if they are not."""
    addresses = share.get(shape.ADDRESS, 0)
    words = (*shape.PHRASES, shape.SENTENCE, shape.REFERENCE, shape.OPAQUE)
    said = addresses + sum(share.get(form, 0) for form in words)
    if addresses >= 0.7 or (hint == ADDRESS and said >= 0.7):
        strength = max(addresses, said)
        reason = f"{strength:.0%} of the values are postal addresses: personal"
        return Verdict(OTHER, _sure(strength, n), reason, personal=True)
    known, alike = share.get(shape.PERSON, 0), share.get(shape.PERSON, 0) + share.get(shape.NAME, 0)
    if hint == ONE_NAME:
        alike += share.get(shape.WORD, 0) + share.get(shape.PHRASE, 0)
    # Who does something is not always a person, and a few products may bear the names of people.
    enough = {FULL_NAME: 0.0, ONE_NAME: 0.0, ROLE: 0.3 if n >= 20 else 0.5, None: 0.6}.get(hint, 2.0)
    if known < enough or alike < 0.6:
        return None
    few = len([value for value in seen.values.values() if value.shape == shape.PERSON]) < 3
    if few and (hint is None or (hint == ROLE and known < MOST)):
        return None
    return Verdict(OTHER, _sure(alike, n), f"{alike:.0%} of the values are names of people: personal", personal=True)


def _number(seen: Evidence, n: int, numeric: float, hint: str | None) -> Verdict:
    """Numbers, unless they are versions, codes or ids: their digits, not their size, then carry the meaning."""
    if hint == POSTCODE:
        return _ids(seen, n, {shape.CODE: numeric}, numeric)
    if _are_versions(seen, n, hint):
        return Verdict(ENUM, _sure(numeric, n), f"{numeric:.0%} of the values are versions: 3.10 is not 3.1")
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


def _are_versions(seen: Evidence, n: int, hint: str | None) -> bool:
    """Whether numbers with a point are versions: few, and written as no amount is.

    Amounts have one number of decimals, or none that is a zero at the end; beside 3.9, 3.10 is the tenth after 3.0.
    """
    texts = [value.text for value in seen.values.values() if value.text and value.shape == shape.NUMBER]
    if not seen.is_exact or len(texts) > 200 or not all(_VERSION.fullmatch(text) for text in texts):
        return False
    pointed = [text for text in texts if "." in text]
    if hint == VERSION:
        return 2 * len(pointed) >= len(texts) or seen.n_distinct <= max(1.0, n / 3)
    decimals = {len(text.partition(".")[2]) for text in pointed}
    if seen.kinds["number"] or decimals != {1, 2} or seen.n_distinct > min(max(20, n / 5), n / 2):
        return False
    return any(_TENTH.fullmatch(text) for text in pointed)


def _fills(seen: Evidence) -> bool:
    """Whether numbers of one length lie all over it, as postal codes do; what is measured would spill over."""
    found = seen.quantiles((0.1, 0.9))
    return found is not None and found[1] > 3 * found[0]


def _ids(seen: Evidence, n: int, share: dict[str, float], ids: float) -> Verdict:
    strongest = max(shape.IDS, key=lambda form: share.get(form, 0))
    what = f"{ids:.0%} of the values are {shape.NAMES[strongest]}"
    if strongest not in (shape.DATE, shape.JSON, shape.EMAIL, shape.ADDRESS) and _is_small(seen, n):
        return Verdict(ENUM, _sure(0.8, n), f"{what}, but only {seen.n_distinct} different ones in {n}")
    if strongest == shape.EMAIL:
        return Verdict(OTHER, _sure(ids, n), f"{what}: personal", personal=True)
    return Verdict(OTHER, _sure(ids, n), f"{what}: neither words nor plain amounts")


def _is_small(seen: Evidence, n: int) -> bool:
    """Whether a few values make up all: at most 50, each some ten times."""
    return seen.n_distinct <= 50 and n >= 10 * seen.n_distinct


def _same_length(seen: Evidence) -> bool:
    lengths = {len(value.text.strip()) for value in seen.values.values() if value.text}
    return len(lengths) == 1


def _is_speech(seen: Evidence, n: int, hint: str | None) -> bool:
    """Whether so many different sentences were seen, or are still to come, that no repetition makes options of them."""
    if _n_sentences(seen, hint) >= _enough_sentences(n, hint):
        return True
    sentences = seen.n_of(shape.SENTENCE)
    once, twice = seen.n_of(shape.SENTENCE, count=1), seen.n_of(shape.SENTENCE, count=2)
    unseen = once * (once - 1) / (2 * (twice + 1))
    return n >= FEW_SENTENCES and once >= (3 if hint == SPOKEN else max(5, 0.02 * n)) and unseen > sentences


def _n_sentences(seen: Evidence, hint: str | None) -> float:
    """Return the number of different sentences; short phrases count for less, as options are often such."""
    return seen.n_of(shape.SENTENCE) + (0.5 if hint == SPOKEN else 0.1) * seen.n_of(*shape.PHRASES)


def _enough_sentences(n: int, hint: str | None) -> int:
    return FEW_SENTENCES if hint == SPOKEN and n >= FEW_SENTENCES else MANY_SENTENCES


def _text(seen: Evidence, n: int, share: dict[str, float], hint: str | None) -> Verdict:
    spoken = share.get(shape.SENTENCE, 0) + sum(share.get(form, 0) for form in shape.PHRASES)
    many = _n_sentences(seen, hint)
    reason = f"{many:.0f} different sentences, {spoken:.0%} of the values are phrases or sentences"
    return Verdict(TEXT, _sure(0.95, n), reason, established=many >= _enough_sentences(n, hint))


def _enum_or_text(hint: str | None, seen: Evidence, n: int, share: dict[str, float]) -> Verdict:
    """Weigh enum against text; what is neither (many different tokens) is other."""
    spoken = share.get(shape.SENTENCE, 0) + sum(share.get(form, 0) for form in shape.PHRASES)
    odds = sum(weight * share.get(form, 0) for form, weight in _SHAPE_ODDS.items()) + 3 * seen.kinds["boolean"] / n
    known = 1 - seen.n_of(count=1) / n
    # A few values that do not repeat say little against an enum; many say all.
    odds += 5 * min(math.log(n), 5) * (known - 0.6) if known > 0.6 else 5 * _above(math.log(n), 1.6) * (known - 0.6)
    once = seen.n_of(shape.SENTENCE, count=1)
    if once >= 3 and once >= 0.08 * n and 2 * once > share.get(shape.SENTENCE, 0) * n:
        odds -= 5.0
    most_values = 500 * (1 - spoken) + 200 * spoken
    if seen.n_distinct > most_values:
        odds -= 4 * math.log10(seen.n_distinct / most_values) + 1
    if seen.n_distinct > max(50, 0.25 * n):
        # Each sent twice, sentences never occur once; but options would by now have been seen many times.
        odds -= 12.0 * spoken
    if hint == SPOKEN and n < FEW_SENTENCES:
        odds -= 3.0
    confidence = _sure(1 / (1 + math.exp(-abs(odds))), n)
    repeats = f"{seen.n_distinct} different values in {n}, about {1 - known:.0%} of what comes next is new"
    if odds > 0:
        return Verdict(ENUM, confidence, f"{repeats}: a set of options")
    if spoken >= 0.3 or (hint == SPOKEN and max(share.get(form, 0) for form in (shape.OPAQUE, shape.REFERENCE)) < 0.5):
        return Verdict(TEXT, confidence, f"{spoken:.0%} of the values are phrases or sentences; {repeats}")
    return Verdict(OTHER, confidence, f"{repeats}, and few have more than one word: neither options nor sentences")


def _above(value: float, floor: float) -> float:
    return max(min(value, 5.0) - floor, 0.0)


def _sure(strength: float, n: int) -> float:
    """Return the confidence: the strength of the evidence, less while little was seen."""
    return round(strength * n / (n + 1), 4)
