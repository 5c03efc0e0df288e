"""What a text has in it that may hold a secret: beginnings of keys, words before them, and long runs of characters."""

from __future__ import annotations

import string

BEGINNINGS = (
    "sk-", "[spr]k_", "gh[pousr]_", "github_pat_", "gl[a-z]{2,4}-", "xox[a-z]-", "xapp-", "A(?:KI|SI)A",
    "AIza", "ya29\\.", "eyJ", "-----BEGIN", "hf_", "npm_", "pypi-", "SG\\.", "do[opr]_v1_", "shp[a-z]{2}_", "whsec_",
    "lin_api_", "ntn_", "r8_", "gsk_", "xai-", "pplx-", "AGE-SECRET-KEY", "t[wra]_", "hooks\\.slack\\.com",
    "discord(?:app)?\\.com/api/webhooks", "[0-9]{8,10}:[0-9A-Za-z_-]{4}", "key-[0-9a-f]{4}", "dapi[0-9a-f]{4}",
    "sq0[a-z]{3}-", "lsv2_", "tvly-", "fc-[0-9a-f]{4}",
)  # fmt: skip
"""How keys and tokens of known makers begin: patterns that `re` and RE2 read alike, at the beginning of a word."""
_KEYS = r"(?:api|access|private|account|encryption|signing).?key|mot de passe"
_WORDS = (
    r"pass(?:w|phrase|code|[\\\"'`\] ]{0,4}[:=])|pwd|kennwort|senha|contrase|secret|cookie[\\\"'`\] ]{0,4}[:=]"
    r"|token(?:[\\\"'`\] ]{0,6}(?:[:=]|is |was |val)|[ \t]+[0-9a-z._~+/-]*[0-9=])"
    r"|pw[\\\"'`\] ]{0,4}[:=]|wachtwoord|密码|密碼|口令|パスワード|비밀번호|пароль"
    r"|bearer|basic |authorization|credential|://[^/\s\"]*:"
)
SAYS = f"{_KEYS}|{_WORDS}"
"""Words that say that a secret follows, in small letters: a pattern that `re` and RE2 read alike."""
SAYS_SHORT = f"key|passe|{_WORDS}"
"""What lets through all that `SAYS` does, and is faster for `re`: its alternatives begin with few characters."""

LEAST_RANDOM = 24
"""Characters in a row from which on a text may be a key that no maker's beginning tells."""
_ALIKE = (string.ascii_letters + string.digits + "_+").encode()
_RUN = bytes.maketrans(_ALIKE, b"a" * len(_ALIKE))
_LONG = b"a" * LEAST_RANDOM


def runs_of(text: bytes) -> bytes:
    """Return a text in which all characters of random keys are alike, for `random_run`."""
    return text.translate(_RUN)


def random_run(runs: bytes, at: int = 0) -> int:
    """Return where, from `at` on, so many characters stand in a row that they may be a random key; -1: nowhere.

    runs: what `runs_of` returns of the text.
    """
    return runs.find(_LONG, at)
