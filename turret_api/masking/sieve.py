"""Which kinds may be in a text at all: one pass of an automaton, about 3 ns a byte, over the JSON of an event.

It is a sieve: what it lets through may be nothing, and the recognisers look closely; what it holds back is nothing to
any of them. RE2 takes time that is linear in the text, whatever the text is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate

import re2

from turret_api.masking import gate, plain
from turret_api.masking.iban_lengths import IBAN_LENGTHS
from turret_api.masking.kinds import CARD, EMAIL, IBAN, IP, NATIONAL_ID, PHONE, SECRET
from turret_api.masking.signs import BEGINNINGS, SAYS, random_run, runs_of

_DIGITS = r"(?:[XYZxyz][ -]?)?[0-9](?:[ ./()-]{0,3}[0-9]){6}"
_LETTERED = (
    r"(?i)(?:[0-9]{6}[a-y+-][0-9]{3}|[a-z]{4}[0-9]{6}[a-z]{6}|[a-z]{5}[0-9]{4}[a-z]"
    r"|[a-z]{6}[0-9lmnp-v]{2}[abcdehlmprst][0-9lmnp-v]{2}[a-z][0-9lmnp-v]"
    r"|[a-z]{2}(?:[ -]?[0-9]{2}){3}[ -]?[a-d])"
)
NUMBERS = re.compile(r"[0-9](?:[ ./()-]{0,3}[0-9]){6}")
"""Seven digits, with little between them: what cards, phone numbers and most ids have."""
IDS_WITH_LETTERS = re2.compile(_LETTERED)
"""What the others have."""
_NONE: frozenset[str] = frozenset()
_SECRETS = frozenset((SECRET,))
_ODD = (
    f"[0-9)][ ./()-]{{0,2}}[{plain.DASHES}{plain.SPACES}]|[0-9a-fA-F:]\uff1a"
    f"|[{plain.NO_WIDTH}\ufe6b\uff0b\uff0d-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a"
    + "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in plain.ZEROS)
    + "]"
)
"""Characters that are read as others, where that may make a number or an address: a dash between words does not."""
_EDGE = r"(?:^|[^0-9A-Za-z]|\\[nrtbf]|\\u[0-9a-f]{4})"
"""The beginning of a word, also behind what JSON makes of the end of a line."""

_PATTERNS: tuple[tuple[str, frozenset[str]], ...] = (
    (r"@|%40|&#0*64;|&#[xX]0*40;|&(?i:commat);", frozenset((EMAIL,))),
    (_EDGE + _DIGITS, frozenset((CARD, PHONE, NATIONAL_ID))),
    (f"{_EDGE}(?i)(?:{'|'.join(IBAN_LENGTHS)})[0-9]{{2}}(?:[ -]?[0-9a-z]){{2}}", frozenset((IBAN,))),
    (_EDGE + _LETTERED, frozenset((NATIONAL_ID,))),
    (r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|::|(?i)(?::[0-9a-f]{1,4}){5}", frozenset((IP,))),
    (f"{_EDGE}(?:{'|'.join(BEGINNINGS)})|(?i)(?:{SAYS})", frozenset((SECRET,))),
)
"""None has a long count, as of the characters of a key: automata would have a state for each combination of counts."""

_odd = re2.compile(_ODD)


class Sieve:
    """The automata for some kinds; of_ids: what looks random is no secret, for ids do."""

    def __init__(self, kinds: Iterable[str], *, of_ids: bool = False) -> None:
        wanted = frozenset(kinds)
        patterns = [(pattern, found & wanted) for pattern, found in _PATTERNS if found & wanted]
        self._kinds = [found for _, found in patterns]
        self._set = re2.Set.SearchSet()
        for pattern, _ in patterns:
            self._set.Add(pattern)
        self._set.Compile()
        odd = (_ODD, r"\\u[0-9a-fA-F]{4}")
        self._any = re2.compile(
            "|".join(f"(?:{each})" for each in (*odd, *(pattern for pattern, _ in patterns))).encode()
        )
        self._random = wanted & _SECRETS if not of_ids else _NONE

    def kinds_in(self, text: bytes) -> frozenset[str]:
        """Return the kinds that may be in a text or in JSON, in UTF-8."""
        if b"\\u" in text or (not text.isascii() and _odd.search(text) is not None):
            text = plain.plain(text.decode()).text.encode()
        found = self._random if self._random and random_run(runs_of(text)) >= 0 else _NONE
        return found.union(*[self._kinds[hit] for hit in self._set.Match(text) or ()])

    def may_hold(self, text: bytes) -> bool:
        """Tell whether there may be something in a text or in JSON; of a short one other threads need not wait."""
        if len(text) <= gate.MOST and text.isascii() and b"\\u" not in text and not gate.lets_through(text):
            return False
        return bool(self.kinds_in(text))

    def holding(self, texts: Sequence[bytes]) -> list[int]:
        """Return, in order, the indexes of the texts, or JSON, in which there may be something; one look at all."""
        joined = b"\n".join(texts)
        ends = list(accumulate(len(text) + 1 for text in texts))
        found: set[int] = set()
        at = 0
        while at < len(joined) and (match := self._any.search(joined, at)) is not None:
            number = bisect_right(ends, match.end() - 1)
            found.add(number)
            at = ends[number] - 1  # the end of a line, which may be the edge of a word
        runs = runs_of(joined) if self._random else b""
        at = random_run(runs)
        while at >= 0:
            number = bisect_right(ends, at)
            found.add(number)
            at = random_run(runs, ends[number])
        return sorted(found)


@cache
def sieve_of(kinds: frozenset[str], *, of_ids: bool = False) -> Sieve:
    """Return the automata for these kinds."""
    return Sieve(kinds, of_ids=of_ids)
