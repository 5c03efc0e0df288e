"""English words with what they are in their sentence: noun, verb, adjective, as a small tagger sees them.

The tagger is an averaged perceptron whose weights the package `denckring-en-pos` ships: 93 words in 100 right, about
200,000 words a second (`labels.perceptron`). Lemmas and inflections are those of `lemminflect`. Nothing is fetched.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from turret_pipeline.analysis.labels.perceptron import Perceptron


def words_in(text: str) -> list[str]:
    """Return the words of a list that is written as text."""
    return text.split()


_PART = re.compile(r"[^\W_](?:[\w'-]*\w)?|[.!?;:()\[\]{}<>=\"\n|/,]")
_CONTRACTED = re.compile(r"(can|.+(?=n't)|.+?)(not|n't|'(?:s|m|re|ve|ll|d))")
_PLAIN = {"cant": "can't", "dont": "don't", "doesnt": "doesn't", "didnt": "didn't", "wont": "won't", "isnt": "isn't"}
_PLAIN |= {"wasnt": "wasn't", "hasnt": "hasn't", "havent": "haven't", "couldnt": "couldn't", "arent": "aren't"}
_PLAIN |= {"im": "i'm", "ive": "i've", "whats": "what's", "wheres": "where's"}
_FULL = {"n't": "not", "'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "ca": "can", "wo": "will"}

NOUN, NAME, ADJECTIVE, VERB, ING, PAST, AUXILIARY, NOT = "N", "P", "A", "V", "G", "D", "X", "T"
PREPOSITION, PARTICLE, DETERMINER, NUMBER, PRONOUN, TO, QUESTION, ADVERB, BREAK, OTHER = "prdnotwa.-"
"""What a word is, as one character; OTHER are conjunctions and interjections."""

_OF_TAG = {"NOUN": NOUN, "PROPN": NAME, "ADJ": ADJECTIVE, "AUX": AUXILIARY, "ADP": PREPOSITION, "DET": DETERMINER}
_OF_TAG |= {"NUM": NUMBER, "PRON": PRONOUN, "ADV": ADVERB}
_POSSESSIVES = frozenset(words_in("my your his her its our their whose 's"))
_QUESTIONS = frozenset(words_in("what which who whom whose when where why how"))
_PARTICLES = frozenset(words_in("up out off down back away in on over through"))
_TIMES = frozenset(
    words_in("""
        today tomorrow yesterday tonight now morning afternoon evening noon am pm monday tuesday wednesday
        thursday friday saturday sunday january february march april june july august september october november
        december weekend""")
)
_QUANTITIES = frozenset(
    words_in("""
        many much more most few several other another same certain specific particular various some any all both
        each every whole entire such own latest last next recent regular different""")
)
_NEVER_NOUNS = frozenset(
    words_in("""
        take get make give go send find arrive receive happen appear allow reach expect keep accept decline reject fail
        cancel activate add delete refuse verify bring provide become""")
)
"""Verbs that the tagger takes for nouns behind a noun: "when does my card arrive"."""

_POLITE = frozenset(words_in("thanks thank please pls plz hi hello hey bye cheers ok okay yes yeah sorry asap lol"))
_BE = frozenset(words_in("be am is are was were been being 's get got gets getting"))


class Word(NamedTuple):
    """A word as written, in lower case with contractions undone ("n't" is "not"), and what it is."""

    written: str
    lower: str
    kind: str


@cache
def _tagger() -> Perceptron:
    from denckring_en_pos import tagger

    shipped = tagger()
    return Perceptron(shipped.weights, shipped.tagdict, shipped.classes)


def tagged(text: str) -> list[Word]:
    """Return the words of `text`; a sentence's end, and what parts it, is a word of the kind `BREAK`."""
    found: list[Word] = []
    sentence: list[str] = []
    places: list[int] = []
    for match in _PART.finditer(text.replace("\u2019", "'")):
        part = match[0]
        if not part[0].isalnum():
            if part not in ",/":
                _close(found, sentence, places)
            found.append(Word(part, part, BREAK))
            continue
        for piece in _pieces(part):
            places.append(len(found))
            sentence.append(piece)
            found.append(Word(piece, piece.lower(), OTHER))
    _close(found, sentence, places)
    return found


