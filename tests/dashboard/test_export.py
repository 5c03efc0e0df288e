"""What a person sees adds up: the numbers on the pages are those of `turret export`, and of the files it hands out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from tests.dashboard.conftest import Served, Visitor
from tests.dashboard.test_overview import numbers, texts
from turret_api.command.export import command


@pytest.fixture
def exported(served: Served, database_url: str, tmp_path: Path) -> dict[str, pl.DataFrame]:
    """The views that `turret export` writes of the full project."""
    environment = {"TURRET_HOME": str(served.settings.home), "TURRET_DATABASE_URL": database_url}
    found = {}
    for table in ("messages", "journeys", "fields"):
        out = tmp_path / f"{table}.parquet"
        asked = [table, "--project", served.full.project_id, "--out", str(out)]
        done = CliRunner().invoke(command, asked, env=environment)
        assert done.exit_code == 0, done.output
        found[table] = pl.read_parquet(out)
    return found


def test_the_pages_show_the_numbers_of_the_export(
    served: Served, visitor: Visitor, exported: dict[str, pl.DataFrame]
) -> None:
    messages, journeys, fields = exported["messages"], exported["journeys"], exported["fields"]
    visitor.sign_in(served.full.read_key)
    page = visitor.page
    assert numbers(page, "#n-messages dd:not(.fine)") == [messages.height]
    assert numbers(page, "#n-sessions dd:not(.fine)") == [messages["session_id"].n_unique()]
    n_unassigned = messages["topic_id"].null_count()
    assert page.locator("#assigned dd.fine").inner_text() == f"{n_unassigned:,} without"

    visitor.open("/topics")
    of_topic = Counter(messages["topic_label"].drop_nulls().to_list())
    assert dict(zip(texts(page, "#topics .topic-name"), numbers(page, "#topics td.size"), strict=True)) == of_topic
    assert sum(of_topic.values()) + n_unassigned == messages.height

    visitor.open("/journeys")
    show_all = page.locator("#moves").get_by_role("button", name="Show all")
    if show_all.is_visible():
        show_all.click()
    ends = page.locator("#moves tbody tr").evaluate_all("rows => rows.map((r) => [r.dataset.from, r.dataset.to])")
    shown = {tuple(pair): n for pair, n in zip(ends, numbers(page, "#moves td.count"), strict=True)}
    assert shown == {(row["from_topic"], row["to_topic"]): row["count"] for row in journeys.iter_rows(named=True)}

    visitor.open("/settings")
    assert texts(page, "#metadata .field-name") == fields["field"].to_list()
    assert texts(page, "#metadata .type") == fields["type"].to_list()
    assert numbers(page, "#metadata td.events") == fields["n_events"].to_list()
    assert visitor.problems == []


def test_a_page_hands_out_its_tables_and_pictures_as_files(
    served: Served, visitor: Visitor, exported: dict[str, pl.DataFrame]
) -> None:
    visitor.sign_in(served.full.read_key, "/journeys")
    visitor.wait_for_pictures()
    page = visitor.page

    def take(place: str, form: str) -> Path:
        page.locator(f"{place} .menu summary").click()
        with page.expect_download() as download:
            page.locator(place).get_by_role("button", name=form, exact=True).click()
        expect(page.locator(f"{place} .menu-items")).to_be_hidden()
        return download.value.path()

    edges = exported["journeys"].select(pl.col("from_topic").alias("from"), pl.col("to_topic").alias("to"), "count")
    for made in (pl.read_csv(take("#moves", "CSV")), pl.read_parquet(take("#moves", "Parquet"))):
        assert made.select(edges.columns).sort("from", "to").equals(edges.sort("from", "to"))
    assert take("#journeys", "SVG").read_text().startswith("<svg")
    assert take("#journeys", "PNG").read_bytes().startswith(b"\x89PNG")
    visitor.open("/topics")
    page.wait_for_selector(".picture.map[data-points]")
    drawn = take("#map", "SVG").read_text()
    assert drawn.startswith("<svg") and "Refunds</text>" in drawn and "data:image/png;base64," in drawn
    assert take("#map", "PNG").read_bytes().startswith(b"\x89PNG")
    texts_of_map = pl.read_csv(take("#map", "CSV"))
    known = exported["messages"].unique("text")
    placed = texts_of_map.join(known.select("text", of="topic_id"), on="text", how="inner")
    assert texts_of_map["size"].sum() == exported["messages"].height and placed.height > known.height * 0.9
    assert placed["topic_id"].eq_missing(placed["of"]).all()

    # A table of more than one page of the API comes whole: 1,000 messages are a page's most.
    visitor.open("/topics/t_flight_search")
    sizes = exported["messages"].filter(pl.col("topic_id") == "t_flight_search")
    assert pl.read_csv(take("#messages", "CSV"))["event_id"].sort().equals(sizes["event_id"].sort())
    assert visitor.problems == []
