"""Measures, codes, versions, amounts and postcodes, which look alike, after 1 to 1,000 events."""

from random import Random

import pytest

from tests.analysis.fields.kinds import SIZES, Maker, found


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
