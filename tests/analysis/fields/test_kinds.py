"""Kinds of columns as people have them, each in many spellings, judged after 1 to 10,000 events.

A kind is a maker of values; what it may be found to be stands beside it. Near misses look alike and are something else.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant.
import datetime as dt
import json
from collections.abc import Callable
from random import Random

import polars as pl
import pytest

from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake.tables import FIELD_OVERRIDES, TIME

SIZES = (1, 10, 100, 1_000)
Maker = Callable[[Random, int], object]


def found(field: str, make: Maker, n: int) -> dict[str, object]:
    """The field's row of `field_types` after `n` events, with its summary."""
    random = Random(f"{field} {n}")
    metadata = [json.dumps({field: make(random, i)}) for i in range(n)]
    at = [dt.datetime(2026, 3, 1, tzinfo=dt.UTC)] * n
    events = pl.DataFrame({"metadata": metadata, "timestamp": at}, schema={"metadata": pl.String, "timestamp": TIME})
    profiles = profile_fields(events).with_columns(received_date=pl.lit(dt.date(2026, 3, 1)))
    row = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types.row(0, named=True)
    return {**row, "summary": json.loads(row["summary"])}


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


def amount(random: Random, most: float = 900) -> str:
    return f"{random.uniform(1, most):.2f}"


MEASURES: dict[str, Maker] = {
    "sizes": lambda random, i: f"{amount(random)} GB",
    "sizes of many units": lambda random, i: f"{amount(random)} {random.choice(['B', 'KiB', 'MB', 'GB'])}",
    "distances": lambda random, i: f"{random.uniform(0, 300):.1f} km",
    "milliseconds": lambda random, i: f"{random.randint(5, 900)}ms",
    "tokens": lambda random, i: f"{random.randint(5, 9000)} tokens",
    "thousands of tokens": lambda random, i: f"{random.randint(1, 90)},{random.randint(100, 999)} tokens",
    "prices a month": lambda random, i: f"${random.randint(5, 9000)}/month",
    "durations": lambda random, i: f"{random.randint(1, 23)}h {random.randint(1, 59)}m {random.randint(1, 59)}s",
    "durations in words": lambda random, i: f"{random.randint(2, 23)} hours and {random.randint(2, 59)} minutes",
    "durations of ISO 8601": lambda random, i: f"PT{random.randint(1, 59)}M{random.randint(1, 59)}S",
    "heights": lambda random, i: f"{random.randint(4, 6)}'{random.randint(0, 11)}\"",
    "temperatures": lambda random, i: f"{random.uniform(-20, 40):.1f} °C",
    "rates": lambda random, i: f"{amount(random)} req/s",
    "miles an hour": lambda random, i: f"{random.randint(5, 900)} miles per hour",
    "areas": lambda random, i: f"{random.randint(20, 2000)} m²",
    "square feet": lambda random, i: f"{random.randint(200, 20000)} sq ft",
    "ages": lambda random, i: f"{random.randint(2, 999)} years old",
    "weights in Russian": lambda random, i: f"{random.randint(2, 999)} кг",
    "distances in Chinese": lambda random, i: f"{random.randint(2, 999)}公里",
    "prices in Japanese": lambda random, i: f"{random.randint(2, 999)}円",
    "decimals with a comma": lambda random, i: f"{random.randint(2, 99)},{random.randint(1, 9)} kg",
    "ranges": lambda random, i: f"{random.randint(2, 99)}-{random.randint(100, 999)} km",
    "screens": lambda random, i: f"{random.randint(600, 4000)}x{random.randint(600, 4000)}",
    "boxes": lambda random, i: f"{random.randint(2, 90)} x {random.randint(2, 90)} x {random.randint(2, 90)} cm",
    "scores": lambda random, i: f"{random.randint(0, 100)} of 100",
    "about": lambda random, i: f"~{random.randint(2, 900)} MB",
}
CODES: dict[str, Maker] = {
    "flights": lambda random, i: f"{random.choice(['LH', 'BA', 'U2'])} {random.randint(100, 2400)}",
    "flights without a blank": lambda random, i: f"{random.choice(['LH', 'BA', 'AF'])}{random.randint(100, 2400)}",
    "trains": lambda random, i: f"{random.choice(['ICE', 'IC', 'RE'])} {random.randint(2, 2400)}",
    "number plates": lambda random, i: f"B-{random.choice(['MW', 'XA', 'T'])} {random.randint(100, 9999)}",
    "British number plates": lambda random, i: (
        f"{random.choice(['AB', 'KY'])}{random.randint(10, 99)} XY{random.choice('ABC')}"
    ),
    "gates": lambda random, i: f"Gate {random.choice('ABC')}{random.randint(1, 90)}",
    "rooms": lambda random, i: f"Room {random.randint(100, 9000)}",
    "tickets": lambda random, i: f"#{random.randint(100, 90000)}",
    "orders": lambda random, i: f"Order #{random.randint(100, 90000)}",
    "invoices": lambda random, i: f"INV 2026/{random.randint(100, 90000)}",
    "numbers": lambda random, i: f"No. {random.randint(100, 90000)}",
    "IBANs": lambda random, i: f"DE{random.randint(10, 99)} 3704 0044 0532 {random.randint(1000, 9999)} 00",
    "classes": lambda random, i: f"{random.choice(['CS', 'MATH', 'PHY'])} {random.randint(100, 600)}",
    "standards": lambda random, i: f"ISO {random.randint(100, 60000)}:20{random.randint(10, 26)}",
    "Dutch postcodes": lambda random, i: f"{random.randint(1000, 9999)} {random.choice('ABC')}{random.choice('XYZ')}",
    "dicts of Python": lambda random, i: f"{{'role': 'user', 'n': {random.randint(1, 9000)}}}",
    "lists of Python": lambda random, i: f"['a', {random.randint(1, 9000)}, None]",
}


