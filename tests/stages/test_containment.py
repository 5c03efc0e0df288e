"""A field that cannot be profiled, judged, embedded or fitted fails alone, and nothing else waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake.exceptions import DeltaError

from tests.corpora.stand_in import StandIn
from tests.small_lake import DAYS, PROJECT, copied, event, put, versions
from tests.stages.faults import KINDS, POISON, Fault, is_poisoned, made_lake, plant, stand_in, with_broken
from tests.stages.test_versions import with_next_version
from turret_pipeline.embedder.embed import ModelError
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_FAILURES, TABLES
from turret_pipeline.stages import CHECKS, STAGE_OF, STAGES, containment, topics
from turret_pipeline.stages.containment import CHEAP_MESSAGES, Failure, FieldError, contained
from turret_pipeline.stages.embedding_attempt import EmbeddingAttempt
from turret_pipeline.stages.halving import MOST_ALONE
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.stage import Stage
from turret_pipeline.stages.work import Work

MODEL = "stand-in:words"
BY_FIELD = ("messages", "topics", "topic_assignments", "topic_days", "topic_lineage", "journey_steps", "journey_edges")

MORE_KINDS = {"embeddings", "field_profiles", "field_types", "vectors", "labels", "blank labels", "map"}
"""Those that strike where another kind, or another test, does too."""


@pytest.fixture
def two_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of events with the text fields `prompt` and `broken`, embedded by the stand-in."""
    stand_in(monkeypatch)
    return made_lake(tmp_path / "lake")


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of `built`; not to be written to."""
    lake = made_lake(tmp_path_factory.mktemp("built") / "lake")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        bring(lake)
    return Path(lake.root)


@pytest.fixture
def built(built_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake like `two_fields` that was built while nothing failed."""
    stand_in(monkeypatch)
    return Lake(str(copied(built_once, tmp_path / "built")))


def more(lake: Lake, number: int) -> None:
    """Send one more event with both fields."""
    put(lake, DAYS[2], f"more-{number}", [with_broken(event(number, DAYS[2], f"a refund for order {number}"))])


def bring(lake: Lake, full_refresh: bool = False, stages: Sequence[Stage] = STAGES) -> int:
    """Run all stages; return how many rows were written."""
    work = Work(lake, PROJECT, MODEL, full_refresh)
    return sum(outcome.n_rows for stage in stages for outcome in stage.bring(work))


def failures(lake: Lake) -> list[tuple[str, str]]:
    return sorted(set(store.read(lake, FIELD_FAILURES, PROJECT).select("table", "field").iter_rows()))


def of_prompt(lake: Lake) -> dict[str, pl.DataFrame]:
    rows = {name: store.read(lake, TABLES[name], PROJECT).filter(field="prompt") for name in BY_FIELD}
    return {name: found.sort(*TABLES[name].key) for name, found in rows.items()}


