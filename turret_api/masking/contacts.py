"""E-mail addresses and phone numbers.

A phone number is one that can be dialled by its country's plan (Google's libphonenumber). Without a country code it
must also be written as people write phone numbers, or stand behind a word such as "call": digits alone are more often
a price, a date or an order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from types import ModuleType

import re2

from turret_api.masking.kinds import EMAIL, PHONE, Found
from turret_api.masking.plain import said_before, windows
from turret_api.masking.sieve import NUMBERS

_AT = re.compile("@|%40")
_LOCAL = re.compile(r"[\w.+%'~-]{1,64}\Z")
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[0-9a-z-]{2,59}|[^\W\d_]{2,24})(?![\w])|\[(?:\d{1,3}\.){3}\d{1,3}\]"
)
_MOST_LOCAL = 64
_NOT_PEOPLE = ("git",)
"""Names before the @ that are a place in code: git@github.com:owner/name."""
_FILES = re.compile(r"\d(?:\.\d)?x\.[a-z]{3,4}$")
"""logo@2x.png."""

REGIONS = (
    "US", "GB", "DE", "FR", "IT", "ES", "NL", "BE", "CH", "AT", "PL", "SE", "NO", "DK", "FI", "PT", "IE", "AU", "NZ",
    "JP", "KR", "CN", "IN", "BR", "MX", "ZA", "TR", "ID",
)  # fmt: skip
"""Whose plans a number without a country code is held against."""
_RUN = re.compile(
    r"(?<![\w%])(?<!\d[.,])(?<!\+)(?<![A-Za-z]-)(?<![A-Za-z]- )"
    r"\+?\(?\d(?:[ .\-/()]{0,3}\d){6,17}(?!\w)(?![.,]\d)"
)
_GROUP = re.compile(r"\d+")
_SAID = re2.compile(
    r"(?i)(?:phone|\btel\b|\bcall\b|\bcell\b|mobile?\b|mobil|whats ?app|\bsms\b|\bfax\b|\btext me|handy|telefon|"
    r"téléphone|\bportable|móvil|teléfono|celular|telefono|cellulare|telefoon|numer|reach (?:me|us)|contact|dial|"
    r"電話|电话|手机|전화|☎|📞|\bring\b|hotline)"
)
_NOT_SAID = re2.compile(
    r"(?i)(?:isbn|issn|order|invoice|ticket|\bid\b|\bno\.?|number of|version|iban|sku|ref|#)\W{0,12}$"
)
_CONTEXT = 35
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{4}|\d{4}([./-])\d{1,2}\2\d{1,2}")
_DECIMAL = re.compile(r"(?:^|[ /-])0(?:[ .]|$)")
_MOST_GROUPS = 7


def emails(text: str) -> Iterator[Found]:
    """Yield the e-mail addresses, also of other scripts, with `%40` for the @ as addresses of pages have it."""
    behind = 0
    for at in _AT.finditer(text):
        start, end = at.start(), at.end()
        local = _LOCAL.search(text[max(behind, start - _MOST_LOCAL) : start])
        domain = _DOMAIN.match(text, end)
        if local is None or domain is None:
            continue
        name = local[0].lstrip("'.%-").rstrip("'.")
        if not name or name.lower() in _NOT_PEOPLE or _FILES.match(domain[0]):
            continue
        behind = domain.end()
        yield Found(start - len(local[0]) + local[0].index(name), behind, EMAIL)


def phones(text: str, key: str = "", regions: Iterable[str] = REGIONS) -> Iterator[Found]:
    """Yield the phone numbers; `key`: the name of the field, which may say that it holds one."""
    runs = (run for window in windows(text, NUMBERS) for run in _RUN.finditer(text, *window))
    for run in runs:
        groups = [(each.start() + run.start(), each.end() + run.start()) for each in _GROUP.finditer(run[0])]
        before = said_before(text, run.start(), _CONTEXT, key)
        is_said = _SAID.search(before) is not None
        if not is_said and _NOT_SAID.search(before):
            continue
        first = 0
        while first < len(groups):
            start = groups[first][0]
            if first and " " not in text[groups[first - 1][1] : start]:
                first += 1
                continue
            if text[start - 1 : start] == "(":
                start -= 1
            if text[start - 1 : start] == "+":
                start -= 1
            for last in range(min(len(groups), first + _MOST_GROUPS), first, -1):
                end = groups[last - 1][1]
                if _is_phone(text[start:end], is_said, tuple(regions)):
                    yield Found(start, end, PHONE)
                    first = last - 1
                    break
            first += 1


def _is_phone(written: str, is_said: bool, regions: tuple[str, ...]) -> bool:
    digits = re.sub(r"\D", "", written)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or written.count("(") != written.count(")"):
        return False
    if written.startswith("+"):
        return _can_be_dialled(written, None)
    if digits.startswith("00") and _can_be_dialled("+" + digits[2:], None):
        return is_said or " " in written or "-" in written or len(digits) > 11
    if _DATE.match(written) or _DECIMAL.search(written):
        return False
    groups = tuple(len(each) for each in _GROUP.findall(written))
    if is_said:
        return any(_can_be_dialled(written, region) for region in regions)
    if groups in ((3, 3, 4), (1, 3, 3, 4)) and ("(" in written or "-" in written or "." in written):
        return _can_be_dialled(written, "US")
    if not digits.startswith("0") or not 9 <= len(digits) <= 12:
        return False
    if len(groups) == 1:
        return any(_can_be_dialled(written, region, is_mobile=True) for region in regions)
    return max(groups) >= 2 and any(_can_be_dialled(written, region) for region in regions)


def _can_be_dialled(written: str, region: str | None, *, is_mobile: bool = False) -> bool:
    plans = _plans()
    try:
        number = plans.parse(written, region)
    except plans.NumberParseException:
        return False
    if not plans.is_possible_number(number) or number.country_code == 0:
        return False
    if region is None:
        return bool(plans.is_valid_number(number))
    if not plans.is_valid_number_for_region(number, region):
        return False
    if is_mobile:
        return bool(plans.number_type(number) == plans.PhoneNumberType.MOBILE)
    return True


@cache
def _plans() -> ModuleType:
    """Return the library of plans, which takes 5 MiB, only where phones are looked for."""
    import phonenumbers

    return phonenumbers
