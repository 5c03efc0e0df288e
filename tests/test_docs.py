"""The README is true: its tables are what the code declares, and it names nothing that is not there.

`python -m tests.test_docs` writes the tables anew after a setting, a route, a table or a command has changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from turret_api.accounts import Accounts
from turret_api.app import create_app
from turret_api.collector.collector import Collector
from turret_api.command.main import COMMANDS
from turret_api.dashboard.routes import PAGES
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.settings import SETTINGS, Settings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SECTION = re.compile(r"(<!-- (\w+): written by [^>]*-->\n)(.*?)(<!-- /\2 -->)", re.DOTALL)


def commands() -> Iterator[str]:
    yield "| command | |\n| --- | --- |"
    for name, (_, about) in COMMANDS.items():
        yield f"| `turret {name}` | {about} |"


def settings() -> Iterator[str]:
    yield "| variable | default | |\n| --- | --- | --- |"
    for each in SETTINGS:
        yield f"| `{each.variable}` | {each.default} | {each.meaning} |"


def tables() -> Iterator[str]:
    yield "| table | a row is | columns |\n| --- | --- | --- |"
    for table in TABLES.values():
        columns = ", ".join(f"`{column.name}`" for column in table.columns if column.name != "project_id")
        yield f"| `{table.name}` | {table.meaning} | {columns} |"


def routes() -> Iterator[str]:
    yield "| route | |\n| --- | --- |"
    for path, operations in openapi()["paths"].items():
        for method, operation in operations.items():
            about = operation.get("description") or operation["summary"]
            yield f"| `{method.upper()} {path}` | {' '.join(about.split())} |"


def openapi() -> dict:
    with tempfile.TemporaryDirectory() as home:
        place = Settings.from_environment({"TURRET_HOME": home})
        # Nothing connects: the document is about the routes alone.
        accounts = Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
        collector = Collector(place, accounts)
        return create_app(place, accounts, collector=collector).openapi()


MADE = {"commands": commands, "settings": settings, "routes": routes, "tables": tables}


def written(text: str) -> str:
    """Return the README with its tables made anew."""
    return SECTION.sub(lambda found: found[1] + "\n".join(MADE[found[2]]()) + "\n" + found[4], text)


@pytest.mark.parametrize("section", MADE)
def test_every_table_of_the_readme_is_what_the_code_declares(section: str) -> None:
    found = {match[2]: match[3].splitlines() for match in SECTION.finditer(README.read_text())}
    assert found[section] == "\n".join(MADE[section]()).splitlines(), "run: python -m tests.test_docs"


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    named = set(re.findall(r"TURRET_[A-Z_]+", README.read_text()))
    assert named == {each.variable for each in SETTINGS}


def test_the_readme_names_every_make_target_and_no_other() -> None:
    declared = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", README.read_text(), re.MULTILINE))
    assert named == set(declared[1].split())


def test_the_readme_names_no_command_route_page_or_file_that_is_not_there() -> None:
    text = README.read_text()
    assert set(re.findall(r"`turret ([a-z]+)", text)) == set(COMMANDS)
    assert set(re.findall(r"/v1/[a-z{}_/-]*[a-z}]", text)) <= set(openapi()["paths"])
    pages = re.search(r"own pages are (.*?);", text)
    assert pages is not None
    assert set(re.findall(r"`(/[a-z]*)`", pages[1])) == {page for page in PAGES if "{" not in page}
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / target).is_file(), target


def test_every_command_loads_and_has_help() -> None:
    script = (
        "from turret_api.command.main import COMMANDS, main\n"
        "import click\n"
        "for name in COMMANDS: assert main.get_command(click.Context(main), name).help, name\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
