"""Dates and times as people and programs write them, and what only looks like one."""

# ruff: noqa: RUF001 - letters of other scripts are meant.
import polars as pl
import pytest

from turret_pipeline.analysis.fields.dates import are_dates

DATES = """Fri Apr 10 2026 13:02:23 GMT+0100 (Central European Standard Time)
Fri Apr 10 2026 13:02:23 GMT+0200 (Mitteleuropäische Sommerzeit)
2026-02-22 04:21:55 UTC
2026-02-22 04:21:55 +0000 UTC
2026-02-22 04:21:55.123456789 +0100 CET m=+0.000123
Feb 22, 2026 at 04:21 AM
2026年02月22日 04:21
2026年2月22日(日) 午前4:21
2026年2月22日 下午4点21分
令和8年2月22日
2026년 2월 22일 오후 4시 21분
2026. 2. 22.
2026. 2. 22. 오후 4:21
Sun, 22 Feb 2026 04:21:55 +0100
Sun, 22 Feb 2026 04:21:55 -0500
Sun Feb 22 04:21:55 2026
Sun Feb 22 04:21:55 CET 2026
22/Feb/2026:04:21:55 +0100
22-FEB-26 04.21.55.000000000 AM
22-Feb-2026
Feb 22 2026  4:21AM
February 22nd 2026, 4:21:55 am
2/22/2026, 4:21:55 AM
2/22/26, 4:21\u202fAM
22.2.2026, 04:21:55
22/02/2026 à 04:21
[22/02/2026, 04:21:55]
[2026-02-22 04:21:55,123]
2026:02:22 04:21:55
2026-02-22_04-21-55
20260222T042155Z
2026-02-22T04:21:55.123Z
2026-02-22T04:21:55+01:00[Europe/Berlin]
2026-02-22 04:21 America/New_York
Sonntag, 22. Februar 2026 um 04:21 Uhr
So., 22. Feb. 2026
dimanche 22 février 2026 à 4h21
1er janvier 2026
22 de febrero de 2026, 4:21 p. m.
domingo, 22 de fevereiro de 2026 às 04:21
22 февраля 2026 г., 04:21
22 лютого 2026 р.
22 lutego 2026
22. února 2026
22. 2. 2026 4:21
22 Şubat 2026 Pazar
22 tháng 2, 2026
22 فبراير 2026
٢٢ فبراير ٢٠٢٦
22 फ़रवरी 2026
22 กุมภาพันธ์ 2569
22. helmikuuta 2026
søndag 22. februar 2026
2026. február 22.
22 Φεβρουαρίου 2026
22 באוגוסט 2026
Februar 2026
March 3rd
the 3rd of March
10:30 AM
5 pm
10:00 - 11:30
Today at 4:21 AM
tomorrow at 5pm
3 days ago
in 2 hours
vor 3 Tagen
il y a 3 jours
hace 2 horas
2 дня назад
3日前
datetime.datetime(2026, 2, 22, 4, 21)
Timestamp('2026-02-22 04:21:55')
ISODate("2026-02-22T04:21:55Z")
/Date(1771730515000)/
2026-02
2026-W08
Feb 22 – 24, 2026
2026-02-22 to 2026-02-23"""

NO_DATES = """LH 1637
12 km
2 lattes please
set 4
gen 5
mac 5
it's 10:30 now
call me at 10:30
March 3 was when I called
the 5
may I have 2
Room 204
10 of 12
2 people
book it for march 3 please
i want it on 2026-02-22
2026年2月22日に予約したい
3月の予約を変更したい
Windows 2026
Summer 2026
1 de 3
2 hours
in 5
second 2
1.2.3 rc
100 元"""


@pytest.mark.parametrize(("texts", "expected"), [(DATES, True), (NO_DATES, False)], ids=["dates", "near misses"])
def test_a_date_is_told_by_all_of_its_words(texts: str, expected: bool) -> None:
    each = texts.split("\n")
    found = are_dates(pl.Series(each))
    assert [text for text, is_date in zip(each, found, strict=True) if is_date != expected] == []


def test_no_texts_are_no_dates() -> None:
    assert are_dates(pl.Series([], dtype=pl.String)).to_list() == []
    assert are_dates(pl.Series(["", "-", "?"])).to_list() == [False] * 3
