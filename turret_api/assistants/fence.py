r"""The fence: what marks a text as one that users wrote, so that a model does not take it for an order.

A text stands between `<untrusted-NONCE>` and `</untrusted-NONCE>`; the nonce is drawn anew for each answer. Inside no
`<` or `>` is left, nor a character that looks like one, so that nothing there can be, or seem to be, the end of the
fence, whatever the nonce. What a person would not see is shown: control and format characters, those that turn the
direction of writing, tags, variation selectors, private and unassigned ones. Each comes as `\u003c` or `\u{e0041}`,
and a backslash before a `u` as `\u005c`, so that `plain` finds the text again.

This is a mark, no wall: a model may still do what a text inside says. Source: Hines et al., "Defending Against Indirect
Prompt Injection Attacks With Spotlighting" (2024), where delimiters drawn by chance are one of three ways.
"""

from __future__ import annotations

import functools
import re
import secrets
import unicodedata
from collections.abc import Sequence

import orjson

NAME = "untrusted"
_NONCE_BYTES = 4
_FENCED = re.compile(rf"\s*<({NAME}-[0-9a-f]{{8}})>(.*)</\1>\s*", re.DOTALL)
_NOT_PLAIN = re.compile(r"\\(?=u)|[^\n\t -;=?-~]")
_ESCAPED = re.compile(r"\\u(?:\{([0-9a-f]{5,6})\}|([0-9a-f]{4}))")
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""General categories of characters that a person does not see, or that nobody has given a meaning."""
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)
"""Other characters that are drawn as nothing (Unicode's Default_Ignorable_Code_Point), and the empty Braille cell."""
_ANGLES = frozenset(
    "\u02c2\u02c3\u1438\u1433\u16b2\u2039\u203a\u2329\u232a\u276c\u276d\u276e\u276f\u2770\u2771\u27e8"
    "\u27e9\u27ea\u27eb\u2991\u2992\u29fc\u29fd\u3008\u3009\u300a\u300b\ufe3d\ufe3e\ufe3f\ufe40\U0001d236"
    "\U0001d237\U00016f3f"
)
"""Characters that look like `<` or `>` (Unicode's confusables, and the brackets of that form)."""


def new_fence() -> str:
    """Return the name of a fence that nobody could know before: `untrusted-` and 8 hexadecimal digits."""
    return f"{NAME}-{secrets.token_hex(_NONCE_BYTES)}"


def fenced(text: str, fence: str, most: int | None = None) -> str:
    """Return `text` within the fence; past its first `most` characters (None: all), a count stands behind the fence."""
    rest = 0 if most is None else len(text) - most
    if rest <= 0:
        return f"<{fence}>{shown(text)}</{fence}>"
    return f"<{fence}>{shown(text[:most])}</{fence}> (and {rest:,} more characters)"


def fenced_list(texts: Sequence[str], fence: str, most: int | None = None) -> str:
    """Return `texts` within one fence, as a JSON list, each with at most its first `most` characters and "…"."""
    within = (text if most is None or len(text) <= most else f"{text[:most]}…" for text in texts)
    return f"<{fence}>{orjson.dumps([shown(text) for text in within]).decode()}</{fence}>"


def shown(text: str) -> str:
    """Return `text` with every character visible, and without angle brackets."""
    return _NOT_PLAIN.sub(lambda found: _shown(found[0]), text)


def plain(text: str) -> str:
    """Return the text that `fenced` or `shown` was given; a text that was given to neither comes back as it is."""
    inside = _FENCED.fullmatch(text)
    return _ESCAPED.sub(_character, text if inside is None else inside[2])


@functools.lru_cache(4096)
def _shown(character: str) -> str:
    code = ord(character)
    is_kept = (
        character != "\\"
        and unicodedata.category(character) not in _UNSEEN
        and not any(first <= code <= last for first, last in _IGNORABLE)
        and character not in _ANGLES
        and not set("<>") & set(unicodedata.normalize("NFKD", character))
    )
    return character if is_kept else f"\\u{code:04x}" if code < 0x10000 else f"\\u{{{code:x}}}"


def _character(escaped: re.Match[str]) -> str:
    code = int(escaped[1] or escaped[2], 16)
    return chr(code) if code <= 0x10FFFF else escaped[0]
