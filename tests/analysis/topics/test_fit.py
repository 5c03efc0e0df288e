"""Topics of planted clusters: found, named, kept. Vectors lie around random directions, texts come from a lexicon."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest

from turret_pipeline.analysis.topics.fit import TOPIC_SCHEMA, TopicFit, assign_texts, fit_topics, refit_reason

THEMES = {
    "reset password": ["reset my password", "forgot password again", "password reset link broken"],
    "cancel order": ["cancel my order", "stop the order please", "order cancel before shipping"],
    "track parcel": ["track my parcel", "where is the parcel", "parcel tracking number"],
    "refund money": ["refund my money", "money back request", "refund not received"],
    "change address": ["change delivery address", "new address for delivery", "address is wrong"],
    "gift card": ["buy a gift card", "gift card balance", "redeem gift card code"],
    "close account": ["close my account", "delete account data", "account closing"],
    "talk human": ["talk to a human", "human agent please", "speak with human support"],
}


def texts_of(names: list[str], each: int, *, seed: int = 0, spread: float = 0.05, n_dims: int = 64) -> pl.DataFrame:
    """Return `each` distinct texts of each theme with vectors around the theme's direction; `theme` is the truth."""
    rows = []
    for name in names:
        middle = np.random.default_rng(int.from_bytes(name.encode()[:6], "big")).normal(size=n_dims)
        middle /= np.linalg.norm(middle)
        draw = np.random.default_rng(seed)
        for number in range(each):
            text = f"{THEMES[name][number % 3]} {seed}-{number}"
            vector = middle + spread * draw.normal(size=n_dims)
            rows.append((text, (vector / np.linalg.norm(vector)).tolist(), name))
    frame = pl.DataFrame(
        rows, schema={"text": pl.String, "vector": pl.List(pl.Float32), "theme": pl.String}, orient="row"
    )
    ids = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in frame["text"]]
    return frame.with_columns(pl.Series("text_id", ids), pl.lit(2, dtype=pl.Int64).alias("n_messages"))


def agreement(fit: TopicFit, texts: pl.DataFrame) -> float:
    # Here, not at the top: scikit-learn takes a second to import.
    from sklearn.metrics import adjusted_rand_score

    both = fit.assignments.join(texts.select("text_id", "theme"), on="text_id")
    return float(adjusted_rand_score(both["theme"].to_list(), both["topic_id"].fill_null("none").to_list()))


@pytest.fixture(scope="module")
def texts() -> pl.DataFrame:
    return texts_of(list(THEMES), 60)


@pytest.fixture(scope="module")
def fit(texts: pl.DataFrame) -> TopicFit:
    return fit_topics(texts)


def leaves(fit: TopicFit) -> pl.DataFrame:
    return fit.topics.filter(pl.col("level") == 0)


def test_planted_themes_become_topics(fit: TopicFit, texts: pl.DataFrame) -> None:
    assert agreement(fit, texts) > 0.95
    assert leaves(fit).height == len(THEMES)
    assert fit.assignments["topic_id"].null_count() == 0


def test_the_frames_are_those_that_the_lake_declares(fit: TopicFit, texts: pl.DataFrame) -> None:
    assert fit.topics.schema == TOPIC_SCHEMA
    assert fit.topics.drop("parent_id", "summary").null_count().sum_horizontal().item() == 0
    assert sorted(fit.assignments["text_id"]) == sorted(texts["text_id"])
    assert fit.topics["topic_id"].is_unique().all()
    assert leaves(fit)["n_messages"].sum() == texts["n_messages"].sum()


def test_labels_are_unique_phrases_of_the_messages(fit: TopicFit, texts: pl.DataFrame) -> None:
    labels = fit.topics["label"].to_list()
    assert len({label.lower() for label in labels}) == len(labels)
    for label, examples in leaves(fit).select("label", "examples").iter_rows():
        assert any(set(label.split()) <= set(example.split()) for example in examples), (label, examples)
        assert 3 <= len(label) <= 60


