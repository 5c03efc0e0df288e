"""Names and postal addresses of people, told by their form and by lists of names in many languages.

Form alone (two or three words with capitals) is that of cities, products and job titles too, so it says "may be a
name"; only a first and a last name that people bear says "is one". What the field is called decides where the form
does not (`semantics.field_names`).
"""

# ruff: noqa: RUF001 - letters of other scripts are meant.
from __future__ import annotations

import re

import polars as pl

from turret_pipeline.analysis.fields.words import family_names, given_names

_TITLES = (
    r"^(?:mrs?|ms|miss|mx|dr|prof|sir|dame|herrn?|frau|m|mme|mlle|sra?|srta|don|doña|dott|ing|pan|pani"
    r"|г-н|г-жа|д-р)\.?\s"
)
_SUFFIXES = r",?\s(?:jr|sr|ii|iii|iv|ph\.?d|m\.?d|esq|md|mba)\.?$|\s?(?:さん|様|氏|先生|女士|님|씨)$"
_WORD = r"\p{Lu}[\p{L}\p{M}'\u2019\u02bc]*(?:-\p{Lu}?[\p{L}\p{M}'\u2019]+)*\.?"
_PARTICLE = (
    r"(?:d[aeiu]|de la|del|della|do[s]?|van|van de[rn]?|von|zu|ter|ten|bin|ibn|binti?|al|el|la|le|y|e|af|av|ó|ní|mac)"
)
_FORM = (
    rf"^{_WORD},?(?:\s(?:{_PARTICLE}\s)?{_WORD}){{1,3}}$"
    # Han, kana and Hangul, with or without a blank; scripts without capitals: two or three words.
    r"|^\p{Han}{2,4}$|^\p{Han}{1,3}[\s\u3000]\p{Han}{1,3}$|^\p{Hangul}{2,4}$|^\p{Hangul}{1,2}\s\p{Hangul}{1,3}$"
    r"|^[\p{Katakana}\u30fc]+[\s\u3000・=\uff1d][\p{Katakana}\u30fc]+$"
    r"|^[\p{Arabic}\p{Hebrew}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}\p{Thai}\p{Georgian}\p{M}]+"
    r"(?:\s[\p{Arabic}\p{Hebrew}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}\p{Thai}\p{Georgian}\p{M}-]+){1,2}$"
)
FEW_NAMES = r"^[^\s\d?!:;()/]+(?:\s[^\s\d?!:;()/]+){0,5}$"
"""One to six words of letters: what can be a name."""
_PATRONYMIC = ("вич", "вна", "ічна", "ична")
_UNSPACED = re.compile(r"[\u3400-\u9fff\uac00-\ud7a3\u3005\s]{2,6}")
_CJK_FAMILY = (
    "王李张張刘劉陈陳杨楊黄黃吴吳赵趙周徐孙孫马馬朱胡林郭何高罗羅郑鄭梁谢謝宋唐许許邓鄧冯馮韩韓曹曾彭萧蕭蔡潘田董袁于余叶葉蒋蔣杜苏蘇魏"
    "程吕呂丁沈任姚卢盧傅钟鍾姜崔谭譚廖范汪陆陸金石戴贾賈韦韋夏邱侯邹鄒熊孟秦江阎薛尹段雷黎龙龍陶贺賀顾顧毛郝龚邵钱錢严嚴赖覃洪莫孔"
)

