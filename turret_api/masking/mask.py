"""A project's mask: an event's values in, the same without what its rule masks out.

Masking what is masked changes nothing, so it does not matter how often it is done on the way. A placeholder is typed,
`<EMAIL>`. A linked one has six digits of a keyed hash of project, session and value, `<EMAIL_3f9a2c>`: within a session
it tells the same value from another, and over sessions it tells nothing. An id that is masked becomes `email-` and 32
digits of a keyed hash of project and value, so that a user stays one user.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import Any

from turret_api.masking.credentials import is_known, is_said_by
from turret_api.masking.emails import AT
from turret_api.masking.finding import find
from turret_api.masking.kinds import CARD, EMAIL, IBAN, IP, NATIONAL_ID, PHONE, PLACEHOLDERS, RECOGNISED, SECRET, Found
from turret_api.masking.names import Recogniser
from turret_api.masking.national_ids import is_said_by as is_id_said_by
from turret_api.masking.payments import is_card
from turret_api.masking.plain import plain
from turret_api.masking.rule import Rule
from turret_api.masking.sieve import sieve_of

_LEAST = 3
"""Characters of the shortest text in which something can be found: an address is `::2`."""
_NONE: frozenset[str] = frozenset()
_LEAST_NUMBER = 10**6
_MOST_TURNS = 8
_SHORT = 9
"""Characters from which on one word may be something that is masked."""
_LINK_BYTES, _ID_BYTES = 3, 16


class Mask:
    """The mask of one project.

    Args:
        rule: what is masked; it is on.
        project_id: whose it is.
        recognise: what knows names and places; None: there is no such thing, and the rule asks for none.
    """

    def __init__(self, rule: Rule, project_id: str, recognise: Recogniser | None = None) -> None:
        self.rule = rule
        self._project = project_id.encode()
        self._secret = bytes.fromhex(rule.secret)
        self.recognise = recognise if rule.all_kinds & RECOGNISED else None
        self._named = rule.all_kinds & RECOGNISED
        self._sieve = sieve_of(rule.all_kinds - RECOGNISED)
        self._id_sieve = sieve_of(rule.kinds - RECOGNISED, of_ids=True)
        self._id_kinds = rule.kinds & RECOGNISED

    @property
    def is_slow(self) -> bool:
        """Tell whether it takes milliseconds a text: a recogniser of names reads all of it."""
        return self.recognise is not None

    def kinds_in(self, json: bytes) -> frozenset[str]:
        """Return the kinds that may be in a JSON text, in UTF-8; of nearly all events there are none."""
        return self._sieve.kinds_in(json) | self._named

    def may_hold(self, json: bytes) -> bool:
        """Tell whether there may be something to mask in a JSON text, in UTF-8: the fastest look at one."""
        return bool(self._named) or self._sieve.may_hold(json)

    def holding(self, texts: Sequence[bytes]) -> Sequence[int]:
        """Return, in order, the indexes of JSON texts, in UTF-8, in which there may be something; few of most."""
        return range(len(texts)) if self._named else self._sieve.holding(texts)

    def value(self, value: Any, session_id: str, among: frozenset[str], path: str = "", key: str = "") -> Any:
        """Return a JSON value with all that is in it masked, at any depth; the value itself if nothing is.

        Args:
            value: what the decoder gave.
            session_id: within which placeholders are linked.
            among: the kinds that may be in it, of `kinds_in`.
            path: the keys that lead to it, with dots between them.
            key: the last of them.
        """
        kind = type(value)
        if kind is str:
            kinds = among & self._kinds_at(path)
            if not kinds:
                return value
            # Another text of the event may be the reason why it is looked at.
            own = _NONE if len(value) < _LEAST else self.kinds_in(value.encode("utf-8", "replace")) & kinds
            if SECRET in kinds and is_said_by(key):
                own |= {SECRET}
            return self._masked(value, session_id, own, key) if own else value
        if kind is dict:
            return self._object(value, session_id, among, path)
        if kind is list:
            made = [self.value(each, session_id, among, path, key) for each in value]
            return value if all(a is b for a, b in zip(made, value, strict=True)) else made
        if kind is int or (kind is float and value.is_integer()):
            return self._number(value, session_id, among & self._kinds_at(path), key)
        return value

    def text(self, text: str, session_id: str, kinds: frozenset[str] | None = None, key: str = "") -> str:
        """Return a text without what is masked in it; kinds: those that may be in it, None: all of the rule."""
        if kinds is None:
            kinds = self.rule.kinds
        return self._masked(text, session_id, kinds, key) if kinds else text

    def may_name(self, names: str) -> bool:
        """Tell whether there may be something to mask in an event's ids and its name, a line each."""
        return bool(self._kinds_of_name(names))

    def identifier(self, given: str) -> str:
        """Return an id, or what stands for it everywhere if it is, or holds, something that is masked."""
        if not self.rule.ids or not (among := self._kinds_of_name(given)):
            return given
        found, _ = find(given, among, "", self.recognise)
        first = next((each for each in found if each.kind != SECRET or is_known(given[each.start : each.end])), None)
        if first is None:
            return given
        return self.stands_for(given, first.kind)

    def stands_for(self, given: str, kind: str) -> str:
        """Return what stands for an id in which something of this kind is found first."""
        return f"{kind}-{self._hash(b'id', given.strip(), kind, _ID_BYTES)}"

    def name(self, text: str) -> str:
        """Return the name of an event or of a field without what is masked in it, alike in all sessions."""
        among = self._kinds_of_name(text)
        return self._masked(text, None, among, "") if among else text

    def _kinds_of_name(self, text: str) -> frozenset[str]:
        kinds = self._id_sieve.kinds_in(text.encode("utf-8", "replace"))
        return kinds | self._id_kinds if self._id_kinds else kinds

    def _object(self, value: dict[str, Any], session_id: str, among: frozenset[str], path: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        is_same = True
        for key, inner in value.items():
            masked = self.value(inner, session_id, among, f"{path}.{key}" if path else key, key)
            name = key if len(key) < _SHORT and key.isidentifier() else self.name(key)
            is_same = is_same and masked is inner and name == key
            made[name] = masked
        return value if is_same else made

    def _kinds_at(self, path: str) -> frozenset[str]:
        """Return what is masked in a field: what the longest path that leads to it says, else what holds for all."""
        fields = self.rule.fields
        if not fields:
            return self.rule.kinds
        while path:
            if path in fields:
                return fields[path]
            path = path.rpartition(".")[0]
        return self.rule.kinds

    def _number(self, value: float, session_id: str, kinds: frozenset[str], key: str) -> Any:
        if not kinds or abs(value) < _LEAST_NUMBER:
            return value
        digits = str(int(abs(value)))
        if CARD in kinds and is_card(digits):
            return self._placeholder(CARD, digits, session_id)
        # Digits are a phone number or an id only where the name of the field says so.
        wanted = kinds & ({PHONE, NATIONAL_ID} if is_id_said_by(key) else {PHONE})
        found = find(digits, wanted, key)[0] if wanted else []
        if len(found) == 1 and (found[0].start, found[0].end) == (0, len(digits)):
            return self._placeholder(found[0].kind, digits, session_id)
        return value

    def _masked(self, text: str, session_id: str | None, kinds: frozenset[str], key: str) -> str:
        """Return a text without what is found in it, nor what is found once that is gone: what stood beside it, say."""
        for _ in range(_MOST_TURNS):
            found, _read = find(text, kinds, key, self.recognise)
            if not found:
                break
            text = self._replaced(text, found, session_id)
            kinds &= self.kinds_in(text.encode("utf-8", "replace"))
            if not kinds:
                break
        return text

    def _replaced(self, text: str, found: list[Found], session_id: str | None) -> str:
        parts: list[str] = []
        at = 0
        for each in found:
            parts += text[at : each.start], self._placeholder(each.kind, text[each.start : each.end], session_id)
            at = each.end
        return "".join([*parts, text[at:]])

    def _placeholder(self, kind: str, value: str, session_id: str | None) -> str:
        """Return what stands for a value; session_id None: alike in all sessions."""
        if session_id is None:
            return f"<{PLACEHOLDERS[kind]}_{self._hash(b'name', value, kind, _LINK_BYTES)}>"
        if not self.rule.linked:
            return f"<{PLACEHOLDERS[kind]}>"
        return f"<{PLACEHOLDERS[kind]}_{self._hash(b'session ' + session_id.encode(), value, kind, _LINK_BYTES)}>"

    def _hash(self, use: bytes, value: str, kind: str, size: int) -> str:
        """Return a keyed hash (BLAKE2b, RFC 7693) of a value of this project, however it is written."""
        said = b"\0".join((self._project, use, kind.encode(), _normal(value, kind).encode("utf-8", "replace")))
        return hashlib.blake2b(said, key=self._secret[:64], digest_size=size).hexdigest()


def _normal(value: str, kind: str) -> str:
    """Return a value in the one form that all its writings have."""
    text = unicodedata.normalize("NFKC", plain(value).text)
    if kind == EMAIL:
        return AT.sub("@", text).lower()
    if kind in (CARD, PHONE):
        return "".join(filter(str.isdigit, text))
    if kind in (SECRET, IP):
        return text
    return "".join(filter(str.isalnum, text)).upper() if kind == IBAN else " ".join(text.lower().split())
