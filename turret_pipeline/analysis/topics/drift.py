"""Whether new texts have moved away from a field's topics, so that a fit is due though none of them stands apart."""

from __future__ import annotations

from turret_pipeline.analysis.topics.fit import MIN_TEXTS

SHARE = 0.05
"""Of the texts of the last fit: so many new ones have to have come."""

FALL = 1.0
"""Standard deviations that the mean similarity has to fall by. More texts of the same kind fall by 0.03 to 0.15 on the
labelled sets, by up to 0.5 where topics have some 15 texts each, as a text is nearer to a centroid that it is part of;
texts about other things by 4 and more."""

LEAST_FALL = 0.1
"""Cosine that it has to fall by besides: texts after a few patterns are all about as like their topics."""


def drift_reason(n_new: int, mean_new: float, n_fitted: int, mean_fitted: float, sd_fitted: float) -> str | None:
    """Return why a fit is due, in words, or None.

    n_new, mean_new: texts since the last fit, and their mean similarity to the nearest topic. n_fitted, mean_fitted,
    sd_fitted: of the texts of that fit.
    """
    enough = n_new >= max(MIN_TEXTS, SHARE * n_fitted)
    if not enough or mean_new >= mean_fitted - max(FALL * sd_fitted, LEAST_FALL):
        return None
    return f"{n_new} new texts are less like their topics: mean similarity {mean_new:.2f} instead of {mean_fitted:.2f}"