@pytest.mark.parametrize("kind", [*MEASURES, *CODES])
@pytest.mark.parametrize("n", SIZES)
def test_measures_and_codes_are_never_text(kind: str, n: int) -> None:
    assert found("x", {**MEASURES, **CODES}[kind], n)["type"] in ("other", "enum")


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("n", SIZES[1:])
def test_measures_are_other_while_there_are_many(kind: str, n: int) -> None:
    row = found("x", MEASURES[kind], n)
    assert row["type"] == "other" or row["n_distinct"] <= 50


def test_a_few_sizes_are_options() -> None:
    assert found("ram", lambda random, i: random.choice(["8 GB", "16 GB", "32 GB"]), 100)["type"] == "enum"


VERSIONS: dict[str, tuple[str, list[str]]] = {
    "Python, by its values": ("x", ["3.9", "3.10", "3.11", "3.12"]),
    "iOS, by its values": ("x", ["16.4", "17.0", "17.1", "17.10"]),
    "Node": ("x", ["v18.19", "v20.1", "v20.10"]),
    "three parts": ("x", ["3.10.2", "3.1.2", "3.1.20"]),
    "two and three parts": ("x", ["3.10", "3.1", "3.1.2"]),
    "before a release": ("x", ["2.0-beta", "2.0 rc1", "2.1-alpha.3", "2.10"]),
    "with a word": ("x", ["iOS 17.1", "iOS 17.10", "Android 14"]),
    "by name": ("app_version", ["1.0", "1.1", "1.2"]),
    "by name, in one word": ("appVersion", ["4.10", "4.20", "4.30"]),
    "by name of the software": ("ios", ["16.4", "17.0", "17.1"]),
    "whole ones by name": ("version", ["1", "2", "10"]),
    "with a build": ("x", ["1.2.3 (456)", "1.2.30 (460)"]),
}


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize("n", SIZES[2:])
def test_versions_are_options_each_in_its_own_spelling(kind: str, n: int) -> None:
    field, versions = VERSIONS[kind]
    row = found(field, lambda random, i: random.choice(versions), n)
    assert row["type"] == "enum"
    assert {value["value"] for value in row["summary"]["values"]} == set(versions)


