"""Which kinds may be in a text at all: one pass of an automaton, about 3 ns a byte, over the JSON of an event.

It is a sieve: what it lets through may be nothing, and the recognisers look closely; what it holds back is nothing to
any of them. RE2 takes time that is linear in the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import re2

from turret_api.masking import plain
from turret_api.masking.iban_lengths import IBAN_LENGTHS
from turret_api.masking.kinds import CARD, EMAIL, IBAN, IP, NATIONAL_ID, PHONE, SECRET

BEGINNINGS = (
    "sk-", "sk_", "pk_", "rk_", "gh[pousr]_", "github_pat_", "gl[a-z]{2,4}-", "xox[a-z]-", "xapp-", "A(?:KI|SI)A",
    "AIza", "ya29\\.", "eyJ", "-----BEGIN", "hf_", "npm_", "pypi-", "SG\\.", "do[opr]_v1_", "shp[a-z]{2}_", "whsec_",
    "lin_api_", "ntn_", "r8_", "gsk_", "xai-", "pplx-", "AGE-SECRET-KEY", "t[wra]_", "hooks\\.slack\\.com",
    "api/webhooks", "[0-9]{8}:[0-9A-Za-z_-]{30}", "AccountKey", "key-[0-9a-f]{32}", "dapi[0-9a-f]{32}", "sq0[a-z]{3}-",
    "lsv2_", "tvly-", "fc-[0-9a-f]{32}",
)  # fmt: skip
"""How keys and tokens of known makers begin."""

_DIGITS = r"[0-9](?:[ ./()\x{a0}-]{0,3}[0-9]){6}"
_LETTERED = (
    r"(?i)(?:[0-9]{6}[a-y+-][0-9]{3}|[a-z]{4}[0-9]{6}[a-z]{6}|[a-z]{5}[0-9]{4}[a-z]"
    r"|[a-z]{6}[0-9lmnp-v]{2}[abcdehlmprst][0-9lmnp-v]{2}[a-z][0-9lmnp-v]"
    r"|[a-z]{2}(?:[ -]?[0-9]{2}){3}[ -]?[a-d])"
)
NUMBERS = re.compile(r"[0-9](?:[ ./()-]{0,3}[0-9]){6}")
"""Seven digits, with little between them: what cards, phone numbers and most ids have."""
IDS_WITH_LETTERS = re2.compile(_LETTERED)
"""What the others have."""
SAYS_SECRET = (
    r"(?i)passw|passphrase|passcode|\bpwd|secret|api.?key|access.?key|private.?key|account.?key"
    r"|token[\\\"' ]{0,4}(?:[:=]|is |val)|bearer|basic |authorization|credential|://[^/\s\"]*:"
)
LOOKS_RANDOM = r"[0-9A-Za-z_+]{24}"
_LEAST_OF_IBAN = min(IBAN_LENGTHS.values()) - 4
"""Characters behind its country and its check digits."""
_NONE: frozenset[str] = frozenset()
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
    (r"@|%40", frozenset((EMAIL,))),
    (_DIGITS, frozenset((CARD, PHONE, NATIONAL_ID))),
    (f"{_EDGE}(?i)(?:{'|'.join(IBAN_LENGTHS)})[0-9]{{2}}(?:[ -]?[0-9a-z]){{{_LEAST_OF_IBAN}}}", frozenset((IBAN,))),
    (_EDGE + _LETTERED, frozenset((NATIONAL_ID,))),
    (r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|::|(?i)(?::[0-9a-f]{1,4}){5}", frozenset((IP,))),
    (f"{'|'.join(BEGINNINGS)}|{SAYS_SECRET}", frozenset((SECRET,))),
    (LOOKS_RANDOM, frozenset((SECRET,))),
)


_odd = re2.compile(_ODD)


class Sieve:
    """The automaton for some kinds; of_ids: what looks random is no secret, for ids do."""

    def __init__(self, kinds: Iterable[str], *, of_ids: bool = False) -> None:
        wanted = frozenset(kinds)
        self._kinds: list[frozenset[str]] = []
        self._set = re2.Set.SearchSet()
        for pattern, found in _PATTERNS:
            if found & wanted and not (of_ids and pattern == LOOKS_RANDOM):
                self._kinds.append(found & wanted)
                self._set.Add(pattern)
        self._set.Compile()

    def kinds_in(self, text: bytes) -> frozenset[str]:
        """Return the kinds that may be in a text or in JSON, in UTF-8."""
        if b"\\u" in text or (not text.isascii() and _odd.search(text)):
            text = plain.plain(text.decode()).text.encode()
        hits = self._set.Match(text)
        return _NONE if hits is None else _NONE.union(*[self._kinds[hit] for hit in hits])


@cache
def sieve_of(kinds: frozenset[str], *, of_ids: bool = False) -> Sieve:
    """Return the automaton for these kinds."""
    return Sieve(kinds, of_ids=of_ids)