def failing_checks(lake: Lake) -> set[str]:
    return {
        f"{table}.{name}"
        for table, checks in CHECKS.items()
        for name, check in checks.items()
        if check.find(lake, PROJECT, None).n_wrong
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.long] if kind in MORE_KINDS else []) for kind in KINDS]
)
def test_a_field_that_fails_fails_alone_and_is_tried_again_when_something_changed(
    kind: str, two_fields: Lake, built: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, good, table = two_fields, built, KINDS[kind]
    with monkeypatch.context() as patch:
        fault = plant(kind, patch)
        bring(lake)
        assert failures(lake) == [(table, "broken")]
        reasons = set(store.read(lake, FIELD_FAILURES, PROJECT)["reason"])
        expected = {"vectors": "its vector is not finite", "blank labels": "blank or not printable"}
        assert all(expected.get(kind, "TypeError: the analysis choked") in reason for reason in reasons)
        # All else is as it is where nothing fails.
        after, wanted = of_prompt(lake), of_prompt(good)
        for name in BY_FIELD:
            assert after[name].equals(wanted[name]), name
        expected_checks = {f"{table}.no_field_failed"}
        expected_checks |= {"embeddings.every_text_has_a_vector"} if table == "embeddings" else set()
        assert failing_checks(lake) == expected_checks
        # Nothing is asked for on its account, and nothing tried.
        assert pending_stages(lake, MODEL) == {PROJECT: {}}
        before, n_raised = versions(lake), fault.n_raised
        assert bring(lake) == 0
        assert (versions(lake), fault.n_raised) == (before, n_raised)
    more(lake, 900)
    more(good, 900)
    bring(lake)
    if table == "field_profiles":
        # The other days hold what they held.
        assert len(store.read(lake, FIELD_FAILURES, PROJECT)) == 2
        bring(lake, full_refresh=True)
    bring(good)
    assert failures(lake) == []
    assert failing_checks(lake) == set()
    for name in ("messages", "topic_days", "journey_steps"):
        rows = [store.read(each, TABLES[name], PROJECT).filter(field="broken").height for each in (lake, good)]
        assert rows[0] > 0 or table in ("field_profiles", "field_types"), name
    assert store.read(lake, TABLES["topics"], PROJECT).filter(field="broken").height > 0


@pytest.mark.parametrize("kind", ["embeddings", "fit"])
def test_the_texts_of_a_field_that_failed_are_counted_without_a_topic(
    kind: str, two_fields: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(kind, monkeypatch)
    bring(two_fields)
    rows = store.read(two_fields, TABLES["topic_assignments"], PROJECT).filter(field="broken")
    said = store.read(two_fields, TABLES["messages"], PROJECT).filter(field="broken")
    assert set(rows["text_id"]) == set(said["text_id"]) and rows["topic_id"].null_count() == rows.height > 0
    days = store.read(two_fields, TABLES["topic_days"], PROJECT).filter(field="broken")
    assert set(days["topic_id"]) == {"unassigned"} and days["n_messages"].sum() == said.height
    edges = store.read(two_fields, TABLES["journey_edges"], PROJECT).filter(field="broken")
    assert set(edges["to_topic"]) == {"unassigned", "end"}


@pytest.mark.slow
def test_a_profile_that_fails_leaves_the_values_counted(two_fields: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    plant("field_profiles", monkeypatch)
    bring(two_fields)
    types = {row["field"]: row for row in store.read(two_fields, TABLES["field_types"], PROJECT).to_dicts()}
    assert types["broken"]["type"] == "other" and types["broken"]["reason"] == "its values could not be looked into"
    assert types["broken"]["n_events"] == types["prompt"]["n_events"] == 240


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("field_profiles", marks=pytest.mark.long), "field_types"])
def test_a_text_field_stays_one_while_it_cannot_be_profiled_or_judged(
    kind: str, built: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(kind, monkeypatch)
    more(built, 900)
    bring(built)
    assert failures(built) == [(kind, "broken")]
    types = store.read(built, TABLES["field_types"], PROJECT)
    assert types.filter(field="broken")["type"].to_list() == ["text"]
    assert store.read(built, TABLES["messages"], PROJECT).filter(field="broken").height == 241
    assert failing_checks(built) == {f"{kind}.no_field_failed"}


@pytest.mark.slow
@pytest.mark.parametrize("full_refresh", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_refit_that_fails_leaves_the_topics_and_new_texts_get_them(
    full_refresh: bool, built: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store.read(built, TABLES["topics"], PROJECT).filter(field="broken").sort("topic_id")
    with monkeypatch.context() as patch:
        plant("fit", patch)
        rows = [with_broken(event(n, DAYS[2], f"tell me about my parcel please, case {n}")) for n in range(900, 1000)]
        put(built, DAYS[2], "many", rows)
        bring(built, full_refresh)
        assert failures(built) == [("topics", "broken")]
        after = store.read(built, TABLES["topics"], PROJECT).filter(field="broken").sort("topic_id")
        assert after.equals(before)
        texts = store.read(built, TABLES["topic_assignments"], PROJECT).filter(field="broken")
        said = store.read(built, TABLES["messages"], PROJECT).filter(field="broken")
        assert set(texts["text_id"]) == set(said["text_id"])
        new = said.filter(pl.col("event_id").is_in([f"e{n}" for n in range(900, 1000)]))
        assert texts.join(new, on="text_id", how="semi")["topic_id"].null_count() < 50
    more(built, 1001)
    bring(built)
    assert failures(built) == []
    fits = store.read(built, TABLES["topic_fits"], PROJECT).filter(field="broken").sort("model_version")
    assert fits["model_version"].to_list() == [1, 2]


@pytest.mark.slow
def test_another_version_of_the_method_and_a_full_refresh_try_a_failed_field_again(
    two_fields: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = plant("fit", monkeypatch)
    bring(two_fields)
    for again in ({"stages": with_next_version("topics")}, {"full_refresh": True}):
        n_raised = fault.n_raised
        bring(two_fields, **again)  # type: ignore[arg-type]
        assert fault.n_raised == n_raised + 1 and failures(two_fields) == [("topics", "broken")]
    fault.is_on = False
    bring(two_fields, full_refresh=True)
    assert failures(two_fields) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("embeddings", marks=pytest.mark.long), "fit"])
def test_a_field_that_is_no_text_any_more_has_not_failed(
    kind: str, two_fields: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(kind, monkeypatch)
    bring(two_fields)
    chosen = {"project_id": PROJECT, "field": "broken", "decided_at": event(0, DAYS[2])["timestamp"], "type": "enum"}
    store.append(two_fields, TABLES["field_overrides"], pl.DataFrame([chosen], TABLES["field_overrides"].schema))
    bring(two_fields)
    assert failures(two_fields) == []


@pytest.mark.slow
def test_only_the_texts_that_cannot_be_embedded_lack_a_topic(two_fields: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "two factor codes in step 219 with poison"
    fault = Fault(ValueError("no tokens"))
    embed = fault.around(StandIn.embed, lambda self, texts, tell=None: any("219 " in text for text in texts))
    with monkeypatch.context() as patch:
        patch.setattr(StandIn, "embed", embed)
        bring(two_fields)
        found = store.read(two_fields, FIELD_FAILURES, PROJECT)
        assert found["field"].to_list() == ["broken"]
        assert found["reason"].to_list() == ["1 of its texts could not be embedded: ValueError: no tokens"], bad
        texts = store.read(two_fields, TABLES["topic_assignments"], PROJECT).filter(field="broken")
        assert texts["similarity"].null_count() == 1
        assert store.read(two_fields, TABLES["topics"], PROJECT).filter(field="broken").height > 1
        # Asked again with each change, as the text may pass by now; the fit is not made anew for it.
        more(two_fields, 900)
        bring(two_fields)
        assert failures(two_fields) == [("embeddings", "broken")]
    more(two_fields, 901)
    bring(two_fields)
    assert failures(two_fields) == []
    texts = store.read(two_fields, TABLES["topic_assignments"], PROJECT).filter(field="broken")
    assert texts["similarity"].null_count() == 0
    fits = store.read(two_fields, TABLES["topic_fits"], PROJECT).filter(field="broken").sort("model_version")
    assert fits["reason"].to_list() == ["the field has no topics yet", "1 texts have a vector that had none"]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), DeltaError("broken log"), ModelError("gone")]
)
def test_what_the_machine_did_fails_the_build(
    error: Exception, two_fields: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant("fit", monkeypatch, error)
    with pytest.raises(type(error)):
        bring(two_fields)
    assert failures(two_fields) == []


def test_a_lack_of_memory_and_a_panic_of_rust_code_are_of_the_field_and_a_stop_is_not() -> None:
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    for error in (MemoryError(), panic("index out of bounds"), RecursionError("too deep")):
        with pytest.raises(FieldError, match=type(error).__name__), contained():
            raise error
    for stop in (KeyboardInterrupt(), SystemExit(1)):
        with pytest.raises(type(stop)), contained():
            raise stop


def test_a_reason_is_one_short_line_whatever_the_error_holds() -> None:
    with pytest.raises(FieldError) as caught, contained():
        raise ValueError("could not convert\n\x1b[31m" + "x" * 5_000)
    reason = str(caught.value)
    assert reason.startswith("ValueError: could not convert [31mxxx") and reason.isprintable() and len(reason) == 300


def test_a_large_field_is_tried_again_once_enough_has_changed_and_a_small_one_with_any_change() -> None:
    small, large = Failure("why", 50, "a"), Failure("why", 10 * CHEAP_MESSAGES, "a")
    assert not small.is_to_be_tried(50, "a") and not large.is_to_be_tried(10 * CHEAP_MESSAGES, "a")
    assert small.is_to_be_tried(51, "a") and small.is_to_be_tried(49, "a") and small.is_to_be_tried(50, "b")
    assert not large.is_to_be_tried(10 * CHEAP_MESSAGES + 100, "a")
    assert large.is_to_be_tried(10 * CHEAP_MESSAGES + 1_000, "a") and large.is_to_be_tried(10 * CHEAP_MESSAGES, "b")


def test_a_field_whose_texts_all_fail_is_given_up_after_a_few_and_the_other_is_embedded_whole() -> None:
    asked: list[int] = []

    class Failing(StandIn):
        def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
            asked.append(len(texts))
            if is_poisoned(texts):
                raise ValueError("no")
            return super().embed(texts, on_progress)

    said = [*(f"{POISON} {n}" for n in range(5_000)), *(f"good {n}" for n in range(100))]
    texts = pl.DataFrame({"text_id": [f"{n:05}" for n in range(len(said))], "text": said})
    fields = texts.select(
        "text_id", field=pl.when(pl.col("text").str.contains(POISON)).then(pl.lit("a")).otherwise(pl.lit("b"))
    )
    attempt = EmbeddingAttempt(lambda: Failing(MODEL, "words"))  # type: ignore[arg-type, return-value]
    shuffled = texts.sample(fraction=1, shuffle=True, seed=1).sort("text_id")
    ((kept, vectors),) = attempt.embed([shuffled], lambda _: fields, lambda _: None)
    assert kept["text"].to_list() == said[5_000:] and vectors.shape == (100, StandIn.n_dims)
    assert np.array_equal(vectors, StandIn(MODEL, "words").embed(said[5_000:]))
    assert attempt.reasons == {"a": "5000 of its texts could not be embedded: ValueError: no"}
    assert len(asked) < 4 * MOST_ALONE + 20


def test_a_picture_that_cannot_be_drawn_stops_nothing(built: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault(ZeroDivisionError("no width"))
    monkeypatch.setattr(topics, "topic_map", fault.around(topics.topic_map, lambda *_: fault.n_raised == 0))
    (product,) = (each for each in STAGE_OF["topics"].makes if each.table.name == "topics")
    work = Work(built, PROJECT, MODEL)
    shown = product.shows(work, work.open(product.table).scan())
    maps = [str(value) for name, value in shown.items() if name.startswith("map of")]
    assert maps[0] == "not drawn: ZeroDivisionError: no width" and maps[1].startswith("<svg")
    assert containment.failures_of(built, PROJECT) == []


@pytest.mark.slow
def test_a_vocabulary_of_one_word_makes_topics_and_fails_nothing(two_fields: Lake) -> None:
    lake = Lake(two_fields.root + "-of-one-word")
    lake.make()
    rows = [event(n, DAYS[0]) for n in range(1_600)]
    for n, row in enumerate(rows):
        row["metadata"] = json.dumps({"prompt": f"message c{n % 40}-{n // 40}"})
    put(lake, DAYS[0], "a", rows)
    chosen = {"project_id": PROJECT, "field": "prompt", "decided_at": rows[0]["timestamp"], "type": "text"}
    store.append(lake, TABLES["field_overrides"], pl.DataFrame([chosen], TABLES["field_overrides"].schema))
    bring(lake)
    assert failures(lake) == [] and failing_checks(lake) == set()
    found = store.read(lake, TABLES["topics"], PROJECT)
    assert found.height >= 1 and set(found["keywords"].list.first()) == {"message"}
    assert store.read(lake, TABLES["messages"], PROJECT).height == 1_600