AMOUNTS: dict[str, tuple[str, Maker]] = {
    "prices with two decimals": ("price", lambda random, i: f"{random.uniform(1, 40):.2f}"),
    "few prices": ("price", lambda random, i: random.choice(["3.10", "3.50", "12.90"])),
    "ratings": ("rating", lambda random, i: random.choice(["3.5", "4.0", "4.5", "5.0"])),
    "ratings by name of a person": ("driver_rating", lambda random, i: random.choice(["3.5", "4.0", "4.5", "5.0"])),
    "floats": ("x", lambda random, i: str(round(random.uniform(1, 40), random.randint(1, 2)))),
    "many amounts by hand": ("x", lambda random, i: f"{random.uniform(1, 99):.{random.randint(1, 2)}f}"),
    "counts": ("zip_files", lambda random, i: random.randint(0, 40)),
    "JSON numbers": ("x", lambda random, i: random.choice([3.1, 3.12, 3.9])),
}


@pytest.mark.parametrize("kind", AMOUNTS)
@pytest.mark.parametrize("n", SIZES[1:])
def test_amounts_are_numbers_though_they_are_spelled_like_versions(kind: str, n: int) -> None:
    assert found(*AMOUNTS[kind], n)["type"] == "number"


POSTCODES: dict[str, tuple[str, Maker]] = {
    "of one town": ("postcode", lambda random, i: str(random.randint(10115, 10999))),
    "as numbers": ("zip", lambda random, i: random.randint(10115, 10999)),
    "of four digits": ("plz", lambda random, i: str(random.randint(1010, 9999))),
    "of six digits": ("pincode", lambda random, i: random.randint(110001, 110096)),
    "in two words": ("postalCode", lambda random, i: random.randint(10000, 99999)),
    "zip+4": ("x", lambda random, i: f"{random.randint(10000, 99999)}-{random.randint(1000, 9999)}"),
    "Swedish": ("x", lambda random, i: f"{random.randint(100, 999)} {random.randint(10, 99)}"),
    "Polish": ("x", lambda random, i: f"{random.randint(10, 99)}-{random.randint(100, 999)}"),
    "Japanese": ("x", lambda random, i: f"{random.randint(100, 999)}-{random.randint(1000, 9999)}"),
    "Canadian": ("x", lambda random, i: f"K{random.randint(1, 9)}A {random.randint(0, 9)}B{random.randint(1, 9)}"),
    "with a zero in front": ("x", lambda random, i: f"{random.randint(1067, 9999):05d}"),
}


@pytest.mark.parametrize("kind", POSTCODES)
@pytest.mark.parametrize("n", SIZES)
def test_postcodes_are_no_numbers_and_no_text(kind: str, n: int) -> None:
    assert found(*POSTCODES[kind], n)["type"] in ("other", "enum")


GIVEN = {
    "Latin": "Peter Wei Maria Aiko Fatima Ravi Olga Kwame Ingrid Carlos Chloe Jan Mehmet Sofia Liam",
    "Cyrillic": "Иван Ольга Сергей Анна Дмитрий Татьяна Алексей Наталья",
    "Greek": "Γιώργος Μαρία Νίκος Ελένη Κώστας",
    "Arabic": "محمد أحمد علي خالد مريم عمر",
    "Hindi": "राहुल प्रिया अमित",
}
FAMILY = {
    "Latin": "Lopez Kim Dubois Olsen Khan Novak Singh Tanaka Rossi Meyer Smith Garcia Nguyen O'Brien García-Márquez",
    "Cyrillic": "Иванов Петрова Смирнов Кузнецова Попов Соколова",
    "Greek": "Παπαδόπουλος Γεωργίου Δημητρίου Νικολάου",
    "Arabic": "حسن الحسيني محمود العلي",
    "Hindi": "शर्मा वर्मा सिंह गुप्ता",
}


def named(script: str, form: str = "{given} {family}") -> Maker:
    given, family = GIVEN[script].split(), FAMILY[script].split()
    return lambda random, i: form.format(given=random.choice(given), family=random.choice(family))


