"""`turret export`: the contract's columns in every format, and no cell that a spreadsheet would run."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner, Result

from tests.read.conftest import SESSIONS, Api, events
from turret_api.accounts import Accounts, audit, privacy
from turret_api.command.export import FIELDS, command, export_model, refused, rows_of, write
from turret_api.errors import ApiError
from turret_api.masking.mask import Mask
from turret_api.masking.rule import Rule
from turret_api.read.engine.encoding import flat
from turret_api.read.engine.library import Library
from turret_api.read.questions.fields import FieldRow
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import EVENTS, TABLES
from turret_pipeline.settings import Settings

MESSAGES = ["event_id", "session_id", "user_id", "timestamp", "text", "kind", "topic_id", "topic_label", "similarity"]
JOURNEYS = ["from_topic", "to_topic", "count", "sessions", "probability", "median_gap_s"]


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
@pytest.mark.parametrize(
    ("table", "columns"), [("messages", MESSAGES), ("journeys", JOURNEYS), ("fields", list(FIELDS))]
)
def test_a_view_has_the_contracts_columns(api: Api, tmp_path: Path, table: str, columns: list[str], form: str) -> None:
    out = tmp_path / f"x.{form}"
    rows = rows_of(Library(api.lake).snapshot("shop"), table, None)
    write(rows, out)
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "ndjson": pl.read_ndjson}[form](out)
    assert read.columns == columns
    assert read.height == rows.height > 0


def test_exported_fields_are_those_of_the_api() -> None:
    assert list(FIELDS) == list(FieldRow.__annotations__)


def test_messages_without_a_topic_have_none_and_counts_are_those_of_the_api(api: Api) -> None:
    rows = rows_of(Library(api.lake).snapshot("shop"), "messages", "prompt")
    sizes = {row["topic_id"]: row["size"] for row in api.get("/v1/topics")["data"]}
    assert dict(rows.group_by("topic_id").len().iter_rows()) == sizes | {None: 2}
    assert rows.filter(pl.col("topic_id").is_null())["topic_label"].to_list() == [None, None]


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"messages"}))
def test_every_table_can_be_written_as_csv(api: Api, tmp_path: Path, table: str) -> None:
    write(rows_of(Library(api.lake).snapshot("shop"), table, None), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().startswith(TABLES[table].schema.names()[1])


def test_tables_that_tell_how_many_sessions_are_not_exported_where_that_is_to_be_of_some_users() -> None:
    counting = {name for name, table in TABLES.items() if {"sessions", "n_sessions"} & {*table.schema.names()}}
    assert {table for table in (*TABLES, "journeys") if refused(table, 2)} == counting and len(counting) == 3
    assert not any(refused(table, 1) for table in TABLES)


def test_a_project_without_tables_exports_no_rows_and_the_same_columns(api: Api, tmp_path: Path) -> None:
    nobody = Library(api.lake).snapshot("nobody")
    for table, columns in (("messages", MESSAGES), ("journeys", JOURNEYS), ("fields", list(FIELDS))):
        rows = rows_of(nobody, table, None)
        assert (rows.columns, rows.height) == (columns, 0)
        write(rows, tmp_path / "x.parquet")


def test_a_cell_that_a_spreadsheet_would_run_gets_a_quote_before_it_and_a_number_does_not() -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "1=1", "", None]
    rows = pl.DataFrame({"text": cells, "n": [-1.5] * 9, "many": [["=a"]] * 9})
    assert flat(rows)["text"].to_list() == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "1=1", "", None]
    assert flat(rows)["n"].to_list() == [-1.5] * 9
    assert json.loads(flat(rows)["many"][0]) == ["=a"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "x.ndjson"
    out.write_text("before")
    with pytest.raises(TypeError):
        write(pl.DataFrame({"x": [b"\xff"]}), out)
    assert [path.name for path in tmp_path.iterdir()] == ["x.ndjson"]
    assert out.read_text() == "before"


def test_a_field_that_is_not_text_has_no_messages_to_export(api: Api) -> None:
    with pytest.raises(ApiError, match="only text fields"):
        rows_of(Library(api.lake).snapshot("shop"), "messages", "plan")


@pytest.mark.slow
def test_a_model_is_a_folder_with_the_topics_of_the_api(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TURRET_LAKE", api.lake.root)
    assert export_model("shop", "prompt", tmp_path / "model") == 0
    assert capfd.readouterr().err == ""
    written = json.loads((tmp_path / "model" / "topics.json").read_text())
    shown = {row["label"]: row["size"] for row in api.get("/v1/topics")["data"]}
    sizes = written["topic_sizes"].values()
    assert dict(zip(written["custom_labels"], sizes, strict=True)) == shown | {"unassigned": 2}


def test_a_model_of_a_project_without_a_text_field_and_a_folder_for_a_table_are_refused_in_one_line(
    database_url: str, tmp_path: Path
) -> None:
    accounts = Accounts(database_url)
    accounts.migrate()
    project = accounts.create_project("exports no model").project_id
    privacy.set_rule(accounts, project, privacy.FEW, {"viewers": 5, "exports": 5})
    environment = {"TURRET_HOME": str(tmp_path / "home"), "TURRET_DATABASE_URL": database_url}
    for table, to, reason in (
        ("model", tmp_path, "has no text field yet"),
        ("messages", tmp_path, "is a folder; name a file"),
        ("journey_edges", tmp_path / "edges.csv", "of 5 or more here (Settings, Few users): export journeys"),
    ):
        words = [table, "--project", project, "--out", str(to)]
        done = CliRunner().invoke(command, words, env=environment)
        assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
        assert reason in done.output
    logged = audit.entries(accounts, project)
    accounts.close()
    assert [each.about["table"] for each in logged if each.action == "export"] == ["model"]


def test_exported_journeys_are_of_as_many_users_as_the_project_chose(api: Api) -> None:
    snapshot = Library(api.lake).snapshot("shop")
    all_, some = (rows_of(snapshot, "journeys", None, least) for least in (0, 2))
    assert some.columns == JOURNEYS and "few" in some["to_topic"] and "few" not in all_["to_topic"]
    for least in (all_, some):
        assert least.filter(pl.col("from_topic") == "start")["count"].sum() == 5
    assert rows_of(snapshot, "journeys", None, 4).is_empty()  # three users sent all


@pytest.mark.parametrize("table", ["messages", "events", "journey_steps"])
def test_what_one_user_has_is_the_rows_with_the_id(api: Api, table: str) -> None:
    snapshot = Library(api.lake).snapshot("shop")
    all_, some = (rows_of(snapshot, table, None, users=users) for users in (None, ["u1", "gone"]))
    assert 0 < some.height < all_.height
    assert some.equals(all_.filter(pl.col("user_id") == "u1"))


@pytest.mark.slow
def test_a_user_is_found_under_the_id_that_masking_made(database_url: str, tmp_path: Path) -> None:
    accounts = Accounts(database_url)
    accounts.migrate()
    project_id = accounts.create_project("exports a person").project_id
    rule = Rule(kinds=frozenset(["email"]), secret="ab" * 32)
    privacy.set_rule(accounts, project_id, privacy.MASKING, msgspec.to_builtins(rule))
    masked = Mask(rule, project_id).identifier("ann@example.com")
    sent = events(project_id, SESSIONS).with_columns(user_id=pl.col("user_id").replace({"u0": masked}))
    store.replace(Settings.from_environment({"TURRET_HOME": str(tmp_path)}).open_lake(), EVENTS, sent, project_id)
    environment = {"TURRET_HOME": str(tmp_path), "TURRET_DATABASE_URL": database_url}

    def export(table: str, user: str) -> Result:
        words = [table, "--project", project_id, "--user", user, "--out", str(tmp_path / "one.ndjson")]
        return CliRunner().invoke(command, words, env=environment)

    done = export("events", "ann@example.com")
    told = audit.entries(accounts, project_id)[0].about
    refused = export("topics", "ann@example.com")
    accounts.close()

    assert done.exit_code == 0, done.output
    assert set(pl.read_ndjson(tmp_path / "one.ndjson")["user_id"]) == {masked}
    assert told["of"] == "one user" and "ann" not in json.dumps({**told, "path": ""})
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: topics has no rows of single users; leave --user out\n",
    )