def test_themes_stand_over_topics(fit: TopicFit) -> None:
    themes = fit.topics.filter(pl.col("level") == 1)
    assert 2 <= themes.height < len(THEMES)
    assert set(leaves(fit)["parent_id"]) == set(themes["topic_id"])
    assert themes["n_messages"].sum() == leaves(fit)["n_messages"].sum()
    assert themes["parent_id"].null_count() == themes.height


def test_the_order_of_the_rows_changes_nothing(fit: TopicFit, texts: pl.DataFrame) -> None:
    again = fit_topics(texts.sample(fraction=1.0, shuffle=True, seed=3))
    assert again.topics.equals(fit.topics)
    assert again.assignments.equals(fit.assignments)


def test_a_refit_on_the_same_texts_changes_nothing(fit: TopicFit, texts: pl.DataFrame) -> None:
    again = fit_topics(texts, previous_topics=fit.topics, previous_assignments=fit.assignments)
    assert again.assignments.select("text_id", "topic_id").equals(fit.assignments.select("text_id", "topic_id"))
    names = ["topic_id", "label"]
    assert again.topics.select(names).sort(names).equals(fit.topics.select(names).sort(names))


def test_themes_keep_id_and_label_through_a_refit_that_adds_a_topic() -> None:
    names = list(THEMES)
    before = fit_topics(texts_of(names[:-1], 60))
    grown = texts_of(names[:-1], 60).vstack(texts_of(names[-1:], 40))
    after = fit_topics(grown, previous_topics=before.topics, previous_assignments=before.assignments)
    themes = [fit.topics.filter(pl.col("level") == 1).select("topic_id", "label") for fit in (before, after)]
    kept = themes[0].join(themes[1], on="topic_id")
    assert kept.height >= 2
    assert kept["label"].equals(kept["label_right"], check_names=False)


def test_emoji_code_languages_one_word_replies_and_a_flood_make_sensible_topics() -> None:
    kinds = {
        "emoji": ["\U0001f600 {}", "\U0001f44d\U0001f44d {}", "\u2764\ufe0f {}"],
        "code": ["def parse(row):\n    return row[{}]\n" * 80, "```python\nprint({})\n```" * 80],
        "german": ["Wo ist mein Paket {}?", "Das Paket {} ist noch nicht da", "Paket {} verfolgen bitte"],
        "spanish": ["\u00bfD\u00f3nde est\u00e1 mi factura {}?", "necesito la factura {}", "factura {} por favor"],
        "replies": ["yes {}", "continue {}", "ok {}"],
        "flood": ["BUY CHEAP WATCHES {}"],
    }
    frame = texts_of(list(THEMES)[: len(kinds)], 24)
    texts = [kind[n % len(kind)].replace("{}", str(n)) for kind in kinds.values() for n in range(24)]
    odd = frame.with_columns(pl.Series("text", texts))
    flood = odd["text"].str.starts_with("BUY")
    odd = odd.with_columns(n_messages=pl.when(flood).then(10_000).otherwise(1).cast(pl.Int64))
    found = fit_topics(odd)
    assert agreement(found, odd) > 0.95
    labels = dict(leaves(found).select(pl.col("examples").list.first().str.slice(0, 3), "label").iter_rows())
    assert labels["BUY"] in ("buy cheap watches", "cheap watches")
    assert {label.lower() for label in labels.values()} & {"paket", "das paket"}
    assert "factura" in labels.values()
    assert all(0 < len(label) <= 60 and "\n" not in label for label in labels.values())
    assert found.topics["n_messages"].max() >= 24 * 10_000


def test_more_texts_of_the_same_kind_join_the_topics_there_are(fit: TopicFit, texts: pl.DataFrame) -> None:
    grown = pl.concat([texts, texts_of(list(THEMES), 6, seed=1)])
    again = fit_topics(grown, previous_topics=fit.topics, previous_assignments=fit.assignments)
    both = fit.assignments.join(again.assignments, on="text_id")
    assert (both["topic_id"] == both["topic_id_right"]).all()
    assert agreement(again, grown) > 0.95


