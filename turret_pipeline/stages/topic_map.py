"""The map of a field's topics as a picture, for people who look at a run."""

from __future__ import annotations

import html

import polars as pl

MOST_NAMES = 14
"""Topics whose names are written: more would lie over each other."""
DRAWN = ("parent_id", "label", "n_messages", "x", "y")
"""Columns of `topics` that the picture is drawn from."""
WIDTH, HEIGHT, MARGIN = 720, 420, 48
EDGE = 90
"""Pixels from a side within which a name is written inwards, or it would be cut off."""
COLOURS = ("#4f43dd", "#0d9488", "#d97706", "#be185d", "#2563eb", "#65a30d", "#9333ea", "#dc2626", "#0891b2", "#a16207")


class Drawing(str):
    """A picture as an SVG document."""


def topic_map(topics: pl.DataFrame) -> str:
    """Return an SVG of topics in the plane: area by messages, colour by theme, the largest with their names.

    topics: the columns `DRAWN`, largest first.
    """
    themes = {theme: number for number, theme in enumerate(sorted(set(topics["parent_id"].drop_nulls())))}
    if topics.is_empty():
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{MARGIN}"></svg>'
    (left, right), (low, high) = _span(topics["x"]), _span(topics["y"])
    most = max(1, topics["n_messages"][0])
    dots, names = [], []
    for number, (parent, label, n, x, y) in enumerate(topics.select(DRAWN).rows()):
        across = MARGIN + (x - left) / (right - left) * (WIDTH - 2 * MARGIN)
        down = HEIGHT - MARGIN - (y - low) / (high - low) * (HEIGHT - 2 * MARGIN)
        colour = COLOURS[themes.get(parent, 0) % len(COLOURS)]
        radius = 3 + 22 * (n / most) ** 0.5
        dots.append(f'<circle cx="{across:.0f}" cy="{down:.0f}" r="{radius:.1f}" fill="{colour}" fill-opacity=".55"/>')
        if number < MOST_NAMES:
            words = html.escape(label if len(label) <= 28 else f"{label[:27]}…")
            anchor = "start" if across < EDGE else "end" if across > WIDTH - EDGE else "middle"
            names.append(f'<text x="{across:.0f}" y="{down + 4:.0f}" text-anchor="{anchor}">{words}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff" stroke="#ddd"/>{"".join(dots)}'
        f'<g font-family="sans-serif" font-size="11" fill="#111" stroke="#fff" stroke-width="3" '
        f'paint-order="stroke">{"".join(names)}</g></svg>'
    )


def _span(values: pl.Series) -> tuple[float, float]:
    low, high = (float(value) for value in values.to_frame().select(low=pl.all().min(), high=pl.all().max()).row(0))
    return (low, high) if high > low else (low - 1, high + 1)
