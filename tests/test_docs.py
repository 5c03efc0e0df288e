"""The documentation is true: its tables are what the code declares, and it names nothing that is not there.

`python -m tests.test_docs` writes the tables anew after a setting, a route, a table or a command has changed.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from turret_client.client import SETTINGS as CLIENT

from turret_api.accounts import Accounts
from turret_api.app import create_app
from turret_api.assistants.tools import TOOLS
from turret_api.collector.collector import Collector
from turret_api.collector.metrics import Metrics
from turret_api.command.main import COMMANDS
from turret_api.dashboard.routes import PAGES
from turret_api.pipeline_metrics import METRICS
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.settings import SETTINGS, Settings
from turret_pipeline.stages import STAGES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
CHANGELOG = ROOT / "CHANGELOG.md"
"""Not among the documents: it may name what is no longer there."""
SECTION = re.compile(r"(<!-- (\w+): written by [^>]*-->\n)(.*?)(<!-- /\2 -->)", re.DOTALL)
LINK = re.compile(r"\]\((?!http)([^)#]*)(?:#([^)]*))?\)")


def commands() -> Iterator[str]:
    yield "| command | |\n| --- | --- |"
    for name, (_, about) in COMMANDS.items():
        yield f"| `turret {name}` | {about} |"


def settings() -> Iterator[str]:
    yield "| variable | default | |\n| --- | --- | --- |"
    for each in SETTINGS:
        yield f"| `{each.variable}` | {each.default} | {each.meaning} |"


def tables() -> Iterator[str]:
    yield "| table | a row is | made from | columns |\n| --- | --- | --- | --- |"
    made_from = {product.table.name: stage.reads for stage in STAGES for product in stage.products}
    for table in TABLES.values():
        columns = ", ".join(f"`{column.name}`" for column in table.columns if column.name != "project_id")
        sources = ", ".join(f"`{source.table.name}`" for source in made_from.get(table.name, ()))
        yield f"| `{table.name}` | {table.meaning} | {sources} | {columns} |"


def routes(*, reading: bool) -> Iterator[str]:
    yield "| route | |\n| --- | --- |"
    for path, operations in openapi()["paths"].items():
        for method, operation in operations.items():
            about = operation.get("description") or operation["summary"]
            if (path.startswith("/v1/") and "write" not in operation["tags"]) is reading:
                yield f"| `{method.upper()} {path}` | {' '.join(about.split())} |"


def tools() -> Iterator[str]:
    yield "| tool | | asks |\n| --- | --- | --- |"
    for each in TOOLS:
        yield f"| `{each.name}` | {each.about} | `GET {each.path}` |"


def metrics() -> Iterator[str]:
    yield "| metric | labels | |\n| --- | --- | --- |"
    for family in Metrics().registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {"turret_events_refused": "`code`", "turret_disk_free_bytes": "`place`"}.get(family.name, "")
        yield f"| `{name}` | {', '.join(filter(None, ('`worker`', labels)))} | {family.documentation} |"
    for name, (about, of) in METRICS.items():
        yield f"| `{name}` | {', '.join(f'`{label}`' for label in of)} | {about} |"


@functools.cache
def openapi() -> dict:
    with tempfile.TemporaryDirectory() as home:
        place = Settings.from_environment({"TURRET_HOME": home})
        # Nothing connects: the document is about the routes alone.
        accounts = Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
        collector = Collector(place, accounts)
        return create_app(place, accounts, collector=collector).openapi()


MADE = {
    "commands": commands,
    "settings": settings,
    "routes": lambda: routes(reading=False),
    "routes_v1": lambda: routes(reading=True),
    "tables": tables,
    "tools": tools,
    "metrics": metrics,
}


def written(text: str) -> str:
    """Return a page with its tables made anew."""
    return SECTION.sub(lambda found: found[1] + "\n".join(MADE[found[2]]()) + "\n" + found[4], text)


def everything() -> str:
    """Return all documents as one text."""
    return "\n".join(path.read_text() for path in DOCUMENTS)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and MkDocs make them of plain words."""
    return {re.sub(r"\W+", "-", head.lower()).strip("-") for head in re.findall(r"^#+ (.+)$", path.read_text(), re.M)}


@pytest.mark.parametrize("section", MADE)
def test_every_table_is_on_one_page_and_is_what_the_code_declares(section: str) -> None:
    (found,) = (match[3].splitlines() for match in SECTION.finditer(everything()) if match[2] == section)
    assert found == "\n".join(MADE[section]()).splitlines(), "run: python -m tests.test_docs"


def test_the_pages_name_every_setting_and_no_other() -> None:
    assert set(re.findall(r"TURRET_[A-Z_]+", everything())) == {each.variable for each in SETTINGS} | set(CLIENT)


def test_the_pages_name_every_make_target_and_no_other() -> None:
    declared = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    assert set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", everything(), re.MULTILINE)) == set(declared[1].split())


def test_the_pages_name_every_command_and_no_other() -> None:
    assert set(re.findall(r"(?:`|^ {4})turret ([a-z]+)", everything(), re.MULTILINE)) == set(COMMANDS)


def test_the_pages_name_no_route_and_no_page_that_is_not_there() -> None:
    text = everything()
    assert set(re.findall(r"/v1/[a-z{}_/-]*[a-z}]", text)) <= set(openapi()["paths"])
    pages = re.search(r"own pages are (.*?);", text)
    assert pages is not None
    assert set(re.findall(r"`(/[a-z]*)`", pages[1])) == {page for page in PAGES if "{" not in page}


def test_the_pages_name_no_file_that_is_not_there() -> None:
    named = set(re.findall(r"(?:benchmarks|tests|turret_api|turret_pipeline)/[\w/.-]*\w", everything()))
    named |= set(re.findall(r"`([a-z_]+/[\w/]+\.[a-z]+)`", everything()))
    places = (ROOT, ROOT / "turret_api", ROOT / "turret_pipeline")
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, CHANGELOG], ids=lambda path: path.name)
def test_a_page_links_to_what_is_there(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text()):
        linked = path.parent / target if target else path
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), anchor


@pytest.mark.parametrize("package", ["turret_pipeline", "turret_api"])
def test_the_architecture_names_every_room_and_no_other(package: str) -> None:
    drawn = re.search(rf"^    {package}\n((?:      .*\n)+)", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert drawn is not None
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    beside = {path.stem for path in (ROOT / package).glob("[a-z]*.py")}
    named = set(re.findall(r"^      ([a-z_]+) ", drawn[1], re.MULTILINE))
    assert rooms <= named <= rooms | beside


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_another_host(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True)
    pages = sorted(tmp_path.glob("*.html"))
    assert {page.stem for page in pages} >= {path.stem.lower() for path in [*DOCUMENTS, CHANGELOG]} - {"readme"}
    for page in pages:
        assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?(?:https?:)?//", page.read_text()) == []


def test_the_openapi_document_has_the_version_of_the_package() -> None:
    assert openapi()["info"]["version"] == version("turret")


def test_every_command_loads_and_has_help() -> None:
    script = (
        "from turret_api.command.main import COMMANDS, main\n"
        "import click\n"
        "for name in COMMANDS: assert main.get_command(click.Context(main), name).help, name\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(written(document.read_text()))