PEOPLE: dict[str, tuple[str, Maker]] = {
    "persons": ("person", named("Latin")),
    "customers": ("customer", named("Latin")),
    "names of customers": ("customerName", named("Latin")),
    "full names": ("full_name", named("Latin", "{given} A. {family}")),
    "last name first": ("patient", named("Latin", "{family}, {given}")),
    "with a title": ("doctor", named("Latin", "Dr. {given} {family}")),
    "in capitals": ("passenger_name", lambda random, i: str(named("Latin")(random, i)).upper()),
    "without capitals": ("assignee", lambda random, i: str(named("Latin")(random, i)).lower()),
    "by no name": ("x", named("Latin")),
    "by the name of names": ("name", named("Latin")),
    "first names": ("first_name", lambda random, i: random.choice(GIVEN["Latin"].split())),
    "last names": ("lastName", lambda random, i: random.choice(FAMILY["Latin"].split())),
    "Cyrillic": ("person", named("Cyrillic")),
    "Cyrillic by no name": ("x", named("Cyrillic")),
    "Greek": ("contact", named("Greek")),
    "Arabic": ("customer_name", named("Arabic")),
    "Hindi": ("person", named("Hindi")),
    "Chinese": (
        "姓名",
        lambda random, i: random.choice("王李张刘陈杨黄赵周吴") + random.choice(["伟", "小明", "丽", "建国"]),
    ),
    "Chinese by no name": (
        "x",
        lambda random, i: random.choice("王李张刘陈杨黄") + random.choice(["伟", "小明", "丽"]),
    ),
    "Japanese": (
        "person",
        lambda random, i: random.choice(["田中", "佐藤", "鈴木", "高橋"]) + random.choice(["太郎", " 花子"]),
    ),
    "Korean": ("이름", lambda random, i: random.choice("김이박최정") + random.choice(["민준", "서연", "지훈", "영희"])),
}
ADDRESSES: dict[str, tuple[str, Maker]] = {
    "English": (
        "x",
        lambda random, i: f"{random.randint(1, 999)} {random.choice(['Oak', 'Khan', 'King'])} Street, Dover",
    ),
    "American": (
        "x",
        lambda random, i: f"{random.randint(1, 9999)} Elm St Apt {random.randint(1, 9)}, Austin, TX 78701",
    ),
    "German": (
        "x",
        lambda random, i: f"{random.choice(['Haupt', 'Berg'])}straße {random.randint(1, 99)}, 10115 Berlin",
    ),
    "French": ("x", lambda random, i: f"{random.randint(1, 99)} rue de la Paix, 75002 Paris"),
    "Spanish": ("x", lambda random, i: f"Calle Mayor {random.randint(1, 99)}, Madrid"),
    "Italian": ("x", lambda random, i: f"Via Roma {random.randint(1, 99)}, 00184 Roma"),
    "Dutch": ("x", lambda random, i: f"Kerkstraat {random.randint(1, 99)}, Utrecht"),
    "Russian": ("x", lambda random, i: f"ул. Ленина, д. {random.randint(1, 99)}, кв. {random.randint(1, 99)}"),
    "Japanese": ("x", lambda random, i: f"東京都渋谷区神南{random.randint(1, 9)}-{random.randint(1, 9)}-3"),
    "Chinese": ("x", lambda random, i: f"北京市朝阳区建国路{random.randint(1, 99)}号"),
    "Korean": ("x", lambda random, i: f"서울특별시 강남구 테헤란로 {random.randint(1, 99)}"),
    "by name": ("shipping_address", lambda random, i: f"The Old Mill {random.randint(1, 99)}, Little Snoring"),
    "e-mail": ("x", lambda random, i: f"{random.choice(GIVEN['Latin'].split()).lower()}{i}@example.com"),
}


