"""Numbers of cards and of bank accounts: by their issuer's or country's lengths, and by their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from turret_api.masking.iban_lengths import IBAN_LENGTHS
from turret_api.masking.kinds import CARD, IBAN, Found
from turret_api.masking.plain import IN_WORD, windows
from turret_api.masking.sieve import NUMBERS

_CARD = re.compile(
    rf"(?<!{IN_WORD})(?<!\d[.,])(?<!\d[ -])"
    r"(?:\d{4}(?:[ -]{1,2}\d{4}){3}"
    r"|\d{4}([ .-]?)\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ .-]?)\d{6}\2\d{4,5}|\d{4}([ .-])\d{4}\3\d{5}|\d{12,19})"
    rf"(?!{IN_WORD})(?![.,]\d)(?![ -]\d{{4}})"
)
_ISSUERS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14, 16)),
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
    ("3528", "3589", (16, 17, 18, 19)),
    ("1800", "1800", (15,)),
    ("2131", "2131", (15,)),
    ("6011", "6011", (16, 17, 18, 19)),
    ("644", "659", (16, 17, 18, 19)),
    ("60", "60", (16,)),
    ("62", "62", (16, 17, 18, 19)),
    ("81", "82", (16,)),
    ("508", "508", (16,)),
    ("2200", "2204", (16, 17, 18, 19)),
    ("9792", "9792", (16,)),
    ("5018", "5018", tuple(range(12, 20))),
    ("5020", "5020", tuple(range(12, 20))),
    ("5038", "5038", tuple(range(12, 20))),
    ("5893", "5893", tuple(range(12, 20))),
    ("6304", "6304", tuple(range(12, 20))),
    ("6759", "6763", tuple(range(12, 20))),
)
"""First digits from and to, and lengths: Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay, RuPay,
Mir, Troy, Maestro (en.wikipedia.org/wiki/Payment_card_number)."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_IBAN = re.compile(rf"(?<!(?!_){IN_WORD})(?<![^\W_][-])([A-Za-z]{{2}})(\d{{2}})(?=[ -]?[0-9A-Za-z])")
_IN_WORD = re.compile(rf"(?!_){IN_WORD}")
_CHARACTER = re.compile(r"[ -]?([0-9A-Za-z])")


def cards(text: str) -> Iterator[Found]:
    """Yield the card numbers: of an issuer, in a usual grouping, with a right check digit (Luhn)."""
    for start, end in windows(text, NUMBERS):
        for match in _CARD.finditer(text, start, end):
            if is_card(re.sub(r"\D", "", match[0])):
                yield Found(match.start(), match.end(), CARD)


def is_card(digits: str) -> bool:
    """Tell whether these digits may be the number of a card."""
    n = len(digits)
    if not 12 <= n <= 19 or len(set(digits)) < 2:
        return False
    if not any(n in lengths and first <= digits[: len(first)] <= last for first, last, lengths in _ISSUERS):
        return False
    own = sum(map(int, digits[-1::-2]))
    return (own + sum(_DOUBLED[int(each)] for each in digits[-2::-2])) % 10 == 0


def ibans(text: str) -> Iterator[Found]:
    """Yield the IBANs: of a country, as long as there, with a right checksum (ISO 7064, 97-10)."""
    for match in _IBAN.finditer(text):
        country = match[1].upper()
        length = IBAN_LENGTHS.get(country)
        if length is None:
            continue
        at, rest = match.end(), ""
        while len(rest) < length - 4 and (following := _CHARACTER.match(text, at)):
            rest += following[1]
            at = following.end()
        if len(rest) == length - 4 and _IN_WORD.match(text, at) is None and _has_97(rest.upper() + country + match[2]):
            yield Found(match.start(), at, IBAN)


def _has_97(text: str) -> bool:
    return int("".join(str(int(each, 36)) for each in text)) % 97 == 1
