"""Phrases that may name a topic: two or three telling words as people wrote them, without the small words between.

"Can I please reset my password?" holds "reset password", "reset" and "password". Articles, pronouns and auxiliaries are
left out and joined over; prepositions and negations stay where they stand between two telling words ("card not
working", "table for two"); punctuation, question words and numbers end a phrase. The lists are of English and, shorter,
of German, Spanish, French, Italian and Portuguese; in other languages frequency elsewhere has to do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from turret_pipeline.analysis.labels.unspaced import is_unspaced

MAX_TELLING = 3
MAX_WORDS = 5
MAX_CHARACTERS = 60
MAX_GAP = 3
"""Left-out words in a row that a phrase reaches over."""

_TOKEN = re.compile(r"[^\W_](?:[\w'\u2019-]*\w)?|[.!?,;:()\[\]{}<>=\"\n|/]")

INNER_WORD = re.compile(r"(?<=[\w,] )([^\W\d_][\w-]*)")
"""A word behind another one, so not the first of a sentence."""

_LEFT_OUT = """
    a an the this that these those my your his her its our their i me you he she it we they them us him myself yourself
    one some any all both each other another such same too very just also only even still already again actually really
    quite bit lot am is are was were be been being do does did doing done have has had having can could will would shall
    should may might must i'm i've i'd i'll it's that's let's there's you're we're they're he's she's im ive id ill
    gonna wanna there here then so yet ever now currently maybe perhaps rather pretty own every few much many more most
    thats theres theyre youre weve youve theyve hes shes indeed
    der die das ein eine einen einem einer den dem des mein meine meinen ich du er sie es wir ihr ist sind war bin habe
    hat haben wird kann auch noch el la los las un una unos unas mi mis tu tus su sus es son está estoy ser lo le les se
    me te nos yo ya muy le la les un une des du de mon ma mes ton ta votre vos notre je tu il elle nous vous est sont
    suis ai as il lo la gli le un uno una mio mia è sono ho ha si o os as um uma meu minha eu ele ela é são"""
_JOINS = """
    of to for with in on at by from into about without between through over under before after during against and
    around near till until
    not never no nor per via than mit für von zu auf aus nach bei ohne im am zum zur und nicht de del al para por con
    sin en y no da do di per con del della à au aux pour avec sans sur dans et pas em na no ao com sem e não non"""
_ENDS = """
    or but because if though although while since unless what whats which who whom whose when where why how want wants
    wanted need needs needed like likes know knows tell let lets please thanks thank hi hello hey ok okay yes yeah yep
    nope sure sorry bye goodbye welcome cheers think guess hope wonder wondering say says said going trying try tried
    seem seems love mean lol looking look looked um uh oh ah well alright ask asking something anything nothing
    everything someone anyone thing things stuff way ways kind sort got gotten get gets getting
    yea yup yah ya yeh nah hmm hm mm mhm haha hahaha wow oops yay okie okey kk thx tks pls plz gotcha eh hey hiya
    bitte danke hallo wie was wo wann warum wer welche möchte oder aber por favor gracias hola cómo qué cuál cuándo
    dónde quiero necesito pero s'il merci bonjour comment quel quelle quand où pourquoi voudrais veux aimerais mais
    grazie ciao come quando dove perché vorrei voglio besoin brauche quisiera preciso gostaria ma obrigado obrigada olá
    como quero onde mas"""
_WEAK = """
    great good nice fine perfect awesome excellent wonderful cool best better bad new old other different right wrong
    available possible ready able first last next early late soon today tomorrow yesterday tonight morning afternoon
    evening day days week weeks month year time times moment minute minutes hour hours lot little big small long short
    high low able make makes making made go goes went come comes came take takes taking took give gives giving gave use
    uses using used do put keep see saw seen looks work works working help helps helping show find finding
    start started stop add set happen happens happened happening provide allow allowed offer think have having call
    called believe interested question questions issue issues problem problems info information details detail people
    person else instead sounds sound correct exactly definitely absolutely probably fast quick quickly quickest cheap
    cheapest long longer enough anymore asap also actually able total two three four five six seven eight nine ten
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august september
    october november december am pm getting keeps currently quarter half past o'clock later ahead bunch helpful helped
    useful thankful grateful appreciate appreciated glad happy assistance accurate appears appear finished done hear
    option options asked answer answered require requires required pick picked proceed extra determine interesting
    further starting received"""

LEFT_OUT = frozenset(_LEFT_OUT.split())
JOINS = frozenset(_JOINS.split())
ENDS = frozenset(_ENDS.split())
WEAK = frozenset(_WEAK.split())
"""Words that say little by themselves: part of a phrase, never a label alone."""

FUNCTION_WORDS = LEFT_OUT | JOINS | ENDS
_CONTRACTED = re.compile(r".*'(?:ll|ve|re|d|m)")
_IN_IES = "movies cookies calories selfies zombies hoodies smoothies brownies ties pies lies"
_ENDS_IN_IE = frozenset(_IN_IES.split())
_COUNTED = re.compile(r"\d+(?:st|nd|rd|th)?")
_PARTICLES = frozenset({"up", "out", "off", "down", "back", "away"})
_LOGGING_IN = """
    log logs logged logging sign signs signed signing check checks checked checking cash cashed turn turned turning"""
_SAYS_LITTLE = WEAK | _PARTICLES
_PARTICLES_OF = {"in": frozenset(_LOGGING_IN.split()), "on": frozenset({"turn", "turned", "turning", "add", "log"})}
_NEGATED = re.compile(r".*n['\u2019]t|cannot|cant|dont|doesnt|didnt|wont|isnt|wasnt|hasnt|havent|couldnt|arent")
_DENIALS = frozenset({"not", "never", "cannot"})
_TELLING, _JOIN, _PARTICLE, _END, _GAP = range(5)


@lru_cache(maxsize=65_536)
def is_function_word(word: str) -> bool:
    """Return whether `word`, in lower case, says nothing by itself: "the", "please", "that'll"."""
    return word in FUNCTION_WORDS or _CONTRACTED.fullmatch(word.replace("\u2019", "'")) is not None


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """Return `word` without an English plural ending: what "flights" and "flight" count as."""
    if word in _ENDS_IN_IE:
        return word[:-1]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def counted_as(word: str) -> str:
    """Return what `word`, which is in lower case, counts as: "card's" and "cards" as "card", "isn't" as "not"."""
    plain = word.replace("\u2019", "'")
    return "not" if _NEGATED.fullmatch(plain) else singular(plain.removesuffix("'s"))


def is_denial(text: str) -> bool:
    """Return whether `text` says that something is not so: "card not working", "I can't pay"."""
    words = (match[0] for match in _TOKEN.finditer(text.lower().replace("\u2019", "'")))
    return any(word in _DENIALS or _NEGATED.fullmatch(word) is not None for word in words)


def may_be_label(words: list[str]) -> bool:
    """Return whether a phrase says something: at least one word that is no function word, particle or weak one."""
    strong = any(
        (len(word) > 2 or is_unspaced(word)) and word not in _SAYS_LITTLE and not is_function_word(word)
        for word in words
    )
    return strong and len(" ".join(words)) <= MAX_CHARACTERS


@dataclass(frozen=True)
class Phrase:
    """A phrase: what it counts as, how it is written in a name, and the words it was said in, as `counted_as`.

    is_noun: whether it names a thing, or may do so where nothing tells what its words are.
    """

    key: str
    surface: str
    said: tuple[str, ...]
    is_noun: bool = False


def phrases(text: str, stop: Collection[str] = (), denying: Collection[str] = ()) -> Iterator[Phrase]:
    """Yield the phrases of `text`, one to `MAX_TELLING` telling words each; some more than once.

    stop: further words that are left out, those of the text's language. Languages other than English need them between
    two others to be right ("annuler la carte"), so phrases are written with them where they are given. denying: those
    of them that deny ("nicht"), which a phrase keeps wherever they stand.
    """
    run: list[tuple[str, int, tuple[str, ...]]] = []
    skipped: list[str] = []
    for word, kind in _kinds(text):
        if word in denying:
            kind = _TELLING
        elif kind == _TELLING and word in stop:
            kind = _GAP
        if kind == _GAP:
            skipped.append(word)
            continue
        if kind == _END or len(skipped) > MAX_GAP:
            yield from _telling(_of_run(run, bool(stop)), denying)
            run = []
        if kind != _END:
            run.append((word, kind, tuple(skipped)))
        skipped = []
    yield from _telling(_of_run(run, bool(stop)), denying)


def _telling(found: Iterator[Phrase], denying: Collection[str]) -> Iterator[Phrase]:
    """Yield the phrases that say what is denied: "no funciona", "stimmt nicht", but not "Paket ist noch nicht"."""
    for phrase in found:
        if phrase.said[-1] in denying:
            *before, _ = phrase.surface.split()
            if not before or before[-1] in denying or singular(before[-1]) != phrase.said[-2]:
                continue
        yield phrase


def proper_names(texts: Iterable[str]) -> frozenset[str]:
    """Return the words, in lower case, that mostly begin with a capital within a sentence: names of places, brands."""
    capital, seen = Counter[str](), Counter[str]()
    for text in texts:
        for match in INNER_WORD.finditer(text):
            word = match[1]
            seen[word.lower()] += 1
            capital[word.lower()] += word[0].isupper() and word[1:].islower()
    return frozenset(word for word, count in capital.items() if count > 0.25 * seen[word])


@lru_cache(maxsize=65_536)
def _kind(word: str) -> int:
    """Return what `word` is to a phrase, whatever stands before it."""
    if not word[0].isalnum() or _COUNTED.fullmatch(word) or word in ENDS or word.removesuffix("'s") in ENDS:
        return _END
    if _NEGATED.fullmatch(word):
        return _JOIN
    if word in LEFT_OUT or _CONTRACTED.fullmatch(word):
        return _GAP
    return _JOIN if word in JOINS else _TELLING


def _kinds(text: str) -> Iterator[tuple[str, int]]:
    last = ""
    for match in _TOKEN.finditer(text.lower()):
        word = match[0].replace("\u2019", "'")
        kind = _kind(word)
        if word in _PARTICLES or (kind == _JOIN and last in _PARTICLES_OF.get(word, ())):
            kind = _PARTICLE
        elif kind == _JOIN and word not in JOINS:
            word = "not"
        elif kind == _TELLING:
            word = word.removesuffix("'s")
        yield word, kind
        last = word


def _of_run(run: list[tuple[str, int, tuple[str, ...]]], whole: bool) -> Iterator[Phrase]:
    for start, (_, kind, _) in enumerate(run):
        if kind != _TELLING:
            continue
        telling, joins = 0, 0
        for end in range(start, len(run)):
            kind = run[end][1]
            if kind == _JOIN:
                joins += 1
            elif kind == _PARTICLE:
                if end != start + telling - 1 + joins + 1 or run[end - 1][1] != _TELLING:
                    joins += 1
                    continue
            else:
                telling += 1
            if telling > MAX_TELLING or joins > 1:
                break
            cut = kind == _TELLING and end + 1 < len(run) and run[end + 1][1] == _PARTICLE  # "top" of "top up"
            if kind != _JOIN and not cut:
                words = [word for word, _, _ in run[start : end + 1]]
                if len(words) == 1 or len(set(words)) == len(words):
                    between = [word for _, _, skipped in run[start + 1 : end + 1] for word in skipped] if whole else []
                    if len(words) + len(between) <= MAX_WORDS:
                        yield _phrase(run[start : end + 1], words, whole)


def _phrase(part: list[tuple[str, int, tuple[str, ...]]], words: list[str], whole: bool) -> Phrase:
    key = tuple(map(singular, words))
    written = [word for place, (word, _, before) in enumerate(part) for word in ([*before, word] if place else [word])]
    return Phrase(" ".join(key), " ".join(written if whole else words), key, len(words) == 1)
