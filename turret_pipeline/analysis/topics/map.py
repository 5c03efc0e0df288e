"""Where topics stand to one another: themes over them, and a map in the plane with a place for every topic and text.

Topics are laid out by stress majorisation (Gansner, Koren, North 2004): distances on the map follow the angles of the
centroids, near ones most, and a little repulsion keeps topics apart. At a refit old topics stay where they are and only
new ones look for a place; a map that has mostly new topics is laid out anew and turned to lie as the old one did
(orthogonal Procrustes, Schoenemann 1966).

A text stands in the disc of its topic, shifted towards the topics that it leans to: by the one linear map that takes
centroids to their places (ridge regression). So a place follows from the text's vector and the rows of `TOPICS` alone,
whatever other texts there are, and a text that comes later is placed as if it had been there from the start.
"""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist, squareform

N_SWEEPS = 60
"""Sweeps of stress majorisation; later ones move nothing that an eye could see."""

DISC_AREA = 0.35
"""Share of the map's square that the discs of all topics cover together, where their neighbours leave them room."""

ROOM = 0.48
"""Radius of a disc at most, as share of the distance to the nearest other topic; past 0.5 discs would overlap."""


OUTSIDE = 1.15
"""Distance from the middle of the nearest disc, in its radii, at which a text without a topic stands."""

TOGETHER = 0.7
"""Of the distance of two topics: what counts when they are of one theme, so that themes are regions of the map."""


FEWEST_TOPICS = 6
"""Topics below which there are no themes."""

THEMES_A_ROOT = 1.7
"""Themes for each topic of the square root of their number, and at most half as many as topics."""