@pytest.mark.parametrize("kind", [("people", kind) for kind in PEOPLE] + [("addresses", kind) for kind in ADDRESSES])
@pytest.mark.parametrize("n", SIZES)
def test_names_and_addresses_of_people_are_kept_as_other_and_marked_as_personal(kind: tuple[str, str], n: int) -> None:
    field, make = (PEOPLE if kind[0] == "people" else ADDRESSES)[kind[1]]
    row = found(field, make, n)
    if n == 1 and "no name" in kind[1]:
        # One value by itself may be the name of anything.
        assert row["type"] != "text"
        return
    assert (row["type"], row["summary"].get("personal")) == ("other", True)
    assert "personal" in str(row["reason"])


CITIES = "New York,San Francisco,Los Angeles,Buenos Aires,Cape Town,San Jose,Kansas City,Santa Clara,Berlin,Paris"
PRODUCTS = "Wireless Mouse,Office Chair,Leather Wallet,Coffee Maker,Rose Gold Ring,Amber Necklace,Green Tea,Mug"
JOBS = "Software Engineer,Product Manager,Data Scientist,Account Executive,Head Chef,Registered Nurse,Truck Driver,Dean"
COMPANIES = "Acme Corp,Blue Ocean Trading,North Star Foods,Baker Tools,Ford Motor,Sunrise Bank,Green Valley Farms"
BRANDS = "Calvin Klein,Hugo Boss,Michael Kors,Ralph Lauren,Tommy Hilfiger,Marc Jacobs"
THINGS = [
    *[(field, CITIES) for field in ("x", "city", "destination", "name")],
    *[(field, PRODUCTS) for field in ("x", "product_name", "name")],
    *[(field, JOBS) for field in ("x", "job_title", "name")],
    *[(field, COMPANIES) for field in ("x", "customer", "client")],
    *[(field, BRANDS) for field in ("brand", "product_name")],
    ("owner", "Platform Team,Data Team,Billing"),
    ("agent", "billing-bot,support-bot"),
    ("sender", "user,assistant,tool"),
    ("author", "gpt-4o,claude-3"),
    ("customer", "free,pro,enterprise"),
    ("x", "温州,成都,武汉,上海,苏州,常州"),
    ("x", "서울,부산,인천,대전"),
    ("x", "谢谢,好的,高兴"),
]


@pytest.mark.parametrize(("field", "values"), THINGS)
@pytest.mark.parametrize("n", SIZES)
def test_products_cities_and_jobs_are_no_people(field: str, values: str, n: int) -> None:
    row = found(field, lambda random, i: random.choice(values.split(",")), n)
    assert "personal" not in row["summary"]
    assert row["type"] == "enum"


NO_POSTAL = {
    "ip_address": "10.0.0.{i}",
    "mac_address": "00:1b:44:11:3a:{j}",
    "wallet_address": "0x{h}",
    "street_view": "on",
}


@pytest.mark.parametrize("field", NO_POSTAL)
def test_addresses_of_machines_are_not_personal(field: str) -> None:
    make = NO_POSTAL[field]
    row = found(field, lambda random, i: make.format(i=i, j=f"{i:02x}", h=f"{random.getrandbits(160):040x}"), 100)
    assert "personal" not in row["summary"]


SPEECH = "my card was declined at the shop and I want to know why it happened again since last week please help order"
WORDS = SPEECH.split()
GREETINGS = ["hi", "hello", "ok", "thanks", "yes", "no", "great", "Hi there!", "good morning", "How are you?"]
BUTTONS = ["Track my order", "Talk to a human", "Reset my password please", "What can you do?", "Show me the menu"]


def question(random: Random, i: int) -> str:
    return f"{' '.join(random.choices(WORDS, k=random.randint(4, 12)))} {i}?"


def questions(n: int) -> list[str]:
    random = Random(n)
    return list({question(random, i).replace(f" {i}", "") for i in range(n)})


def mixed(n_distinct: int, n_other: int, others: list[str]) -> list[str]:
    """So many different questions once, and `others` at random."""
    random = Random(n_distinct)
    values = questions(n_distinct) + random.choices(others, k=n_other)
    random.shuffle(values)
    return values


def type_of(field: str, values: list[str]) -> object:
    return found(field, lambda random, i: values[i], len(values))["type"]


