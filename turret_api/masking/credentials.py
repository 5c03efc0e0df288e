"""Passwords, keys and tokens: by how their makers begin them, by the words before them, and by how random they look.

Random to look at are many things that are no secret: ids, hashes, file names, pictures in base64. So what looks random
counts only with capitals, small letters and digits in a mix that no word has, and not behind the beginnings of ids.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from turret_api.masking.kinds import SECRET, Found

_KNOWN = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"sk-(?:[a-z0-9]{2,12}-)*[0-9A-Za-z_-]{20,250}|[spr]k_(?:live|test)_[0-9A-Za-z]{10,250}"
    r"|gh[pousr]_[0-9A-Za-z]{30,255}|github_pat_[0-9A-Za-z_]{20,255}|gl[a-z]{2,4}-[0-9A-Za-z_.-]{20,250}"
    r"|xox[a-z]-[0-9A-Za-z-]{10,250}|xapp-[0-9A-Za-z-]{20,250}|A(?:KI|SI)A[0-9A-Z]{16}(?![0-9A-Za-z])"
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,1000}|eyJ[0-9A-Za-z_-]{8,4000}\.[0-9A-Za-z_-]{8,8000}(?:\.[0-9A-Za-z_-]{0,2000})?"
    r"|hf_[0-9A-Za-z]{30,60}|npm_[0-9A-Za-z]{36}|pypi-[0-9A-Za-z_-]{40,500}|SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{16,64}"
    r"|do[opr]_v1_[0-9a-f]{64}|shp[a-z]{2}_[0-9a-fA-F]{32}|whsec_[0-9A-Za-z+/=]{20,100}|lin_api_[0-9A-Za-z]{32,64}"
    r"|ntn_[0-9A-Za-z]{40,60}|r8_[0-9A-Za-z]{30,50}|gsk_[0-9A-Za-z]{40,80}|xai-[0-9A-Za-z]{40,120}"
    r"|pplx-[0-9A-Za-z]{40,80}|AGE-SECRET-KEY-1[0-9A-Z]{50,70}|t[wra]_[0-9A-Za-z]{38}(?![0-9A-Za-z])"
    r"|[0-9]{8,10}:[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])|key-[0-9a-f]{32}(?![0-9a-f])|dapi[0-9a-f]{32}"
    r"|sq0[a-z]{3}-[0-9A-Za-z_-]{22,50}|lsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}|tvly-[0-9A-Za-z-]{20,60}|fc-[0-9a-f]{32}"
    r"|hooks\.slack\.com/services/[0-9A-Za-z_/]{20,120}|discord(?:app)?\.com/api/webhooks/[0-9]+/[0-9A-Za-z_-]{30,100}"
    r")"
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_MOST_PEM = 20_000
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@:\"'<>]{0,100}:[^\s/@\"'<>]{1,200}(?=@[\w\[])")
_SCHEME = re.compile(r"(?i)\b(?:bearer|basic|apikey|token)[ \t]+([0-9A-Za-z._~+/-]{16,2000}=*)")

SAID = (
    r"(?:(?<![a-zA-Z])pass|pass(?:word|wd|phrase|code|wort)|(?<![a-zA-Z])pwd|kennwort|mot de passe|contraseña|senha"
    r"|secret(?:[ _-]?(?:access[ _-]?)?key)?"
    r"|client[ _-]?secret|api[ _-]?(?:key|token|secret)|access[ _-]?(?:key|token)|auth(?:entication)?[ _-]?token"
    r"|refresh[ _-]?token|id[ _-]?token|private[ _-]?key|account[ _-]?key|encryption[ _-]?key|signing[ _-]?key"
    r"|bearer|(?<![a-zA-Z])token|credentials?|(?<![a-zA-Z])cookie)"
)
_KEY = re.compile(rf"(?i)(?:^|[^a-z]|(?<=[a-z])(?=[A-Z])){SAID}$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PAIR = re.compile(
    rf"(?i){SAID}(?P<quote>\\?[\"'`]?)\]?[ \t]{{0,3}}"
    r"(?P<how>=>|:=|={1,2}|:|\bis\b(?: set to| now)?|\bwas\b)[ \t]{0,3}[*_`\"'\\]{0,3}(?P<value>[^\s\"'`,;<>\\]{4,500})"
)
_NO_VALUE = re.compile(
    r"(?i)(?:none|null|nil|undefined|true|false|required|optional|string|str|text|bool|int|invalid|incorrect|wrong|"
    r"missing|empty|your[\w-]*|my[\w-]*|xxx+|\*+|\.\.\.|changeme|example|placeholder|redacted|hidden|masked|"
    r"os\.|process\.|env|config|settings|self|this|request|response|args|params|data|user|input|get|not\b|forgotten|"
    r"expired|reset|https?://|type|hash|field|generate|random|secrets?\.|[a-z_.]+\(|\$|\{|\[|\(|%|<)"
)
_RANDOM = re.compile(r"(?<![0-9A-Za-z+/=_-])(?<!base64,)[0-9A-Za-z_+-]{24,200}={0,2}(?![0-9A-Za-z+/=_-])")
_ID = re.compile(r"[A-Za-z]{2,12}[-_](?=[0-9A-Za-z]{8})|[0-9a-fA-F-]+$")
_SORTS = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))
_CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|[0-9](?=[A-Za-z])")
_WORDS = re.compile(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+|\d++|[_+-])++")
_LEAST_CHANGES = 0.3
_LEAST_BITS = 3.8


def is_said_by(key: str) -> bool:
    """Tell whether a field of this name holds a secret, as `password` and `clientSecret` do."""
    return _KEY.search(_CAMEL.sub("_", key)) is not None


def is_value(text: str) -> bool:
    """Tell whether a field that holds a secret holds one in `text`, rather than saying that it has none."""
    return 4 <= len(text) <= 4000 and " " not in text.strip() and _NO_VALUE.match(text) is None


def is_known(text: str) -> bool:
    """Tell whether a text is a key or a token of a known maker, and nothing else."""
    return _KNOWN.fullmatch(text) is not None


def credentials(text: str) -> Iterator[Found]:
    """Yield the secrets; of an address its user and password, of a pair with a name its value alone."""
    for match in _KNOWN.finditer(text):
        if not match[0].startswith("sk-") or any(each.isdigit() for each in match[0]):
            yield Found(match.start(), match.end(), SECRET)
    for begin in _PEM.finditer(text):
        end = _PEM_END.search(text, begin.end(), begin.end() + _MOST_PEM)
        yield Found(begin.start(), end.end() if end else min(len(text), begin.end() + _MOST_PEM), SECRET)
    if "://" in text:
        for match in _IN_ADDRESS.finditer(text):
            yield Found(match.start(), match.end(), SECRET)
    for match in _SCHEME.finditer(text):
        if any(each.isdigit() for each in match[1]) or match[1].endswith("="):
            yield Found(match.start(1), match.end(1), SECRET)
    for match in _PAIR.finditer(text):
        value = match["value"]
        if text[match.end() : match.end() + 1] not in ('"', "'", "`", "\\"):
            value = value.rstrip(".)]}*_!?")
        is_assigned = "=" in match["how"]
        if len(value) >= 4 and _NO_VALUE.match(value) is None and (is_assigned or _is_odd(value)):
            yield Found(match.start("value"), match.start("value") + len(value), SECRET)
    for match in _RANDOM.finditer(text):
        if looks_random(match[0]):
            yield Found(match.start(), match.end(), SECRET)


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
