"""What is told of each distinct text: a text that is gone keeps it under its mark, and nothing else of it stays."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.labels.summaries import is_told, quotation, stems_of, tellings
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    MESSAGES,
    TEXT_KINDS,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
    TOPIC_EDITS,
    TOPICS,
)
from turret_pipeline.semantics.definitions import all_definitions
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.values import text_id
from turret_pipeline.stages.fits.marks import field_mark

TOLD = (TOPIC_ASSIGNMENTS, TEXT_KINDS, TEXT_SENTIMENT)
"""Tables whose rows stay under the marks of texts."""


def copy_told(lake: Lake, project_id: str, texts: pl.DataFrame) -> None:
    """After this call the marks of texts have the rows that the texts have.

    texts: `field`, `text_id`, `mark`.
    """
    for table in TOLD if texts.height else ():
        opened = ProjectTable(lake, table, project_id)
        key = ["field", "text_id"] if "field" in table.schema else ["text_id"]
        pairs = texts.select(*key, "mark").unique()
        found = opened.scan().join(pairs.lazy(), on=key, how="inner").collect()
        rows = found.with_columns(text_id="mark").select(table.schema.names())
        known = opened.scan().filter(IS_GONE).select(table.key).collect()
        rows = rows.join(known, on=list(table.key), how="anti").sort(*table.key)
        if rows.height:
            opened.add_alike(rows)


def forget_unsaid(lake: Lake, project_id: str) -> int:
    """After this call no row is left of a text that no message has and no definition; return how many texts went."""
    said = store.scan(lake, MESSAGES, project_id).select("text_id").unique().collect(engine="streaming")
    edits = store.read(lake, TOPIC_EDITS, project_id)
    defined = [text_id(text) for _, each in all_definitions(edits) for text in each.texts]
    keeps = pl.concat([said, pl.DataFrame({"text_id": defined}, schema={"text_id": pl.String})]).unique()
    fields = _fields(lake, project_id)
    n_texts = 0
    for table in (EMBEDDINGS, *TOLD):
        opened = ProjectTable(lake, table, project_id)
        rows = opened.scan().filter(pl.col("field").is_in(fields)) if "field" in table.schema else opened.scan()
        gone = rows.select("text_id").join(keeps.lazy(), on="text_id", how="anti").unique()
        ids = gone.collect(engine="streaming")["text_id"].sort()
        if ids.len():
            if table is EMBEDDINGS:
                _forget_told(lake, project_id, ids)
                failpoint.reached("strip.after_told")
            opened.remove_alike("text_id", ids)
            n_texts = n_texts or ids.len()
        failpoint.reached("strip.after_unsaid")
    _count_unembedded(lake, project_id, fields)
    _forget_quoted(lake, project_id)
    return n_texts


def _fields(lake: Lake, project_id: str) -> list[str]:
    """Return the fields that have messages: rows of others are for the day on which these are text again."""
    return store.scan(lake, MESSAGES, project_id).select(pl.col("field").unique()).collect()["field"].to_list()


def _count_unembedded(lake: Lake, project_id: str, fields: list[str]) -> None:
    """After this call the marks say how many of the texts that are left could not be embedded (`fits.field.Tally`)."""
    opened = ProjectTable(lake, TOPIC_ASSIGNMENTS, project_id)
    marks = {}
    for field in fields:
        name = field_mark("unembedded", field)
        if not opened.mark(name):
            continue
        none = opened.scan().filter(pl.col("field") == field, pl.col("similarity").is_null(), ~IS_GONE)
        there = store.scan(lake, EMBEDDINGS, project_id).select("text_id")
        n_bare = none.select("text_id").join(there, on="text_id", how="anti").select(pl.len()).collect().item()
        if n_bare != opened.mark(name):
            marks[name] = int(n_bare)
    if marks:
        opened.append(TOPIC_ASSIGNMENTS.empty(), marks=marks)


def _forget_quoted(lake: Lake, project_id: str) -> None:
    """After this call topics show those examples only that are still there, and summaries quote no other texts."""
    opened = ProjectTable(lake, TOPICS, project_id)
    topics = opened.read()
    shown = topics.select(text=pl.col("examples").explode()).drop_nulls().unique()
    texts = store.scan(lake, EMBEDDINGS, project_id).select("text")
    there = texts.join(shown.lazy(), on="text", how="semi").unique().collect(engine="streaming")["text"]
    stay = pl.col("examples").list.eval(pl.element().filter(pl.element().is_in(there.implode())))
    gone = _quoting_what_is_gone(texts, topics["summary"].drop_nulls().unique().to_list())
    told = pl.when(~pl.col("summary").is_in(gone)).then("summary")
    after = topics.with_columns(examples=stay, summary=told)
    if not after.equals(topics):
        opened.rewrite(after)


def _forget_told(lake: Lake, project_id: str, ids: pl.Series) -> None:
    """After this call no topic has a summary that texts which go are told as, and no text that stays.

    ids: of the texts that go. Called before they do, for afterwards nothing tells what a summary was told from.
    """
    opened = ProjectTable(lake, TOPICS, project_id)
    summaries = opened.scan().select("summary").drop_nulls().unique().collect()["summary"]
    texts, goes = store.scan(lake, EMBEDDINGS, project_id), pl.col("text_id").is_in(ids.implode())
    going = _told_by(texts.filter(goes), [each for each in summaries if is_told(each)])
    gone = going - _told_by(texts.filter(~goes), going)
    if gone:
        told = pl.when(~pl.col("summary").is_in(sorted(gone))).then("summary")
        opened.rewrite(opened.read().with_columns(summary=told))


def _told_by(texts: pl.LazyFrame, summaries: Collection[str]) -> set[str]:
    """Return the summaries that a sentence of one of the texts is told as."""
    stems = {each: stems_of(each) for each in summaries}
    if not stems:
        return set()
    if all(stems.values()):
        begins = sorted(frozenset().union(*stems.values()))
        texts = texts.filter(pl.col("text").str.contains_any(begins, ascii_case_insensitive=True))
    found: set[str] = set()
    for text in texts.select("text").unique().collect(engine="streaming")["text"]:
        found |= tellings(text, stems)
        if len(found) == len(stems):
            break
    return found


def _quoting_what_is_gone(texts: pl.LazyFrame, summaries: list[str]) -> list[str]:
    """Return the summaries that quote what none of the texts has, blanks aside."""
    quoted = {each: quotation(each) for each in summaries}
    pieces = {each: words for each, words in quoted.items() if words}
    if not pieces:
        return []
    text = pl.col("text").str.replace_all(r"\s+", " ")
    has = {
        str(number): pl.all_horizontal(text.str.contains(piece.strip(), literal=True) for piece in words).any()
        for number, words in enumerate(pieces.values())
    }
    found = texts.select(**has).collect(engine="streaming").row(0)
    return [each for each, is_there in zip(pieces, found, strict=True) if not is_there]
