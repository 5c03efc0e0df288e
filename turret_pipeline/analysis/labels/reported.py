"""English sentences as somebody else tells them.

"When will my card arrive?" is told as "People ask when their card will arrive."

Only what can be told safely is: questions, requests, wishes, and statements about "I", "my" and things. Of everything
else None is told, and the caller quotes the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from turret_pipeline.analysis.labels.tagging import (
    AUXILIARY,
    BREAK,
    DETERMINER,
    NAME,
    NOT,
    NOUN,
    PAST,
    PRONOUN,
    QUESTION,
    TO,
    VERB,
    Word,
    inflected,
    joined,
    lemma,
    tagged,
    words_in,
)

_SAFE = re.compile(r"[\w '\u2019,-]+[.?!]*")
_OPENINGS = frozenset(words_in("please hi hello hey ok okay so and but well yes no also then now hmm actually alright"))
_OTHERS = {"i": "they", "me": "them", "my": "their", "mine": "theirs", "myself": "themselves"}
_OTHERS |= {"we": "they", "us": "them", "our": "their", "ours": "theirs", "ourselves": "themselves"}
_WRITTEN = {
    "n't": "not",
    "ca": "can",
    "wo": "will",
    "'m": "am",
    "'re": "are",
    "'ve": "have",
    "'ll": "will",
    "'d": "would",
}
_ENGLISH = frozenset(
    words_in("the a an my me i to is are of for from it this that you what how when where with can do")
)
"""Words of which a sentence has one, if it is English at all."""

_TELL = re.compile(
    r"(?:(?:can|could|would|will) you (?:please )?(?:tell|explain|advise)(?: to)?(?: me| us)?"
    r"|i (?:want|need|would like|wish) to (?:know|find out|understand|ask)|(?:please )?(?:tell|explain to) (?:me|us)"
    r"|do you know|i (?:am|was) (?:just )?(?:wondering|curious)|i wonder|let me know|i do not (?:know|understand))"
    r" (?:about )?"
)
_WISH = re.compile(r"i (?:want|need|would like|wish|would love|am trying|am looking|have been trying|was trying) ")
_CLAUSE = frozenset(words_in("if whether"))
_SUBJECT = re.compile(r"(?:d*[nADG]*[NP]+(?:pd*[nADG]*[NP]+)*|o|d+n?)")
_SHORT_SUBJECT = re.compile(r"(?:d*[nADG]*[NP]+|o|d+n?)")
_NO_REQUESTS = frozenset(
    words_in("good great nice fine perfect awesome cool better best thank thanks welcome glad sorry")
)
_UNFINISHED = frozenset(words_in("and or but that those ending of the a an i you we"))
"""Words with which a sentence ends that was cut off by a line."""

_DO = frozenset(words_in("do does did"))


def told(sentence: str) -> str | None:
    """Return what people who write `sentence` ask, want or say, as a sentence; None where that is not safe to tell."""
    text = sentence.replace("\u2019", "'").strip()
    if not _SAFE.fullmatch(text):
        return None
    words = [word for word in joined(tagged(text)) if word.kind != BREAK or word.lower == ","]
    while words and (words[0].lower in _OPENINGS or words[0].kind == BREAK):
        words = words[1:]
    words = [_undone(words, place) for place in range(len(words))]
    while words and words[-1].lower in ("please", "thanks", ",", "asap", "now"):
        words = words[:-1]
    if not any(word.lower in _ENGLISH for word in words):
        return None
    if len(words) < 3 or any(word.lower in ("they", "them", "their", "he", "she", "him", "her") for word in words):
        return None
    if words[-1].lower in _UNFINISHED or words[-1].kind in (DETERMINER, TO, AUXILIARY):
        return None
    found = _told(words, is_question=sentence.rstrip().endswith("?"))
    return f"People {found}." if found else None


def _told(words: list[Word], *, is_question: bool) -> str | None:
    said = " ".join(word.lower for word in words)
    if match := _TELL.match(said):
        rest = words[len(match[0].split()) :]
        if len(rest) > 1 and (rest[0].kind == QUESTION or rest[0].lower in _CLAUSE):
            direct = _asked(rest) if rest[0].kind == QUESTION else None
            return f"ask {direct or _as_others(rest)}"
        return None
    if words[0].kind == QUESTION:
        asked = _asked(words)
        return f"ask {asked}" if asked else None
    if words[0].kind == AUXILIARY or words[0].lower in _DO:
        if words[0].lower in ("can", "could", "would", "will") and words[1].lower == "you":
            rest = words[3:] if words[2].lower == "please" else words[2:]
            return f"ask you to {_as_others(rest)}" if rest and rest[0].kind == VERB else None
        turned = _turned(words)
        return f"ask whether {turned}" if turned else None
    if any(word.kind == QUESTION and words[n].lower == "," for n, word in enumerate(words[1:])):
        return None
    if match := _WISH.match(f"{said} "):
        rest = words[1:]
        if rest[0].lower == "would" and rest[1].lower in ("like", "love"):
            rest = [Word("want", "want", VERB), *rest[2:]]
        wish = _as_others([words[0], *rest]).removeprefix("they ")
        return wish if len(rest) > 2 and rest[-1].kind not in "pt" else None
    if words[0].lower in _NO_REQUESTS:
        return None
    if words[0].kind == VERB and words[0].lower == lemma(words[0].lower, "VERB") and not is_question:
        return f"ask you to {_as_others(words)}"
    if words[0].lower in ("i", "my", "the", "there", "our", "we", "someone") and not is_question and _has_verb(words):
        return f"say that {_as_others(words)}"
    return None


def _has_verb(words: Sequence[Word]) -> bool:
    return any(word.kind in (VERB, PAST, AUXILIARY) for word in words)


def _undone(words: list[Word], place: int) -> Word:
    """Return the word with contractions undone; "'s" behind a question word or a pronoun is "is"."""
    word = words[place]
    written = _WRITTEN.get(word.lower, _WRITTEN.get(word.written.lower(), word.written))
    if word.lower == "'s" and place and words[place - 1].kind in (QUESTION, PRONOUN):
        return Word("is", "is", AUXILIARY)
    return Word(written, written.lower() if word.lower != "not" else "not", word.kind)


def _asked(words: list[Word]) -> str | None:
    """Return a question that begins with a question word as what is asked: "when their card will arrive"."""
    place = next((n for n, word in enumerate(words) if word.kind == AUXILIARY or word.lower in _DO), -1)
    if place < 1 or place > 4:
        return _as_others(words) if len(words) > 2 and words[1].kind in (NOUN, VERB, PAST) else None
    question, rest = words[:place], words[place:]
    if _is_way(question, rest):
        return f"{_as_others(question)} to {_as_others(rest[2:])}"
    if any(word.kind in (VERB, PAST) for word in question):
        return None
    turned = _turned(rest, needs_more=question[0].lower in ("why", "how") and place == 1)
    return f"{_as_others(question)} {turned}" if turned else None


def _is_way(question: list[Word], rest: list[Word]) -> bool:
    """Return whether it is asked how, where, or what, to do something: "how can I pay", not "what cards can I have"."""
    if len(rest) < 3 or rest[0].lower not in ("do", "can", "could", "should") or rest[1].lower not in ("i", "we"):
        return False
    if rest[2].kind != VERB and rest[2].lower != "do":
        return False
    is_what = question[0].lower == "what" and rest[2].lower == "do"
    return (
        len(question) == 1
        and rest[2].lower not in ("have", "need")
        and (question[0].lower in ("how", "where") or is_what)
    )


def _turned(words: list[Word], *, needs_more: bool = False) -> str | None:
    """Return words that begin with an auxiliary and its subject in the order of a statement.

    needs_more: whether something must follow the two: "why their card is" asks nothing.
    """
    auxiliary, rest = words[0], words[1:]
    is_not = bool(rest) and rest[0].kind == NOT
    rest = rest[1:] if is_not else rest
    kinds = "".join(word.kind for word in rest)
    be = lemma(auxiliary.lower, "VERB") == "be"
    end = _end_of_subject(rest, kinds, is_be=be)
    end -= needs_more and end == len(rest)
    if not end or (kinds[end - 1] == "d" and end < len(rest) and kinds[end] in "NP"):
        return None
    subject, rest = rest[:end], rest[end:]
    if rest and rest[0].kind == NOT:
        is_not, rest = True, rest[1:]
    verb = [auxiliary]
    if auxiliary.lower in _DO and not is_not:
        tag = {"does": "VBZ", "did": "VBD"}.get(auxiliary.lower)
        form = inflected(rest[0].lower, tag) if tag else rest[0].lower
        verb, rest = [Word(form, form, VERB)], rest[1:]
    negation = [Word("not", "not", NOT)] if is_not else []
    return _as_others([*subject, *verb, *negation, *rest])


def _end_of_subject(words: list[Word], kinds: str, *, is_be: bool) -> int:
    """Return where the subject that `words` begin with ends; 0 where that is not sure."""
    if is_be:
        longest = _SUBJECT.match(kinds)
        # "is the payment on my card still pending", but "is my card in the app".
        is_whole = longest and (longest.end() == len(words) or kinds[longest.end()] in "aVDGAT")
        match = longest if is_whole else _SHORT_SUBJECT.match(kinds)
        return match.end() if match else 0
    match = _SHORT_SUBJECT.match(kinds)
    if not match:
        return 0
    place = match.end()
    after = kinds[place : place + 2].lstrip(NOT)[:1]
    if after in (VERB, PAST, AUXILIARY) and after:
        return place
    # The tagger takes many a verb behind its subject for a noun: "does my card work", "does it cost".
    last = words[place - 1]
    return place - 1 if kinds[place - 1] == NOUN and place > 1 and lemma(last.lower, "VERB") == last.lower else 0


def _as_others(words: Sequence[Word]) -> str:
    """Return the words as said of others: "my" is "their"."""
    found: list[str] = []
    for place, word in enumerate(words):
        lower = word.lower
        is_first = (place and words[place - 1].lower == "i") or (
            place + 1 < len(words) and words[place + 1].lower == "i"
        )
        if lower in _OTHERS and (
            word.written != "US" and not (lower == "us" and place and words[place - 1].lower == "the")
        ):
            found.append(_OTHERS[lower])
        elif is_first and lower in ("am", "was"):
            found.append("are" if lower == "am" else "were")
        elif lower in (",", "'s", "'"):
            found[-1:] = [(found[-1] if found else "") + word.written]
        elif lower == "not" and found and found[-1] == "can":
            found[-1] = "cannot"
        else:
            found.append(
                word.written
                if word.kind == NAME or (word.kind == NOUN and any(map(str.isupper, word.written[1:])))
                else lower
            )
    return " ".join(found)
