"""National ids, by their shape and their checksum (python-stdnum has the methods).

A shape that many numbers have, such as nine digits with a check digit, counts only behind a word that says what it is,
in the text or in the name of the field: one in ten order numbers would have it else.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import re2

from turret_api.masking.kinds import NATIONAL_ID, Found
from turret_api.masking.plain import IN_WORD, said_before, windows
from turret_api.masking.sieve import IDS_WITH_LETTERS, NUMBERS


class Id(NamedTuple):
    """A national id.

    Args:
        module: of `stdnum`, which checks it; None: its shape is all that there is to check.
        shape: as it is written.
        words: pattern (RE2) of which one must stand before it; None: its shape says enough.
    """

    module: str | None
    shape: re.Pattern[str]
    words: Any


_ANY = r"national id|id number|identity|identification|personal (?:code|number)|tax (?:id|number)|\btin\b|passport"
_ANY += "|身份证|身份證|マイナンバー"


def _id(module: str | None, shape: str, words: str | None = None) -> Id:
    return Id(
        module,
        re.compile(f"(?:{shape})(?!{IN_WORD})(?![.,-]\\d)", re.IGNORECASE),
        None if words is None else re2.compile(f"(?i){words}|{_ANY}"),
    )


_DATE6 = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_NINO = r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?<!BG|GB|KN|NK|NT|TN|ZZ)"
"""The letters with which a UK National Insurance number begins (HMRC, NIM39110)."""
_6DATE = r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d"

IDS = (
    _id("us.ssn", r"\d{3}-\d{2}-\d{4}"),
    _id("us.itin", r"9\d{2}-[5-9]\d-\d{4}"),
    _id("us.ssn", r"\d{3} \d{2} \d{4}|\d{9}", r"\bssn\b|social security"),
    _id("ca.sin", r"\d{3}[ -]\d{3}[ -]\d{3}|\d{9}", r"\bsin\b|social insurance|\bnas\b"),
    _id("es.dni", r"\d{2}\.?\d{3}\.?\d{3}[ -]?[A-Z]"),
    _id("es.nie", r"[XYZ][ -]?\d{7}[ -]?[A-Z]"),
    _id("it.codicefiscale", r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
    _id("fr.nir", r"[12][ .]?\d\d[ .]?(?:0[1-9]|1[0-2]|[2-9]\d)[ .]?\d[\dAB][ .]?\d{3}[ .]?\d{3}[ .-]?\d\d"),
    _id("de.idnr", r"\d{2} \d{3} \d{3} \d{3}"),
    _id("de.idnr", r"\d{11}", r"steuer|\bidnr|tax"),
    _id("nl.bsn", r"\d{4}[. ]?\d{2}[. ]?\d{3}|\d{9}", r"\bbsn\b|burgerservice|sofi"),
    _id("be.nn", r"\d\d\.(?:0\d|1[0-2]|[24]\d)\.\d\d-\d{3}[.-]\d\d"),
    _id("be.nn", rf"{_DATE6}\d{{5}}"),
    _id("pl.pesel", r"\d\d(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12]\d|3[01])\d{5}"),
    _id("pt.nif", r"\d{3} ?\d{3} ?\d{3}", r"\bnif\b|contribuinte|fiscal"),
    _id("se.personnummer", rf"(?:(?:19\d\d|20[01]\d){_DATE6[4:]}|{_DATE6})[-+]\d{{4}}"),
    _id("se.personnummer", rf"(?:19|20){_DATE6}\d{{4}}|{_DATE6}\d{{4}}", r"person(?:nummer|nr)|samordning"),
    _id("fi.hetu", rf"{_6DATE}[-+A-FU-Y]\d{{3}}[0-9A-FHJ-NPR-Y]"),
    _id("dk.cpr", rf"{_6DATE}-\d{{4}}"),
    _id("dk.cpr", rf"{_6DATE}\d{{4}}", r"\bcpr\b|personnummer"),
    _id("no.fodselsnummer", rf"{_6DATE}[ -]?\d{{5}}"),
    _id("gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", r"\bnhs\b"),
    _id(None, rf"(?-i:{_NINO}(?:\d{{6}}[A-D]|(?: \d\d){{3}} [A-D]|(?:-\d\d){{3}}-[A-D]))"),
    _id(None, rf"{_NINO}(?:[ -]?\d\d){{3}}[ -]?[A-D]", r"\bnino\b|national insurance|\bni (?:number|no\b)"),
    _id("in_.aadhaar", r"[2-9]\d{3} \d{4} \d{4}"),
    _id("in_.aadhaar", r"[2-9]\d{3}-?\d{4}-?\d{4}", r"aadha?ar|\buid(?:ai)?\b"),
    _id("in_.pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", r"\bpan\b|permanent account"),
    _id("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d\d|\d{11}"),
    _id("br.cnpj", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d\d"),
    _id("br.cnpj", r"\d{14}", r"\bcnpj\b"),
    _id("cn.ric", r"\d{6}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]"),
    _id("kr.rrn", rf"{_DATE6}-\d{{7}}"),
    _id("kr.rrn", rf"{_DATE6}[1-8]\d{{6}}", r"\brrn\b|주민|resident"),
    _id("tr.tckimlik", r"[1-9]\d{10}"),
    _id("ro.cnp", r"[1-9]\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{6}"),
    _id("bg.egn", r"\d\d(?:[024][1-9]|[135][0-2])(?:0[1-9]|[12]\d|3[01])\d{4}", r"\begn\b|егн"),
    _id("cz.rc", r"\d\d(?:[0257]\d|[1368][0-2])(?:0[1-9]|[12]\d|3[01])/\d{3,4}"),
    _id("hr.oib", r"\d{11}", r"\boib\b"),
    _id("si.emso", rf"{_6DATE}\d{{7}}", r"\bemšo\b|\bemso\b|jmbg"),
    _id("ee.ik", r"[1-8]\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}"),
    _id("lv.pvn", rf"{_6DATE}-\d{{5}}"),
    _id("ie.pps", r"\d{7}[A-W][ABHWTX]?"),
    _id("ch.ssn", r"756\.\d{4}\.\d{4}\.\d\d|756\d{10}"),
    _id("at.vnr", r"\d{4} ?\d{6}", r"\bsvnr\b|versicherungsnummer|sozialversicherung"),
    _id("gr.amka", rf"{_6DATE}\d{{5}}", r"amka|αμκα"),
    _id("il.idnr", r"\d{9}", r"teudat|תעודת"),
    _id("za.idnr", rf"{_DATE6}\d{{4}}[01]\d\d"),
    _id("mx.curp", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d"),
    _id("cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]|\d{7,8}-[\dK]"),
    _id("ar.cuit", r"(?:20|2[3-7]|30|33|34)-\d{8}-\d"),
    _id("th.pin", r"[1-8]-\d{4}-\d{5}-\d\d-\d"),
    _id("th.pin", r"[1-8]\d{12}", r"เลขประจำตัว"),
    _id("au.tfn", r"\d{3} ?\d{3} ?\d{3}", r"\btfn\b|tax file"),
)
"""A country's ids, with their checksums; of the United States, the United Kingdom and Denmark, which have none, with
their ranges."""

_OF_LETTERS = tuple(each for each in IDS if re.match(r"\(\?:(?:\(\?-i:)?\[[A-Z]", each.shape.pattern))
_OF_DIGITS = tuple(each for each in IDS if each not in _OF_LETTERS)
_START = re.compile(
    rf"(?<!(?!_){IN_WORD})(?<!\d[.,/-])"
    r"(?:[0-9]|[XYZxyz][ -]?[0-9]{7}|[A-Za-z]{2}(?=[ -]?[0-9]{2})|[A-Za-z]{4,6}[0-9LMNP-Vlmnp-v]{2})"
)
_ANY_OF_DIGITS = re2.compile("(?i)" + "|".join(each.shape.pattern.partition("(?![")[0] for each in _OF_DIGITS))
_CONTEXT = 45
_LEAST_DIGITS = 4
_MOST = 24


def national_ids(text: str, key: str = "") -> Iterator[Found]:
    """Yield the national ids; `key`: the name of the field, which may say what it holds."""
    behind = 0
    starts = (start for window in windows(text, NUMBERS, IDS_WITH_LETTERS) for start in _START.finditer(text, *window))
    for start in starts:
        at = start.start()
        if at < behind or sum(map(str.isdigit, text[at : at + _MOST])) < _LEAST_DIGITS:
            continue
        is_digit = text[at].isdigit()
        if is_digit and _ANY_OF_DIGITS.match(text[at : at + _MOST]) is None:
            continue
        before: str | None = None
        for each in _OF_DIGITS if is_digit else _OF_LETTERS:
            match = each.shape.match(text, at)
            if match is None:
                continue
            if each.words is not None:
                if before is None:
                    before = said_before(text, at, _CONTEXT, key)
                if each.words.search(before) is None:
                    continue
            if _is_valid(each.module, match[0]):
                behind = match.end()
                yield Found(at, behind, NATIONAL_ID)
                break


def _is_valid(module: str | None, written: str) -> bool:
    if len(set(filter(str.isalnum, written))) < 3:
        return False
    if module is None:
        return True
    method = _method(module)
    return bool(method.is_valid(written) or method.is_valid(written.replace(".", "")))


@lru_cache(4096)
def is_said_by(key: str) -> bool:
    """Tell whether a field of this name holds a national id, as `ssn` does."""
    name = key.replace("_", " ")
    return any(each.words.search(name) for each in IDS if each.words is not None)


@cache
def _method(module: str) -> ModuleType:
    return importlib.import_module(f"stdnum.{module}")
