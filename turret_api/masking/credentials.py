"""Passwords, keys and tokens: by how their makers begin them, by the words before them, and by how random they look.

Random to look at are many things that are no secret: ids, hashes, file names, pictures in base64. So what looks random
counts only with capitals, small letters and digits in a mix that no word has, and not behind the beginnings of ids.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import re2

from turret_api.masking.kinds import SECRET, Found
from turret_api.masking.signs import BEGINNINGS, LEAST_RANDOM, SAYS

_EDGE = r"(?:^|[^0-9A-Za-z])"
_MAKERS = (
    r"sk-(?:[a-z0-9]{2,12}-)*[0-9A-Za-z_-]{20,}|[spr]k_(?:live|test)_[0-9A-Za-z]{10,}"
    r"|gh[pousr]_[0-9A-Za-z]{30,}|github_pat_[0-9A-Za-z_]{20,}|gl[a-z]{2,4}-[0-9A-Za-z_.-]{20,}"
    r"|xox[a-z]-[0-9A-Za-z-]{10,}|xapp-[0-9A-Za-z-]{20,}|A(?:KI|SI)A[0-9A-Z]{16}\b|AIza[0-9A-Za-z_-]{35}"
    r"|ya29\.[0-9A-Za-z_-]{20,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*)?"
    r"|hf_[0-9A-Za-z]{30,}|npm_[0-9A-Za-z]{36}|pypi-[0-9A-Za-z_-]{40,}|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}"
    r"|do[opr]_v1_[0-9a-f]{64}|shp[a-z]{2}_[0-9a-fA-F]{32}|whsec_[0-9A-Za-z+/=]{20,}|lin_api_[0-9A-Za-z]{32,}"
    r"|ntn_[0-9A-Za-z]{40,}|r8_[0-9A-Za-z]{30,}|gsk_[0-9A-Za-z]{40,}|xai-[0-9A-Za-z]{40,}|pplx-[0-9A-Za-z]{40,}"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{50,}|t[wra]_[0-9A-Za-z]{38}\b|[0-9]{8,10}:[0-9A-Za-z_-]{35}\b"
    r"|key-[0-9a-f]{32}\b|dapi[0-9a-f]{32}|sq0[a-z]{3}-[0-9A-Za-z_-]{22,}|lsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"
    r"|tvly-[0-9A-Za-z-]{20,}|fc-[0-9a-f]{32}|hooks\.slack\.com/services/[0-9A-Za-z_/]{20,}"
    r"|discord(?:app)?\.com/api/webhooks/[0-9]+/[0-9A-Za-z_-]{30,}"
)
"""Keys and tokens of known makers."""
_KNOWN = re2.compile(f"{_EDGE}({_MAKERS})")
_IS_KNOWN = re2.compile(_MAKERS)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_MOST_PEM = 20_000
_IN_ADDRESS = re.compile(r"://([^\s/@:\"'<>]{0,100}:[^\s/@\"'<>]{1,200})(?=@[\w\[])")
_SCHEME = re2.compile(r"(?i)\b(?:bearer|basic|apikey|token)[ \t]+([0-9A-Za-z._~+/-]{16,}=*)")

SAID = (
    r"(?:(?:^|[^a-zA-Z])(?:pass|pwd?|token|cookie)|pass(?:word|wd|phrase|code|wort)"
    r"|密码|密碼|口令|パスワード|비밀번호|пароль"
    r"|kennwort|wachtwoord|mot de passe|contraseña|senha|secret(?:[ _-]?(?:access[ _-]?)?key)?"
    r"|client[ _-]?secret|api[ _-]?(?:key|token|secret)|access[ _-]?(?:key|token)|auth(?:entication)?[ _-]?token"
    r"|refresh[ _-]?token|id[ _-]?token|private[ _-]?key|account[ _-]?key|encryption[ _-]?key|signing[ _-]?key"
    r"|bearer|credentials?)"
)
_KEY = re.compile(rf"(?i)(?:^|[^a-z]|(?<=[a-z])(?=[A-Z])){SAID}$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PAIR = re2.compile(
    rf"(?i){SAID}\\?[\"'`]?\]?[ \t]{{0,3}}"
    r"(=>|:=|={1,2}|:|\bis\b(?: set to| now)?|\bwas\b|是|为|は)[ \t]{0,3}[*_`\"'\\]{0,3}([^\s\"'`,;<>\\]{4,})"
)
_NO_VALUE = re.compile(
    r"(?i)(?:none|null|nil|undefined|true|false|required|optional|string|str|text|bool|int|invalid|incorrect|wrong|"
    r"missing|empty|your[\w-]*|my[\w-]*|xxx+|\*+|\.\.\.|changeme|example|placeholder|redacted|hidden|masked|"
    r"os\.|process\.|env|config|settings|self|this|request|response|args|params|data|user|input|get|not\b|forgotten|"
    r"expired|reset|https?://|type|hash|field|generate|random|secrets?\.|[a-z_.]+\(|\$|\{|\[|\(|%|<)"
)
_RANDOM = re2.compile(r"(?:^|[^0-9A-Za-z+/=_-])([0-9A-Za-z_+]{24,}={0,2})")
_MOST_RANDOM = 200
_GOES_ON = frozenset("+/=_-")
_ID = re.compile(r"[A-Za-z]{2,12}[-_](?=[0-9A-Za-z]{8})|[0-9a-fA-F-]+$")
_SORTS = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))
_CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|[0-9](?=[A-Za-z])")
_WORDS = re.compile(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+|\d++|[_+-])++")
_LEAST_CHANGES = 0.3
_LEAST_BITS = 3.8


_SIGNS = re2.Set.SearchSet()
_KNOWN_SIGN, _SAID_SIGN = map(_SIGNS.Add, (f"{_EDGE}(?:{'|'.join(BEGINNINGS)})", f"(?i)(?:{SAYS})"))
_SIGNS.Compile()


@lru_cache(4096)
def is_said_by(key: str) -> bool:
    """Tell whether a field of this name holds a secret, as `password` and `clientSecret` do."""
    return _KEY.search(_CAMEL.sub("_", key)) is not None


def is_value(text: str) -> bool:
    """Tell whether a field that holds a secret holds one in `text`, rather than saying that it has none."""
    return 4 <= len(text) <= 4000 and " " not in text.strip() and _NO_VALUE.match(text) is None


def is_known(text: str) -> bool:
    """Tell whether a text is a key or a token of a known maker, and nothing else."""
    return _IS_KNOWN.fullmatch(text) is not None


def credentials(text: str) -> Iterator[Found]:
    """Yield the secrets; of an address its user and password, of a pair with a name its value alone."""
    signs = _SIGNS.Match(text) or ()
    if _KNOWN_SIGN in signs:
        yield from _known(text)
    if _SAID_SIGN in signs:
        yield from _said(text)
    if len(text) >= LEAST_RANDOM:
        yield from _random(text)


def _known(text: str) -> Iterator[Found]:
    """Yield keys and tokens of known makers, and private keys."""
    for match in _KNOWN.finditer(text):
        if not match[1].startswith("sk-") or any(map(str.isdigit, match[1])):
            yield Found(match.start(1), match.end(1), SECRET)
    for begin in _PEM.finditer(text):
        end = _PEM_END.search(text, begin.end(), begin.end() + _MOST_PEM)
        yield Found(begin.start(), end.end() if end else min(len(text), begin.end() + _MOST_PEM), SECRET)


def _said(text: str) -> Iterator[Found]:
    """Yield what words before it say to be a secret."""
    for match in _IN_ADDRESS.finditer(text):
        yield Found(match.start(1), match.end(1), SECRET)
    for match in _SCHEME.finditer(text):
        if any(map(str.isdigit, match[1])) or match[1].endswith("="):
            yield Found(match.start(1), match.end(1), SECRET)
    yield from _pairs(text)


def _random(text: str) -> Iterator[Found]:
    """Yield what looks random."""
    for match in _RANDOM.finditer(text):
        after = text[match.end() : match.end() + 1]
        goes_on = after.isalnum() or after in _GOES_ON or text.endswith("base64,", 0, match.start(1))
        if len(match[1]) <= _MOST_RANDOM and not goes_on and looks_random(match[1]):
            yield Found(match.start(1), match.end(1), SECRET)


def _pairs(text: str) -> Iterator[Found]:
    """Yield what is assigned to names of secrets, or said to be one."""
    for match in _PAIR.finditer(text):
        value = match[2]
        if text[match.end() : match.end() + 1] not in ('"', "'", "`", "\\"):
            value = value.rstrip(".)]}*_!?")
        is_assigned = "=" in match[1]
        if len(value) >= 4 and _NO_VALUE.match(value) is None and (is_assigned or _is_odd(value)):
            start = match.start(2)
            yield Found(start, start + len(value), SECRET)


def _is_odd(value: str) -> bool:
    """Tell whether a value is no word: it has a digit beside letters, or a mark within."""
    has_letter, has_digit = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    return has_letter and (has_digit or any(each in "!@#$%^&*?~" for each in value))


def looks_random(text: str) -> bool:
    """Tell whether 24 characters or more look drawn at random: three sorts, often changing, 3.8 bits a character."""
    if _ID.match(text) or _WORDS.fullmatch(text) or not all(sort.search(text) for sort in _SORTS):
        return False
    n = len(text)
    if len(_CHANGE.findall(text)) < _LEAST_CHANGES * n:
        return False
    return -sum(count / n * math.log2(count / n) for count in Counter(text).values()) >= _LEAST_BITS
