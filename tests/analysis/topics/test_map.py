"""The map: topics apart, their texts around them by meaning, old topics where they were."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from turret_pipeline.analysis.topics.map import find_themes, place_texts, place_topics

N_THEMES, N_EACH, N_DIMS = 4, 5, 64


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def planted() -> np.ndarray:
    """Return the centroids of four themes of five topics each."""
    draw = np.random.default_rng(0)
    themes = unit(draw.normal(size=(N_THEMES, N_DIMS)))
    return unit(np.repeat(themes, N_EACH, axis=0) + 0.08 * draw.normal(size=(N_THEMES * N_EACH, N_DIMS)))


CENTROIDS = planted()
SIZES = np.full(len(CENTROIDS), 100)
THEMES = find_themes(CENTROIDS, np.ones(len(CENTROIDS)))


def texts_around(centroids: np.ndarray, each: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    topics = np.repeat(np.arange(len(centroids)), each)
    noise = 0.1 * np.random.default_rng(seed).normal(size=(len(topics), N_DIMS))
    return unit(centroids[topics] + noise), topics


def test_topics_of_a_theme_lie_together_and_none_on_another() -> None:
    places = place_topics(CENTROIDS, THEMES)
    assert np.abs(places).max() <= 1.0 + 1e-9
    assert pdist(places).min() > 0.02
    groups = places.reshape(N_THEMES, N_EACH, 2)
    within = np.mean([pdist(group).mean() for group in groups])
    assert pdist(groups.mean(axis=1)).min() > within


def test_old_topics_stay_where_they_are_and_a_new_one_comes_beside_its_like() -> None:
    before = place_topics(CENTROIDS[:-1], find_themes(CENTROIDS[:-1], np.ones(len(CENTROIDS) - 1)))
    known = np.vstack([before, [[np.nan, np.nan]]])
    after = place_topics(CENTROIDS, THEMES, known)
    assert np.array_equal(after[:-1], before)
    nearest = np.argsort(np.linalg.norm(after[:-1] - after[-1], axis=1))[:2]
    assert set(nearest) <= set(range(len(CENTROIDS) - N_EACH, len(CENTROIDS) - 1))
    assert pdist(after).min() > 0.01


def test_a_map_laid_out_anew_is_turned_as_the_old_one_lay() -> None:
    turned = place_topics(CENTROIDS, THEMES) @ np.array([[0.0, -1.0], [1.0, 0.0]])
    few = np.where(np.arange(len(CENTROIDS))[:, None] % 3 == 0, turned, np.nan)
    after = place_topics(CENTROIDS, THEMES, few)
    assert np.abs(after - turned).max() < 0.2


def test_texts_stand_in_the_disc_of_their_topic_whatever_texts_there_are_beside_them() -> None:
    places = place_topics(CENTROIDS, THEMES)
    vectors, topics = texts_around(CENTROIDS, 50)
    found = place_texts(vectors, topics, np.ones(len(topics), bool), CENTROIDS, places, SIZES)
    nearest = np.linalg.norm(found[:, None] - places[None], axis=2).argmin(axis=1)
    assert np.array_equal(nearest, topics)
    assert min(np.ptp(found[topics == topic], axis=0).min() for topic in range(len(places))) > 0.005
    alone = place_texts(vectors[7:8], topics[7:8], np.ones(1, bool), CENTROIDS, places, SIZES)
    assert np.allclose(alone, found[7:8], atol=1e-5)


def test_a_text_between_two_topics_leans_to_the_other() -> None:
    places = place_topics(CENTROIDS, THEMES)
    pairs = [(one, other) for one in range(20) for other in range(20) if one // N_EACH != other // N_EACH]
    own, other = (np.array(side) for side in zip(*pairs, strict=True))
    vectors = unit(0.7 * CENTROIDS[own] + 0.3 * CENTROIDS[other])
    found = place_texts(vectors, own, np.ones(len(own), bool), CENTROIDS, places, SIZES)
    towards = np.einsum("ij,ij->i", found - places[own], places[other] - places[own])
    assert (towards > 0).mean() > 0.95


def test_a_text_without_a_topic_stands_outside_every_disc() -> None:
    places = place_topics(CENTROIDS, THEMES)
    vectors, topics = texts_around(CENTROIDS, 20)
    inside = place_texts(vectors, topics, np.ones(len(topics), bool), CENTROIDS, places, SIZES)
    outside = place_texts(vectors, topics, np.zeros(len(topics), bool), CENTROIDS, places, SIZES)
    away = [np.linalg.norm(found - places[topics], axis=1) for found in (inside, outside)]
    assert (away[1] > away[0]).all()


def test_one_topic_and_two_have_a_map_too() -> None:
    for n_topics in (1, 2):
        centroids = CENTROIDS[:n_topics]
        places = place_topics(centroids, np.zeros(0, dtype=np.int64))
        vectors, topics = texts_around(centroids, 5)
        found = place_texts(vectors, topics, np.ones(len(topics), bool), centroids, places, SIZES[:n_topics])
        assert np.isfinite(found).all()
        assert len(np.unique(found, axis=0)) == len(found)


def test_topics_with_the_same_direction_have_places_and_so_have_their_texts() -> None:
    centroids = np.repeat(unit(np.ones((1, N_DIMS))), 7, axis=0)
    places = place_topics(centroids, find_themes(centroids, np.ones(len(centroids))))
    assert np.isfinite(places).all() and len(np.unique(places, axis=0)) == 7
    nearest = np.arange(7)
    found = place_texts(centroids, nearest, np.ones(7, dtype=bool), centroids, places, np.full(7, 5))
    assert np.isfinite(found).all()
