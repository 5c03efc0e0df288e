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

ENDS = "rows => rows.map((row) => [row.dataset.from, row.dataset.to])"


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


@pytest.mark.slow
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

    edges = {(row["from_topic"], row["to_topic"]): row["count"] for row in journeys.iter_rows(named=True)}
    assert sum(n for (come_from, _), n in edges.items() if come_from == "start") == messages["session_id"].n_unique()
    inner = [(ends, n) for ends, n in edges.items() if "start" not in ends and "end" not in ends]
    largest = sorted(inner, key=lambda edge: (-edge[1], " ".join(edge[0])))[:10]
    assert numbers(page, "#moves td.count") == [n for _, n in largest]
    assert page.locator("#moves tbody tr").evaluate_all(ENDS) == [list(ends) for ends, _ in largest]

    visitor.go("/topics")
    of_topic = Counter(messages["topic_label"].drop_nulls().to_list())
    assert dict(zip(texts(page, "#topics .topic-name"), numbers(page, "#topics td.size"), strict=True)) == of_topic
    assert sum(of_topic.values()) + n_unassigned == messages.height

    refunds = messages.filter(pl.col("topic_id") == "t_refund")
    visitor.go("/topics/t_refund")
    visitor.wait_for_pictures()
    assert numbers(page, ".tiles .tile:first-child dd") == [refunds.height]
    days = refunds["timestamp"].dt.date().value_counts()
    drawn = page.evaluate(
        "(({x, y}) => x.map((day, i) => [day, y[i]]))(document.querySelector('#series .picture').data[0])"
    )
    assert {day: n for day, n in drawn if n} == {str(day): n for day, n in days.iter_rows()}
    for place, here, there in (("#before", 1, 0), ("#after", 0, 1)):
        moved = [(ends[there], n) for ends, n in edges.items() if ends[here] == "t_refund"]
        most = sorted(moved, key=lambda move: (-move[1], move[0]))[:10]
        rows = page.locator(f"{place} tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.topic)")
        assert dict(zip(rows, numbers(page, f"{place} td.count"), strict=True)) == dict(most)
    assert numbers(page, "#numbers td:nth-child(3)") == [refunds.height, refunds.height]

    visitor.go("/journeys")
    starts = sorted((n for (come_from, _), n in edges.items() if come_from == "start"), reverse=True)
    drop_offs = sorted((n for (_, go_to), n in edges.items() if go_to == "end"), reverse=True)
    assert numbers(page, "#starts td.count") == starts[:10]
    assert numbers(page, "#drop-offs td.count") == drop_offs[:10]
    show_all = page.locator("#moves").get_by_role("button", name="Show all")
    if show_all.is_visible():
        show_all.click()
    pairs = page.locator("#moves tbody tr").evaluate_all(ENDS)
    assert {tuple(pair): n for pair, n in zip(pairs, numbers(page, "#moves td.count"), strict=True)} == edges

    visitor.go("/settings")
    assert texts(page, "#metadata .field-name") == fields["field"].to_list()
    assert texts(page, "#metadata .type") == fields["type"].to_list()
    assert numbers(page, "#metadata td.events") == fields["n_events"].to_list()
    assert visitor.problems == []


@pytest.mark.slow
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