def test_a_new_theme_becomes_a_topic_and_disturbs_none() -> None:
    names = list(THEMES)
    first = texts_of(names[:-1], 60)
    before = fit_topics(first)
    grown = pl.concat([first, texts_of(names[-1:], 40)])
    after = fit_topics(grown, previous_topics=before.topics, previous_assignments=before.assignments)
    both = before.assignments.join(after.assignments, on="text_id")
    assert (both["topic_id"] == both["topic_id_right"]).all()
    assert set(leaves(before)["topic_id"]) < set(leaves(after)["topic_id"])
    assert agreement(after, grown) > 0.95


def test_new_texts_get_the_topic_of_their_theme_and_noise_gets_none(fit: TopicFit) -> None:
    new = texts_of(list(THEMES), 10, seed=5)
    found = assign_texts(new, fit.topics)
    assert found["topic_id"].null_count() == 0
    topic_of = dict(zip(new["theme"], found["topic_id"], strict=True))
    assert [topic_of[theme] for theme in new["theme"]] == found["topic_id"].to_list()
    assert len(set(topic_of.values())) == len(THEMES)
    noise = np.random.default_rng(1).normal(size=(1, 64))
    stray = new.head(1).with_columns(pl.Series("vector", noise.tolist(), dtype=pl.List(pl.Float32)))
    assert assign_texts(stray, fit.topics)["topic_id"].to_list() == [None]


def test_a_blank_text_has_no_topic(fit: TopicFit, texts: pl.DataFrame) -> None:
    blank = texts.head(1).with_columns(pl.lit(" \n").alias("text"), pl.lit("0" * 32).alias("text_id"))
    assert assign_texts(blank, fit.topics)["topic_id"].to_list() == [None]
    again = fit_topics(pl.concat([texts, blank]))
    assert again.assignments.filter(pl.col("text_id") == "0" * 32)["topic_id"].to_list() == [None]


def test_too_few_texts_make_no_topics() -> None:
    few = texts_of(["gift card"], 19)
    found = fit_topics(few)
    assert found.topics.height == 0
    assert found.topics.schema == TOPIC_SCHEMA
    assert found.assignments["topic_id"].null_count() == 19
    assert fit_topics(few.clear()).assignments.height == 0


def test_few_texts_of_two_kinds_make_two_topics() -> None:
    few = texts_of(["gift card", "cancel order"], 12)
    found = fit_topics(few)
    assert leaves(found).height == 2
    assert agreement(found, few) > 0.9


def test_nothing_to_assign_and_nothing_to_assign_to_are_ordinary(fit: TopicFit, texts: pl.DataFrame) -> None:
    assert assign_texts(texts.clear(), fit.topics).height == 0
    assert assign_texts(texts, fit.topics.clear())["topic_id"].null_count() == texts.height


def test_a_refit_is_due_at_first_on_growth_and_on_misfits(fit: TopicFit) -> None:
    cases = [
        (19, 19, fit.topics.clear(), False),
        (20, 20, fit.topics.clear(), True),
        (480, 0, fit.topics, False),
        (520, 5, fit.topics, False),
        (600, 0, fit.topics, True),
        (520, 25, fit.topics, True),
    ]
    for n_texts, n_unassigned, topics, due in cases:
        assert (refit_reason(n_texts, n_unassigned, topics) is not None) == due, (n_texts, n_unassigned)


def test_every_text_has_its_place_on_the_map_and_keeps_it_through_a_refit(fit: TopicFit, texts: pl.DataFrame) -> None:
    places = fit.assignments.select("text_id", "x", "y")
    assert places.null_count().sum_horizontal().item() == 0
    later = assign_texts(texts.head(9), fit.topics).join(places, on="text_id")
    assert (later["x"] - later["x_right"]).abs().max() < 1e-5  # type: ignore[operator]
    again = fit_topics(texts, previous_topics=fit.topics, previous_assignments=fit.assignments)
    assert again.topics.select("topic_id", "x", "y").equals(fit.topics.select("topic_id", "x", "y"))