def joined(words: Sequence[Word]) -> list[Word]:
    """Return the words with "top" and "up" of "my top up" as one noun."""
    found: list[Word] = []
    for word in words:
        last = found[-1].kind if found else ""
        is_noun = last in (NOUN, ADJECTIVE) or (last == VERB and len(found) > 1 and found[-2].kind in "dA")
        is_particle = word.kind in (PARTICLE, NOUN) and word.lower in ("up", "in", "out", "off")
        if is_particle and is_noun and len(found[-1].lower) > 2:
            before = found.pop()
            word = Word(f"{before.written} {word.written}", f"{before.lower} {word.lower}", NOUN)
        found.append(word)
    return found


def _pieces(part: str) -> list[str]:
    full = _PLAIN.get(part.lower(), part)
    match = _CONTRACTED.fullmatch(full) if "'" in full or full.lower() == "cannot" else None
    return [match[1], match[2]] if match else [full]


def _close(found: list[Word], sentence: list[str], places: list[int]) -> None:
    """Give the words at these places what they are in their sentence, which is over."""
    tags = _tagger().tag(sentence) if sentence else []
    for place, word, tag in zip(places, sentence, tags, strict=True):
        before = found[place - 1].kind if place else BREAK
        lower = word.lower()
        found[place] = Word(word, _FULL.get(lower, lower), _kind(lower, tag, before))
    sentence.clear()
    places.clear()


@lru_cache(maxsize=65_536)
def _kind(word: str, tag: str, before: str) -> str:
    """Return what `word`, in lower case, is by its tag and the kind of the word before."""
    universal, _, form = tag.partition("|")
    if word in ("not", "n't", "never", "no") and universal != "DET":
        return NOT
    if word in _POLITE:
        return BREAK
    if word in _QUESTIONS:
        return QUESTION
    if word in _POSSESSIVES and (word != "'s" or before in (NOUN, NAME)):
        return DETERMINER if universal != "AUX" else AUXILIARY
    if word in _QUANTITIES and universal in ("ADJ", "DET"):
        return DETERMINER
    if word == "to":
        return PREPOSITION if universal == "ADP" else TO
    if word in _PARTICLES and universal in ("ADP", "ADV") and before in (VERB, ING, PAST, NOUN):
        return PARTICLE if universal == "ADV" or word in ("up", "out", "off", "down", "back", "away") else PREPOSITION
    if word in _TIMES and universal not in ("VERB", "AUX") and (word not in ("am", "pm") or before == NUMBER):
        return ADVERB
    if universal == "VERB" or (word in _NEVER_NOUNS and universal in ("NOUN", "PROPN", "ADJ")):
        if word in _BE and lemma(word, "VERB") == "be":
            return AUXILIARY
        return ING if word.endswith("ing") else PAST if form == "Part" or _is_past(word) else VERB
    return NUMBER if word[0].isdigit() else _OF_TAG.get(universal, OTHER)


@lru_cache(maxsize=65_536)
def _is_past(word: str) -> bool:
    return word.endswith("ed") or (lemma(word, "VERB") != word and not word.endswith("s"))


@cache
def _lemminflect() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lemminflect

    return lemminflect


@lru_cache(maxsize=65_536)
def lemma(word: str, part_of_speech: str) -> str:
    """Return the form of `word`, in lower case, that a dictionary has, itself where none has it; NOUN or VERB."""
    found = _lemminflect().getLemma(word, part_of_speech, lemmatize_oov=False)
    return found[0] if found else word


@lru_cache(maxsize=65_536)
def inflected(word: str, tag: str) -> str:
    """Return the form of a `lemma` by its Penn Treebank tag: VBG is "arriving", VBZ is "arrives"."""
    found = _lemminflect().getInflection(word, tag, inflect_oov=False)
    return found[0] if found else word


@lru_cache(maxsize=65_536)
def is_in_dictionary(word: str) -> bool:
    """Return whether `word`, in lower case, is a noun, verb, adjective or adverb that an English dictionary has."""
    return bool(_lemminflect().getAllLemmas(word))
