"""Names and addresses of people are personal; products, cities, jobs and machines are not."""

import pytest

from tests.analysis.fields.kinds import SIZES, Maker, found

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