def find_themes(centroids: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the theme of each topic, 0 to n_themes-1; none (empty) where there are fewer than `FEWEST_TOPICS`.

    centroids: float32 of shape (n_topics, n_dims), unit rows; sizes: texts of each. By Ward's method, of the centroids
    as they lie seen from the middle of all texts: what all of a field's texts have in common says nothing of themes.
    """
    n_topics = len(centroids)
    if n_topics < FEWEST_TOPICS:
        return np.zeros(0, dtype=np.int64)
    seen = centroids - np.average(centroids, axis=0, weights=sizes)
    tree = linkage(seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-9), method="ward")
    n_themes = int(np.clip(round(np.sqrt(n_topics) * THEMES_A_ROOT), 2, n_topics // 2))
    themes: np.ndarray = fcluster(tree, n_themes, criterion="maxclust").astype(np.int64) - 1
    return themes


def place_topics(centroids: np.ndarray, themes: np.ndarray, previous: np.ndarray | None = None) -> np.ndarray:
    """Return the topics' places on the map, float64 of shape (n_topics, 2), within -1 to 1 or a little beyond.

    centroids: float32 of shape (n_topics, n_dims), unit rows. themes: of `find_themes`. previous: the places at the
    last fit, float64 of shape (n_topics, 2), NaN for new topics; None when all are new.
    """
    n_topics = len(centroids)
    previous = np.full((n_topics, 2), np.nan) if previous is None else previous
    old = np.isfinite(previous).all(axis=1)
    if old.all():
        return previous.astype(np.float64)
    if n_topics == 1:
        return np.zeros((1, 2))
    wanted = np.maximum(squareform(pdist(centroids.astype(np.float64), "cosine")), 1e-3)
    if len(themes):
        wanted = np.where(themes[:, None] == themes[None, :], TOGETHER, 1.0) * wanted
    if 2 * old.sum() < n_topics:
        places = _lay_out(wanted)
        if old.sum() >= 3:
            before, now = (at[old] - at[old].mean(axis=0) for at in (previous, places))
            places = places @ orthogonal_procrustes(now, before)[0]
        return places / max(float(np.abs(places).max()), 1e-12)
    # Centroids are about as far from one another as the map is wide: put both on one scale by the old topics.
    apart = squareform(pdist(previous[old]))
    scale = apart.mean() / max(float(wanted[np.ix_(old, old)].mean()), 1e-12)
    places = np.where(old[:, None], previous, 0.0)
    near = np.exp(-8 * (wanted[:, old] - wanted[:, old].min(axis=1, keepdims=True)))
    places[~old] = ((near / near.sum(axis=1, keepdims=True)) @ previous[old])[~old] + _nudges(n_topics)[~old] * scale
    return _majorise(places, wanted * scale, ~old)


def place_texts(
    vectors: np.ndarray,
    nearest: np.ndarray,
    fits: np.ndarray,
    centroids: np.ndarray,
    places: np.ndarray,
    sizes: np.ndarray,
) -> np.ndarray:
    """Return the texts' places on the map: float32 of shape (n_texts, 2); each within the disc of its topic.

    vectors: float32 of shape (n_texts, n_dims), unit rows. nearest: the topic of each, or the nearest to it, int64
    (n_texts,). fits: bool (n_texts,), false for a text without a topic: it is put just outside the disc. centroids:
    float32 (n_topics, n_dims), unit rows. places: of the topics, (n_topics, 2). sizes: their texts, (n_topics,).
    """
    radius = _disc_radius(places, sizes)
    lean = _lean(centroids, places)
    base = centroids @ lean
    # How far another topic lies in this linear map: a text that is shifted so far stands near the rim.
    shift = base[None, :, :] - (centroids @ centroids.T)[:, :, None] * base[:, None, :]
    lengths = np.linalg.norm(shift, axis=2)[~np.eye(len(centroids), dtype=bool)]
    reach = float(np.median(lengths)) if len(lengths) else 1.0
    cosine = np.einsum("ij,ij->i", vectors, centroids[nearest])
    moved = vectors @ lean - cosine[:, None] * base[nearest]
    length = np.maximum(np.linalg.norm(moved, axis=1), 1e-12)
    within = np.where(fits, np.tanh(2.5 * length / max(reach, 1e-12)), OUTSIDE)
    found: np.ndarray = (places[nearest] + moved * (radius[nearest] * within / length)[:, None]).astype(np.float32)
    return found


def _lean(centroids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the linear map from vectors to the plane, float32 (n_dims, 2), that takes centroids near their places."""
    if len(centroids) < 3:  # no plane follows from two points: any two fixed directions serve
        directions = np.random.default_rng(0).normal(size=(centroids.shape[1], 2)).astype(np.float32)
        any_two: np.ndarray = directions / np.linalg.norm(directions, axis=0)
        return any_two
    middle = (centroids - centroids.mean(axis=0)).astype(np.float64)
    products = middle @ middle.T
    # Where all centroids are the same, nothing leans anywhere.
    ridge = products + max(float(np.trace(products)) / len(products), 1e-12) * np.eye(len(products))
    found: np.ndarray = (middle.T @ np.linalg.solve(ridge, places - places.mean(axis=0))).astype(np.float32)
    return found


def _disc_radius(places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the radius of each topic's disc, float64 (n_topics,): its area as its share of the texts, or less."""
    share = np.sqrt(np.maximum(sizes, 1) / max(float(np.maximum(sizes, 1).sum()), 1.0))
    wanted: np.ndarray = np.sqrt(4 * DISC_AREA / np.pi) * share
    if len(places) < 2:
        return wanted
    apart = squareform(pdist(places))
    np.fill_diagonal(apart, np.inf)
    radius: np.ndarray = np.minimum(wanted, ROOM * apart.min(axis=1))
    return radius


def _lay_out(wanted: np.ndarray) -> np.ndarray:
    """Return places for the wanted distances, from those of classical scaling (Torgerson 1952)."""
    n_topics = len(wanted)
    square = wanted**2
    middle = -0.5 * (square - square.mean(axis=0) - square.mean(axis=1)[:, None] + square.mean())
    values, directions = np.linalg.eigh(middle)
    places = directions[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0))
    largest = np.abs(places).argmax(axis=0)
    places *= np.where(places[largest, [0, 1]] < 0, -1.0, 1.0)  # eigenvectors have no sign of their own
    return _majorise(places + 1e-3 * _nudges(n_topics), wanted, np.ones(n_topics, dtype=bool))


def _majorise(places: np.ndarray, wanted: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the places after the `free` ones moved to where their distances are as wanted, small ones most."""
    weight = wanted**-4.0
    np.fill_diagonal(weight, 0)
    total = weight.sum(axis=1)[:, None]
    least = 0.7 * float(np.sqrt(np.prod(np.ptp(places, axis=0)) / len(places)))
    for _ in range(N_SWEEPS):
        apart = np.maximum(squareform(pdist(places)), 1e-9)
        aim = weight * np.maximum(wanted, least) / apart
        moved = (weight @ places + places * aim.sum(axis=1)[:, None] - aim @ places) / total
        places = np.where(free[:, None], moved, places)
    return places


def _nudges(n: int) -> np.ndarray:
    """Return small steps in directions that differ, (n, 2): places that coincide could not be moved apart."""
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    return 0.02 * np.column_stack([np.cos(angle), np.sin(angle)])
