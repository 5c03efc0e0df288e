"""Phrases of English texts that can stand alone as a name: whole noun phrases, verbs with their object, short clauses.

Each pattern below is one of kinds of words (`labels.tagging`), so a phrase ends where what it says ends: "exchange
rate", never "the exchange"; "activate card", never "activate my". Articles, possessives and auxiliaries are left out,
as in a headline. "My card isn't working" and "why doesn't my card work" both say "card not working".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from turret_pipeline.analysis.labels.phrases import MAX_WORDS, Phrase, counted_as
from turret_pipeline.analysis.labels.tagging import (
    ADVERB,
    ING,
    NAME,
    NOT,
    NOUN,
    NUMBER,
    PAST,
    Word,
    inflected,
    joined,
    lemma,
    tagged,
    words_in,
)

MAX_NOUNS = 3
"""Words of a noun phrase without preposition."""

_EMPTY_VERBS = frozenset(
    words_in("""
        want need like know wonder think hope tell let help try seem guess mean say ask please thank suppose
        wish love do have be happen believe understand hear see feel look go come appreciate hi hello
        lol wan gon""")
)
"""Verbs that say too little to begin a name, whatever their object."""

_EMPTY_NOUNS = frozenset(
    words_in("""
        way thing something anything nothing everything someone anyone everyone anybody somebody kind sort lot
        bit help reason question issue problem thanks thank hi hello hey please one ones sure ok okay yes no
        stuff idea time times couple few many much more most others other same couple today tomorrow tonight
        yesterday""")
)
"""Nouns that say too little to be one by themselves."""

_PARTICLES = frozenset(words_in("up in out off down"))
_AFTER_ONE = frozenset(words_in("way time off stop click"))
"""Words before which a number is part of the name: "one way flight", but "two tickets" are tickets."""

_AS_PREPOSITIONS = frozenset(
    words_in("given using including following regarding considering based according depending")
)
"""Participles that begin no request: "given an array", "when using an ATM"."""

_TO_DO = frozenset(words_in("visit see do watch eat drink read play rent buy"))
"""Verbs whose object may stand before them: "places to visit", but not the "card to work" of "get my card to work"."""

_ADVERBS = frozenset(words_in("twice double abroad online overseas internationally automatically instantly"))

_NOUNS = r"[nADG]*[NP]+"
_LEFT = re.compile(rf"[d]*({_NOUNS})")
_PHRASE = r"d*(?:a(?=[nADGNP]))?[nADG]*[NP]+"
_OF = re.compile(rf"({_PHRASE})(p)({_PHRASE})(?:(p)({_PHRASE}))?")
_ACT = re.compile(rf"([VGD])(r?)(?:o?|(p))({_PHRASE})(r?)")
_ACT_OF = re.compile(rf"([VGD])(r?)o?({_PHRASE})(p)({_PHRASE})")
_MOVE = re.compile(r"([VG])(r)(?![dNPAnoG])")
_TWICE = re.compile(rf"([VGD])(a)(?:(p)({_PHRASE}))?")
_THING_TO_DO = re.compile(rf"(?:({_PHRASE})|(oA?))tV(?![dNPAnorp])")
_STATE = re.compile(rf"({_PHRASE})(X*)a?(T?)X*a?([VGD])(r?)(?![dNPAnot])(?:a?(p)({_PHRASE}))?")
_ASKED = re.compile(rf"X(T?)({_PHRASE})(T?)X*([VGD])(r?)(?![dNPAnot])(?:a?(p)({_PHRASE}))?")
_DONE = re.compile(rf"({_PHRASE})X?([VD])(r?)o?({_PHRASE})")
_IS = re.compile(rf"({_PHRASE})X(T?)a?([A])(?![NPA])")
_BACK = re.compile(rf"({_PHRASE})(r)(?![dNPAnoG])")
_WRONG = re.compile(rf"({_PHRASE})()(A)(?=[.]|$)")


@dataclass(frozen=True)
class _Piece:
    key: str
    surface: str
    said: tuple[str, ...]
    is_empty: bool = False


@lru_cache(maxsize=8_192)
def clauses(text: str) -> tuple[Phrase, ...]:
    """Return the phrases of `text`, each key once."""
    found: dict[str, Phrase] = {}
    words = joined(tagged(text))
    for phrase in _phrases(words):
        if phrase.key not in found and len(phrase.surface.split()) <= MAX_WORDS:
            found[phrase.key] = phrase
    return tuple(found.values())


def _phrases(words: list[Word]) -> Iterator[Phrase]:
    kinds = "".join(word.kind for word in words)
    for match in _LEFT.finditer(kinds):
        for thing in _nouns(words, *match.span(1)):
            yield replace(_whole(thing), is_noun=not thing.is_empty)
        # Of "refund laptop" and "refund camera" people may share the first word alone.
        for place in range(*match.span(1)):
            if kinds[place] in (NOUN, NAME):
                for thing in _nouns(words, place, place + 1):
                    yield replace(_whole(thing), is_noun=not thing.is_empty)
    for match in _every(_OF, kinds):
        link = words[match.start(2)].lower
        if link in ("of", "for") or (link in _LINKS and kinds[match.start() - 1 : match.start()] not in (*"VGDpo",)):
            for left in _nouns(words, *match.span(1)):
                for right in _nouns(words, *match.span(3)):
                    if not (left.is_empty or right.is_empty):
                        yield _whole(left, _as_said(words[match.start(2)]), right)
    for match in _every(_ACT, kinds):
        verb = _verb(words, match, 1, 2)
        between = [_as_said(words[match.start(3)])] if match[3] else []
        if verb and _is_negated(kinds, match.start()):
            for thing in _nouns(words, *match.span(4)) if not (between or match[5]) else ():
                if not thing.is_empty:
                    yield _denied(words, match.start(), verb, thing)
        elif verb and not (between and not match[2] and verb.key in _TAKE_OBJECT):  # "take for transfer" is no act
            after = [_as_said(words[match.start(5)])] if match[5] else []
            for thing in _nouns(words, *match.span(4)):
                if not thing.is_empty:
                    yield _whole(verb, *between, thing, *after)
    for match in _every(_ACT_OF, kinds):
        verb = _verb(words, match, 1, 2)
        if verb and words[match.start(4)].lower in _LINKS and not _is_negated(kinds, match.start()):
            for thing in _nouns(words, *match.span(3)):
                for other in _nouns(words, *match.span(5)):
                    if not (thing.is_empty or other.is_empty):
                        yield _whole(verb, thing, _as_said(words[match.start(4)]), other)
    for match in _every(_MOVE, kinds):
        verb = _verb(words, match, 1, 2)
        if verb and not _is_negated(kinds, match.start()):
            yield _whole(verb)
    for match in _every(_THING_TO_DO, kinds):
        if words[match.end() - 1].lower in _TO_DO:
            yield from _things_to_do(words, match)
    for match in _every(_TWICE, kinds):
        verb = _verb(words, match, 1)
        if verb and words[match.start(2)].lower in _ADVERBS:
            yield _whole(verb, _as_said(words[match.start(2)]))
            for thing in _nouns(words, *match.span(4)) if match[3] else ():
                yield _whole(verb, *(_as_said(words[match.start(group)]) for group in (2, 3)), thing)
    for match in _every(_STATE, kinds):
        yield from _states(words, match, subject=1, negation=(3,), verb=4, particle=5)
    for match in _every(_ASKED, kinds):
        yield from _states(words, match, subject=2, negation=(1, 3), verb=4, particle=5)
    for match in _every(_DONE, kinds):
        verb = _verb(words, match, 2, 3, past=True)
        is_asked = match.start(1) > 0 and words[match.start(1) - 1].lower in _MODALS
        for one in _nouns(words, *match.span(1)):
            for other in _nouns(words, *match.span(4)):
                if not verb or one.is_empty or other.is_empty:
                    continue
                agreeing = _agreeing(verb, one)
                if agreeing == verb or is_asked:  # else "password reset link" would be a clause
                    yield _whole(one, agreeing, other)
    for match in _every(_BACK, kinds):
        for thing in _nouns(words, *match.span(1)):
            if words[match.start(2)].lower == "back" and not thing.is_empty:
                yield _whole(thing, _as_said(words[match.start(2)]))
    for match in [*_every(_IS, kinds), *_every(_WRONG, kinds)]:
        what = _as_said(words[match.start(3)])
        for one in _nouns(words, *match.span(1)):
            if not one.is_empty:
                yield _whole(*([one, _NOT, what] if match[2] else [what, one]))


def _is_negated(kinds: str, place: int) -> bool:
    return kinds[:place].rstrip("a").endswith(NOT)


def _denied(words: list[Word], place: int, verb: _Piece, thing: _Piece) -> Phrase:
    """Return what people do not or cannot do with a thing: "payment not recognized", "cannot use card"."""
    auxiliary = next((word.lower for word in words[place - 1 :: -1] if word.kind not in (NOT, ADVERB)), "")
    first, *rest = verb.key.split()
    if auxiliary in ("can", "could") or first in ("make", "do"):
        before = "cannot" if auxiliary in ("can", "could") else "did not"
        plain = replace(verb, surface=verb.key)
        return _whole(_Piece(before, before, ("not",)), plain, thing)
    said = "received" if first == "get" else inflected(first, "VBN")
    done = replace(verb, key=verb.key.replace("get", "receive"), surface=" ".join([said, *rest]))
    return _whole(thing, _NOT, done)


def _things_to_do(words: list[Word], match: re.Match[str]) -> Iterator[Phrase]:
    """Yield "places to visit", "something fun to do"."""
    to, verb = (_as_said(word) for word in words[match.end() - 2 : match.end()])
    if match[1]:
        for thing in _nouns(words, *match.span(1)):
            yield _whole(thing, to, verb)
    elif words[match.start(2)].lower in ("something", "anything"):
        yield _whole(*map(_as_said, words[match.start(2) : match.end(2)]), to, verb)


_MODALS = frozenset(words_in("can could will would shall should may might must do does did"))
_LINKS = frozenset(words_in("of for to with from in on at by without between into about over against within via near"))
_NOT = _Piece("not", "not", ("not",))


def _every(pattern: re.Pattern[str], kinds: str) -> Iterator[re.Match[str]]:
    """Yield a match from each place that has one, but not from within the noun phrase of the match before."""
    place = 0
    while match := pattern.search(kinds, place):
        yield match
        place = match.start() + 1
        if kinds[match.start()] in "dnANP" or (kinds[match.start()] in "DG" and pattern in (_OF, _STATE, _DONE, _IS)):
            end = match.start()
            while end < len(kinds) and kinds[end] in "dnADGNP":
                end += 1
            place = max(place, end)


def _states(
    words: list[Word], match: re.Match[str], *, subject: int, negation: tuple[int, ...], verb: int, particle: int
) -> Iterator[Phrase]:
    """Yield what is said of a subject: "card declined", "card not working", "card arriving"."""
    word = words[match.start(verb)]
    base = lemma(word.lower, "VERB")
    if base in _EMPTY_VERBS or (base in _TAKE_OBJECT and word.kind != PAST and not match[particle]):
        return
    is_not = any(match[group] for group in negation)
    shown = word.lower if word.kind in (PAST, ING) else inflected(base, "VBG")
    after = words[match.start(particle)].lower if match[particle] else ""
    piece = _Piece(
        f"{_spelled(base)} {after}".strip(), f"{shown} {after}".strip(), tuple(map(counted_as, [word.lower, after]))
    )
    state = [_NOT, piece] if is_not else [piece]
    for thing in _nouns(words, *match.span(subject)):
        if thing.is_empty:
            continue
        yield _whole(thing, *state)
        if match[particle + 1] and words[match.start(particle + 1)].lower in _LINKS:
            for place in _nouns(words, *match.span(particle + 2)):
                if not place.is_empty:
                    yield _whole(thing, *state, _as_said(words[match.start(particle + 1)]), place)


_TAKE_OBJECT = frozenset(words_in("take get make give use find buy order add send receive need offer"))


def _agreeing(verb: _Piece, subject: _Piece) -> _Piece:
    """Return the verb as it follows the subject: "friend sends" where people ask "can my friend send"."""
    is_plural = lemma(subject.surface.split()[-1], "NOUN") != subject.surface.split()[-1]
    first, *rest = verb.surface.split()
    if is_plural or verb.surface != verb.key:
        return verb
    return replace(verb, surface=" ".join([inflected(first, "VBZ"), *rest]))


def _verb(words: list[Word], match: re.Match[str], verb: int, particle: int = 0, past: bool = False) -> _Piece | None:
    word = words[match.start(verb)]
    base = lemma(word.lower, "VERB")
    if base in _EMPTY_VERBS or len(base) < 2 or word.lower in _AS_PREPOSITIONS:
        return None
    after = words[match.start(particle)].lower if particle and match[particle] else ""
    shown = word.lower if word.kind in (PAST, ING) or past else base
    key = f"{_spelled(base)} {after}".strip()
    return _Piece(key, f"{shown} {after}".strip(), tuple(map(counted_as, [word.lower, after])))


@lru_cache(maxsize=4_096)
def _spelled(verb: str) -> str:
    """Return `verb` with "-ize" for "-ise", where both are written: the two count as one."""
    other = f"{verb[:-3]}ize"
    return other if verb.endswith("ise") and inflected(other, "VBG") != other else verb


def _nouns(words: list[Word], start: int, end: int) -> Iterator[_Piece]:
    """Yield the noun phrase from `start` to before `end`, and what of it is one too: its last words."""
    while words[start].kind in "da":
        start += 1
    for first in range(max(start, end - MAX_NOUNS), end):
        part = words[first:end]
        if (part[0].kind == NUMBER and part[1:2] and part[1].lower not in _AFTER_ONE) or part[-1].kind == NUMBER:
            continue
        if first > start and words[first - 1].kind == NUMBER and part[0].lower in _AFTER_ONE:
            continue
        if part[0].lower in _PARTICLES or part[-1].lower in _PARTICLES:  # "up" of "top up" that was taken apart
            continue
        if part[0].kind == PAST and first > start and words[first - 1].kind in (NOUN, NAME):
            continue
        said = tuple(counted_as(piece) for word in part for piece in word.lower.split())
        key = " ".join([*(counted_as(word.lower) for word in part[:-1]), _singular(part[-1].lower)])
        surface = " ".join(word.lower for word in part)
        empty = all(word.lower in _EMPTY_NOUNS or len(word.lower) < 2 for word in part if word.kind in "NPG")
        yield _Piece(key, surface, said, empty)


@lru_cache(maxsize=65_536)
def _singular(word: str) -> str:
    return counted_as(word)


def _as_said(word: Word) -> _Piece:
    return _Piece(word.lower, word.lower, (counted_as(word.lower),))


def _whole(*pieces: _Piece) -> Phrase:
    return Phrase(
        " ".join(piece.key for piece in pieces),
        " ".join(piece.surface for piece in pieces),
        tuple(word for piece in pieces for word in piece.said if word),
    )
