"""Dates and times in many spellings are of type other, after 1 to 1,000 events."""

# ruff: noqa: RUF001 - letters of other scripts are meant.
import datetime as dt
from random import Random

import pytest

from tests.analysis.fields.kinds import SIZES, Maker, found


def moment(random: Random) -> dt.datetime:
    return dt.datetime(2025, 1, 1) + dt.timedelta(seconds=random.randrange(60_000_000))


def written(form: str) -> Maker:
    """Times in a format of `strftime`."""
    return lambda random, i: moment(random).strftime(form)


MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "tr": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "hi": "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
}


def in_words(language: str, form: str) -> Maker:
    """Dates with the month's name, as `form` puts day, month, year, hour and minute."""
    names = MONTHS[language].split()

    def make(random: Random, i: int) -> str:
        at = moment(random)
        return form.format(d=at.day, m=names[at.month - 1], y=at.year, h=at.hour, mi=f"{at.minute:02d}")

    return make


DATES: dict[str, Maker] = {
    "JavaScript": written("%a %b %d %Y %H:%M:%S GMT+0100 (Central European Standard Time)"),
    "JavaScript in German": written("%a %b %d %Y %H:%M:%S GMT+0200 (Mitteleuropäische Sommerzeit)"),
    "toUTCString": written("%a, %d %b %Y %H:%M:%S GMT"),
    "toLocaleString": written("%m/%d/%Y, %I:%M:%S %p"),
    "BigQuery": written("%Y-%m-%d %H:%M:%S UTC"),
    "BigQuery with microseconds": written("%Y-%m-%d %H:%M:%S.%f UTC"),
    "Go": written("%Y-%m-%d %H:%M:%S +0000 UTC"),
    "Go with a monotonic clock": written("%Y-%m-%d %H:%M:%S.%f +0100 CET m=+0.012345678"),
    "Ruby": written("%Y-%m-%d %H:%M:%S +0100"),
    "Java": written("%a %b %d %H:%M:%S CET %Y"),
    "Java with a zone": written("%Y-%m-%dT%H:%M:%S+01:00[Europe/Berlin]"),
    "asctime": written("%a %b %d %H:%M:%S %Y"),
    "mail": written("%a, %d %b %Y %H:%M:%S +0100"),
    "web server": written("%d/%b/%Y:%H:%M:%S +0100"),
    "logging": written("%Y-%m-%d %H:%M:%S,%f"),
    "Oracle": written("%d-%b-%y %I.%M.%S.000000000 %p"),
    "SQL Server": written("%b %d %Y %I:%M%p"),
    "Excel": written("%m/%d/%Y %H:%M"),
    "photo": written("%Y:%m:%d %H:%M:%S"),
    "Python": written("datetime.datetime(%Y, %-m, %-d, %-H, %-M)"),
    "MongoDB": written('ISODate("%Y-%m-%dT%H:%M:%SZ")'),
    "chat": written("%b %d, %Y at %I:%M %p"),
    "chat of a telephone": written("[%d.%m.%y, %H:%M:%S]"),
    "US chat": written("%m/%d/%y, %I:%M %p"),
    "today": lambda random, i: f"{random.choice(['Today', 'Yesterday'])} at {moment(random):%I:%M %p}",
    "ago": lambda random, i: f"{random.randint(2, 59)} {random.choice(['minutes', 'hours', 'days'])} ago",
    "spoken": lambda random, i: f"{moment(random):%B} {random.choice(['1st', '2nd', '3rd', '14th', '22nd'])}",
    "spoken with a day": written("%A, %B %d"),
    "clock": written("%I:%M %p"),
    "month": written("%B %Y"),
    "Japanese": written("%Y年%m月%d日 %H:%M"),
    "Japanese with a day": written("%Y年%-m月%-d日(日)"),
    "Japanese without a year": written("%-m月%-d日"),
    "Chinese": written("%Y年%-m月%-d日 下午%-I点%M分"),
    "Korean": written("%Y년 %-m월 %-d일 오후 %-I시 %M분"),
    "French": in_words("fr", "{d} {m} {y}"),
    "French with a time": in_words("fr", "le {d} {m} {y} à {h}h{mi}"),
    "German": in_words("de", "{d}. {m} {y}"),
    "German with a time": in_words("de", "{d}. {m} {y} um {h}:{mi} Uhr"),
    "Spanish": in_words("es", "{d} de {m} de {y}"),
    "Portuguese": in_words("pt", "{d} de {m} de {y} às {h}:{mi}"),
    "Italian": in_words("it", "{d} {m} {y}"),
    "Dutch": in_words("nl", "{d} {m} {y}"),
    "Polish": in_words("pl", "{d} {m} {y}"),
    "Russian": in_words("ru", "{d} {m} {y} г."),
    "Turkish": in_words("tr", "{d} {m} {y}"),
    "Swedish": in_words("sv", "{d} {m} {y}"),
    "Arabic": in_words("ar", "{d} {m} {y}"),
    "Hindi": in_words("hi", "{d} {m} {y}"),
    "Vietnamese": lambda random, i: f"{moment(random).day} tháng {moment(random).month}, 2026",
}


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("n", SIZES)
def test_dates_and_times_are_other(kind: str, n: int) -> None:
    assert found("x", DATES[kind], n)["type"] == "other"