_STREET = (
    # 12 Oak Street, 12B rue de la Paix, ул. Ленина 12, Hauptstraße 12, Calle Mayor 3, 1-2-3 Shibuya, PO Box 12
    r"(?i)^(?:(?:flat|apt\.?|apartment|unit|suite|building|block|house|floor|no\.?|plot)\s#?[\w-]+,?\s)?#?\d+(?:-\d+)?"
    r"\s?[a-z]?,?\s(?:[^\s,]+\s){1,4}(?:street|str?|avenue|ave?|road|rd|lane|ln|drive|dr|boulevard|blvd|"
    r"court|ct|place|pl|square|sq|terrace|ter|way|close|crescent|cres|parkway|pkwy|highway|hwy|row|mews|grove|gardens?|"
    r"circle|cir|trail|trl|alley|walk|quay|hill|marg|nagar|salai)\.?(?:\s(?:n|s|e|w|ne|nw|se|sw|north|south|east"
    r"|west))?"
    r"(?:,\s?.+|\s(?-i:\p{Lu}|\d).*)?$"
    r"|^\d+\s?(?:bis|ter|[a-z])?,?\s(?:rue|avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai|cours|route"
    r"|square)\s"
    r".+$"
    r"|^(?:calle|c/|avenida|avda?\.?|plaza|paseo|carrera|cra\.?|camino|via|viale|piazza|corso|vicolo|rua|travessa"
    r"|praça|largo|"
    r"ul\.|ulica|ulice|al\.|aleja|aleje|os\.|pl\.|plac|borgo|contrada|strada|viela|λεωφ|ул\.?|улица|вул\.?|вулиця"
    r"|пр-т|пр\.|проспект|пер\.|бул\.?|str\.|strada|bulevardul|jl\.|jalan|"
    r"οδός|شارع|רחוב|straße|strasse)\s?(?-i:[\p{Lu}\p{Lo}]).+\d.*$"
    r"|^[^\d,]+(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|straat|laan|plein|gracht|kade|dijk|dreef"
    r"|baan|hof|boulevard|"
    r"singel|gatan|vägen|gata|gate|vej|gade|veien|vegen|katu|tie|utca|út|tér|sokak|sok\.|caddesi|cad\.|bulvarı)\s?"
    r"(?:no:?\s?)?\d.*$"
    r"|^(?-i:Am|An der|Auf der|Im|Zum|Zur)\s(?-i:\p{Lu})[\p{L}-]+\s\d+\s?[a-z]?(?:,.+)?$"
    r"|(?:sokak|sok\.|caddesi|cad\.|mahallesi|mah\.)[\s,].*\d"
    r"|^(?:p\.?\s?o\.?\s?box|postfach|apartado|caixa postal|boîte postale|skrytka)\s?\d+.*$"
    r"|[\s,](?:д|дом|буд|кв)\.?\s\d|^\d[\d/]*\s(?:phố|đường|ถ\.|ถนน)|(?:phường|quận|ต\.|อ\.|จ\.)\s?\S"
    # Japan, China, Korea
    r"|^(?:〒\d{3}-\d{4}\s?)?\p{Han}{1,4}[都道府県].+[市区町村].*\d|[丁番]目?\d|\d+丁目|\d+番地"
    r"|\p{Han}(?:路|街|道|巷|弄)\s?[\dA-Za-z]|\d+\s?[号號](?:楼|室|院)?$|[시도구군]\s\p{Hangul}+\d*(?:로|길|동|가)\s?\d"
    r"|[시도]\s\p{Hangul}+[구군]\s\p{Hangul}+.*\d|\p{Hangul}[로길]\s\d+"
)


# Neužilova 7, 518 01 Chotěboř: capitals, a number and a postcode, with a comma.
_PARTS = (
    r"^(?:[\p{Lu}\p{Lo}][\p{L}\p{M}.'\u2019-]*|\p{Ll}{1,4}\.?"
    r"|[\d/-]+\p{L}?)(?:[,\s]+(?:\(?[\p{Lu}\p{Lo}][\p{L}\p{M}.'\u2019)-]*"
    r"|\p{Ll}{1,4}\.?|[\d/-]+[\p{L}ªº]?))+$"
)
_NUMBERS = (
    r"\d.*,.*(?:^|[\s,])(?:\d{2}-\d{3}|\d{3}\s\d{2}|\d{5}(?:-\d{3,4})?|\d{6,8}|\d{4}\s?[A-Z]{2}"
    r"|\d{4}\s\p{Lu}\p{L}+)(?:$|[\s,])"
)


def are_addresses(texts: pl.Series) -> pl.Series:
    """Return whether each of `texts` (with digits, no nulls) has the form of a postal address."""
    return texts.str.contains(_STREET) | (texts.str.contains(_NUMBERS) & texts.str.contains(_PARTS))


def are_names(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return whether each of `texts` (no nulls) is the name of a person, and whether it has the form of one."""
    # "Lopez, Peter" is "Peter Lopez"; initials and particles between the names say nothing.
    bare = texts.str.to_lowercase().str.replace(_TITLES, "").str.replace(_SUFFIXES, "")
    bare = bare.str.replace(r"^([^,]+),\s?(.+)$", "$2 $1").str.replace_all("\u2019", "'", literal=True)
    given, family = given_names(), family_names()
    known = pl.Series([_is_name(text, given, family) for text in bare], dtype=pl.Boolean)
    return known, known | texts.str.contains(_FORM)


def _is_name(text: str, given: frozenset[str], family: frozenset[str]) -> bool:
    """Whether the first and the last word of `text` are a first and a last name, in either order."""
    words = text.split()
    if not words:
        return False
    if text[0] >= "\u2e80" and _UNSPACED.fullmatch(text):
        name = "".join(words)
        if name[0] >= "\uac00":
            return len(name) == 3 and name[0] in family and name[1:] in given
        return (name[0] in _CJK_FAMILY and len(name) <= 3) or (name[:2] in family and len(name) >= 3)
    if len(words) < 2:
        return False
    if any(word.endswith(_PATRONYMIC) for word in words[1:]):
        return True
    # Jean-Pierre and Jean are both given.
    first, last = words[0].partition("-")[0], words[-1].rpartition("-")[2]
    return len(last) > 1 and ((first in given and last in family) or (first in family and last in given))