@pytest.mark.parametrize("field", ["prompt", "message", "query", "user_input", "question", "q"])
def test_sentences_among_greetings_are_text(field: str) -> None:
    assert type_of(field, mixed(150, 1_350, GREETINGS)) == "text"
    assert type_of(field, mixed(150, 1_350, BUTTONS)) == "text"
    assert type_of(field, questions(125) * 6) == "text"


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("n", [1_000, 10_000])
@pytest.mark.parametrize("others", [GREETINGS, BUTTONS, GREETINGS + BUTTONS], ids=["greetings", "buttons", "both"])
def test_sentences_are_text_whatever_share_repeats(share: float, n: int, others: list[str]) -> None:
    n_distinct = round(share * n)
    assert type_of("prompt", mixed(n_distinct, n - n_distinct, others)) == "text"
    if n_distinct >= 100:
        assert type_of("x", mixed(n_distinct, n - n_distinct, others)) == "text"


@pytest.mark.parametrize("n_distinct", [110, 125, 300, 1_000, 3_000, 10_000])
@pytest.mark.parametrize("times", [1, 2, 6, 20])
def test_a_set_of_questions_that_is_sent_again_and_again_is_text(n_distinct: int, times: int) -> None:
    if n_distinct * times > 20_000:
        times = 2
    for field in ("prompt", "x"):
        assert type_of(field, questions(n_distinct) * times) == "text"


@pytest.mark.parametrize("n_distinct", [25, 40, 80])
def test_few_questions_that_are_sent_again_are_text_where_people_talk(n_distinct: int) -> None:
    assert type_of("prompt", questions(n_distinct) * 10) == "text"
    assert type_of("message", mixed(n_distinct, 1_000, GREETINGS)) == "text"


@pytest.mark.parametrize("n_options", [3, 12, 32, 60])
@pytest.mark.parametrize("n", [1_000, 10_000])
def test_long_options_stay_an_enum(n_options: int, n: int) -> None:
    options = questions(n_options)
    assert type_of("scenario", [options[i % len(options)] for i in range(n)]) == "enum"
    random = Random(n)
    skewed = [options[min(int(random.expovariate(8 / n_options)), len(options) - 1)] for _ in range(n)]
    assert type_of("scenario", skewed) == "enum"


def days(*values: list[str], field: str = "prompt") -> pl.DataFrame:
    frames = []
    for i, of_day in enumerate(values):
        at = dt.datetime(2026, 3, 1 + i, tzinfo=dt.UTC)
        rows = {"metadata": [json.dumps({field: value}) for value in of_day], "timestamp": [at] * len(of_day)}
        profiles = profile_fields(pl.DataFrame(rows, schema={"metadata": pl.String, "timestamp": TIME}))
        frames.append(profiles.with_columns(received_date=pl.lit(at.date())))
    return pl.concat(frames)


@pytest.mark.parametrize("field", ["prompt", "x"])
def test_a_text_field_stays_text_through_days_of_greetings_alone(field: str) -> None:
    only_greetings = mixed(0, 2_000, ["hi", "hello", "ok", "thanks"])
    all_days = [questions(300), only_greetings, only_greetings]
    previous = None
    for n in range(1, 4):
        previous = detect_types(days(*all_days[:n], field=field), previous, FIELD_OVERRIDES.empty()).types
        assert previous["type"].to_list() == ["text"]
    at_once = detect_types(days(*all_days, field=field), None, FIELD_OVERRIDES.empty())
    assert at_once.types.equals(previous)
    assert at_once.changes["type"].to_list() == ["text"]


def test_an_enum_that_people_begin_to_fill_with_sentences_becomes_text() -> None:
    options = mixed(0, 1_500, ["refund", "delivery", "other"])
    first = detect_types(days(options, field="reason"), None, FIELD_OVERRIDES.empty()).types
    then = detect_types(
        days(options, mixed(200, 1_300, ["refund", "other"]), field="reason"), first, FIELD_OVERRIDES.empty()
    )
    assert (first["type"][0], then.types["type"][0]) == ("enum", "text")
