"""Write the word lists of `turret_pipeline/analysis/fields/words`, by which dates and names of people are told.

    pip install babel==2.19.0 faker==40.63.0
    python tools/collect_words.py

Months, days of the week, halves of the day and units of time come from the Unicode CLDR, through Babel; names from the
person providers of Faker. The lists are kept in the repository because they hardly change: the product then needs
neither package, and a build does not spend half a second on loading 60 languages.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant.
from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import faker.providers.person as person
from babel import Locale
from babel.dates import format_timedelta
from babel.units import format_unit

WORDS = Path(__file__).parent.parent / "turret_pipeline" / "analysis" / "fields" / "words"
LANGUAGES = (
    "en de fr es it pt nl da sv nb fi is pl cs sk hu ro bg hr sr sr_Latn sl mk sq el ru uk be tr az kk uz ka hy he "
    "ar fa "
    "ur hi bn ta te mr gu pa kn ml th vi id ms fil sw af et lv lt ca eu gl ga cy ja zh ko"
)
SPAN = {"month": 31, "year": 366}
UNITS = ("second", "minute", "hour", "day", "week", "month", "year")

ROMANIZED_GIVEN = (
    "Wei Fang Jing Min Lei Jun Yan Ying Hui Ming Xin Yu Jie Lin Tao Hao Bo Feng Gang Qiang Yong Hong Mei Na Xiu Lan "
    "Xiaoming Xiaoli Yifan Zihan Haoran Yuxuan Siyu Jiayi Ziyi Yuki Haruto Sota Ren Minato Yuto Haruka Sakura Yui Hina "
    "Mio Rin Aoi Akira Kenji Takeshi Hiroshi Satoshi Makoto Naoko Keiko Yoko Kaori Minjun Seojun Jiwoo Seoyeon Minseo "
    "Jimin Hyun Jisoo Soojin Minho Jihoon Ngozi Chidi Emeka Ifeoma Kwame Kofi Ama Abena Thabo Sipho Aarav Vihaan Arjun "
    "Rohan Rahul Priya Ananya Diya Sanjay Sunita Anjali Deepak Kavita Omar Hassan Ali Layla Leila Yusuf Ibrahim Khalid "
    "Aisha Zainab Mariam Linh Minh Thu Huong Nam Dung Tuan Hoa Mai Zoe Chloe Jose Jesus"
)
ROMANIZED_FAMILY = (
    "Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Lin Gao Luo Zheng Liang Xie Song Tang Deng "
    "Han Feng Cao Peng Zeng Xiao Tian Dong Pan Yuan Cai Jiang Yu Du Ye Cheng Wei Su Lu Ding Ren Shen Yao Zhong Tan Lim "
    "Kim Lee Park Choi Jung Kang Cho Yoon Jang Lim Shin Kwon Hwang Ahn Nguyen Tran Le Pham Hoang Phan Vu Vo Dang "
    "Bui Do "
    "Tanaka Nakamura Smit Papadopoulos Okafor Adeyemi Mensah Hassan Ali Hussein Ibrahim Rahman Haddad"
)
"""Common names in Latin letters that Faker has in their own script only."""

MARKS = {
    "P": "오전 오후 午前 午後 上午 下午 am pm a.m p.m uhr o'clock oclock h hrs klo kl klokken heures",
    "Z": "utc gmt z zulu cet cest eet eest wet west bst ist msk est edt cst cdt mst mdt pst pdt akst akdt hst jst kst "
    "hkt sgt aest aedt acst awst nzst nzdt pkt wib wita wit brt art clt pet ict pht mez mesz sast eat wat cat",
    "R": "today yesterday tomorrow tonight heute gestern morgen hier aujourd'hui demain hoy ayer mañana oggi ieri "
    "domani hoje ontem amanhã сегодня вчера завтра 今天 昨天 明天 今日 昨日 明日 오늘 어제 내일 vandaag gisteren "
    "dzisiaj wczoraj",
    "G": "ago vor hace fa siden sedan назад тому temu önce geleden dans in через za il ya a há atrás "
    "前 후 전 later noin",
    "c": "at on um à a las le la el de del do da di of the den der dem d kl as às o os e y und and am t g г р года "
    "году р. r ore alle ób ngày năm năm lúc tháng в о w v om te på saat yıl yılı",
    "o": "st nd rd th er re ème e º ª ste de",
    "K": "tháng",
}
"""Words beside those of the CLDR: by the letter of their kind, see `analysis.fields.dates`."""
PERSIAN = "فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند"


def _plain(word: str) -> str:
    return word.lower().replace("\u200f", "").replace("\u200e", "").replace("\xa0", " ").strip().rstrip(".,'’")


def date_words() -> dict[str, str]:
    """Return every word that is part of a date, in lower case, with the letter of its kind."""
    found: dict[str, str] = {}
    for language in LANGUAGES.split():
        locale = Locale.parse(language)
        for unit in UNITS:
            for length in ("long", "short"):
                for n in (1, 2, 3, 5, 11):
                    said = re.sub(r"[\d٠-٩۰-۹]+", " ", format_unit(n, f"duration-{unit}", length=length, locale=locale))
                    _add(found, "U", [word for word in said.split() if len(_plain(word)) > 1])
        for kind, names in (("W", locale.days), ("M", locale.months)):
            for form in names.values():
                for width in ("wide", "abbreviated"):
                    _add(found, kind, (form[width].values()) if width in form else ())
        _add_relative(found, locale)
        _add(found, "P", [locale.periods[half] for half in ("am", "pm") if half in locale.periods])
    english = {
        _plain(name) for width in ("wide", "abbreviated") for name in Locale("en").months["format"][width].values()
    }
    found.update({word: "m" for word, kind in found.items() if kind == "M" and len(word) < 4 and word not in english})
    for kind, words in MARKS.items():
        for word in words.split():
            if found.get(_plain(word)) not in ("M", "m", "W"):
                found[_plain(word)] = kind
    hebrew = [f"ב{name}" for name in Locale("he").months["format"]["wide"].values()]
    _add(found, "M", [*PERSIAN.split(), *hebrew, "sept"])
    return found


def _add(found: dict[str, str], kind: str, words: Iterable[str]) -> None:
    for word in map(_plain, words):
        # Words of one letter, and months that are a number and a word, say too little or are read otherwise.
        if len(word) > 1 and not re.search(r"[\d\s]", word):
            found[word] = kind


def _add_relative(found: dict[str, str], locale: Locale) -> None:
    """Add what "ago" and "in" are: the words of "3 days ago" and "in 3 days" that are not the unit."""
    for unit in UNITS:
        stems = {word[:2] for word in format_unit(3, f"duration-{unit}", locale=locale).lower().split()[1:]}
        for days in (3, -3):
            said = format_timedelta(
                dt.timedelta(**{f"{unit}s": days})
                if unit not in ("month", "year")
                else dt.timedelta(days * SPAN[unit]),
                granularity=unit,
                threshold=100,
                add_direction=True,
                locale=locale,
            )
            for word in map(_plain, said.split()):
                if found.get(word) not in ("M", "W"):
                    _add(found, "U" if word[:2] in stems else "G", [word])


def names(part: str) -> Iterator[str]:
    """Yield the first or last names (`part`) of all of Faker's languages, in lower case, one word each."""
    for module in pkgutil.iter_modules(person.__path__):
        provider = importlib.import_module(f"{person.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            lists = getattr(provider, attribute)
            if part in attribute and "format" not in attribute and isinstance(lists, tuple | list | dict):
                for name in lists:
                    if isinstance(name, str) and "{" not in name:
                        yield name.lower().replace("’", "'").split(" ")[0 if part == "first_name" else -1]


def main() -> None:
    """Write the three lists, sorted."""
    dates = sorted(f"{word}\t{kind}" for word, kind in date_words().items())
    given = {*names("first_name"), *ROMANIZED_GIVEN.lower().split()}
    family = {*names("last_name"), *ROMANIZED_FAMILY.lower().split()}
    for file, lines in (("dates.tsv", dates), ("given_names.txt", sorted(given)), ("family_names.txt", sorted(family))):
        kept = [line for line in lines if not re.search(r"[\d.()]", line) or file == "dates.tsv"]
        (WORDS / file).write_text("\n".join(each for each in kept if each) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
