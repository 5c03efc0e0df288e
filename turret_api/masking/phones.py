"""Phone numbers: those that can be dialled by their country's plan (Google's libphonenumber).

Behind a country code a possible length is enough. Without one a number must be valid in one of `REGIONS`, and be
written as people write phone numbers, or stand behind a word such as "call": digits alone are more often a price, a
date or an order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import re2

from turret_api.masking.kinds import PHONE, Found
from turret_api.masking.plain import IN_WORD, said_before, windows
from turret_api.masking.sieve import NUMBERS

REGIONS = (
    "US", "GB", "DE", "FR", "IT", "ES", "NL", "BE", "CH", "AT", "PL", "SE", "NO", "DK", "FI", "PT", "IE", "AU", "NZ",
    "JP", "KR", "CN", "IN", "BR", "MX", "ZA", "TR", "ID",
)  # fmt: skip
"""Whose plans a number without a country code is held against."""
_RUN = re.compile(
    rf"(?<!{IN_WORD})(?<!%)(?<!\d[.,])(?<!\+)(?<![A-Za-z]-)(?<![A-Za-z]- )"
    rf"\+?\(?\d(?:[ .\-/()]{{0,3}}\d){{6,17}}(?!{IN_WORD}(?<!x)|x(?!\d))(?![.,]\d)"
)
_GROUP = re.compile(r"\d+")
_SAID = re2.compile(
    r"(?i)(?:phone|\btel\b|\bcall\b|\bcell\b|mobile?\b|mobil|whats ?app|\bsms\b|\bfax\b|\btext me|handy|telefon|"
    r"téléphone|\bportable|móvil|teléfono|celular|telefono|cellulare|telefoon|numer|reach (?:me|us)|contact|dial|"
    r"電話|电话|手机|手機|携帯|联系|聯繫|전화|연락처|휴대폰|телефон|☎|📞|\bring\b|hotline)"
)
_NOT_SAID = re2.compile(
    r"(?i)(?:isbn|issn|order|invoice|ticket|\bid\b|\bno\.?|number of|version|iban|sku|ref|#)\W{0,12}$"
)
_CONTEXT = 35
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{4}|\d{4}([./-])\d{1,2}\2\d{1,2}")
_BRACKETED = re.compile(r"\([1-9]\d{1,2}\) ?\d{3,5}-\d{4}")
"""As nothing but phone numbers of America is written, also in areas that nobody has: (555) 123-4567."""
_DECIMAL = re.compile(r"(?:^|[ /-])0(?:[ .]|$)")
_EXTENSION = re.compile(r" ?(?:x|ext\.?|extension) ?\d{1,6}(?!\w)", re.IGNORECASE)
_MOST_GROUPS = 7
_MOST_ASKED = 100
"""Numbers of a text that are held against plans; further ones that look like phone numbers are taken for some."""


def phones(text: str, key: str = "") -> Iterator[Found]:
    """Yield the phone numbers; `key`: the name of the field, which may say that it holds one."""
    n_asked = 0
    runs = (run for window in windows(text, NUMBERS) for run in _RUN.finditer(text, *window))
    for run in runs:
        before = said_before(text, run.start(), _CONTEXT, key)
        is_said = _SAID.search(before) is not None
        if not is_said and _NOT_SAID.search(before):
            continue
        n_asked += 1
        groups = [(each.start() + run.start(), each.end() + run.start()) for each in _GROUP.finditer(run[0])]
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
                if _is_phone(text[start:end], is_said, n_asked > _MOST_ASKED):
                    extension = _EXTENSION.match(text, end)
                    yield Found(start, extension.end() if extension else end, PHONE)
                    first = last - 1
                    break
            first += 1


def _is_phone(written: str, is_said: bool, is_enough: bool) -> bool:
    """Tell whether a number is a phone number; is_enough: by its look alone."""
    digits = re.sub(r"\D", "", written)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or written.count("(") != written.count(")"):
        return False
    if written.startswith("+"):
        return _is_possible(re.sub(r"\D", "", written.replace("(0)", "")))
    if written.startswith("00") and _is_possible(digits[2:]):
        return is_said or " " in written or "-" in written or len(digits) > 11
    if _DATE.match(written) or _DECIMAL.search(written):
        return False
    if _BRACKETED.fullmatch(written) is not None:
        return True
    groups = tuple(len(each) for each in _GROUP.findall(written))
    if is_said:
        return is_enough or any(_is_valid(written, region) for region in REGIONS)
    if groups in ((3, 3, 4), (1, 3, 3, 4)) and ("(" in written or "-" in written or "." in written):
        return is_enough or _is_valid(written, "US")
    if not digits.startswith("0") or not 9 <= len(digits) <= 12:
        return False
    if len(groups) == 1:
        return is_enough or any(_is_valid(written, region, is_mobile=True) for region in REGIONS)
    return max(groups) >= 2 and (is_enough or any(_is_valid(written, region) for region in REGIONS))


def _is_possible(digits: str) -> bool:
    """Tell whether digits begin with a country's code and are as many as its numbers have."""
    plans = _plans()
    for n in (1, 2, 3):
        code = int(digits[:n])
        if code in plans.COUNTRY_CODE_TO_REGION_CODE and digits[0] != "0":
            rest = digits[n:]
            number = plans.PhoneNumber(code, int(rest or 0), italian_leading_zero=rest.startswith("0"))
            return bool(plans.is_possible_number_with_reason(number) == plans.ValidationResult.IS_POSSIBLE)
    return False


def _is_valid(written: str, region: str, *, is_mobile: bool = False) -> bool:
    """Tell whether a number without a country code is one of a region."""
    plans = _plans()
    try:
        number = plans.parse(written, region)
    except plans.NumberParseException:
        return False
    if not plans.is_valid_number_for_region(number, region):
        return False
    return not is_mobile or bool(plans.number_type(number) == plans.PhoneNumberType.MOBILE)


@cache
def _plans() -> ModuleType:
    """Return the library of plans, which takes 5 MiB, only where phones are looked for."""
    import phonenumbers

    return phonenumbers
