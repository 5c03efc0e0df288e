"""Embedding texts though some of them cannot be: those are found by halving, field by field, and left out.

A chunk of texts goes through the model at once, and nearly always that is all. Where the model fails on it, the texts
of each field are tried by themselves (`halving`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl

from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.pooled import embed_pooled
from turret_pipeline.fanout import Fanout, in_process
from turret_pipeline.stages.containment import FieldError, contained
from turret_pipeline.stages.halving import by_halves

LENGTH_TOLERANCE = 0.01
"""How far from 1 a vector's length may be; ten times what the check of the table allows, which only tells."""

NO_DIRECTION = "its vector is not finite or not of unit length"


class EmbeddingAttempt:
    """The texts of one project on their way through the model, and those that did not get through."""

    def __init__(
        self,
        open_model: Callable[[], Embedder],
        fanout: Fanout = in_process,
        in_worker: Callable[[list[str]], np.ndarray | None] | None = None,
    ) -> None:
        """Take what embeds.

        open_model: called once, when this process has a text to embed. fanout: what executes the chunks. in_worker:
        does as `vectors_of` in a process that has no model open; None: there is none.
        """
        self._open_model = open_model
        self._fanout, self._in_worker = fanout, in_worker
        self._embedder: Embedder | None = None
        self.is_begun = False  # whether there was a text to embed
        self._failed: dict[str, str] = {}
        self._n_failed, self._n_alone = Counter[str](), Counter[str]()

    def model(self) -> Embedder:
        """Return the model, open from now on."""
        self._embedder = self._embedder or self._open_model()
        return self._embedder

    @property
    def reasons(self) -> dict[str, str]:
        """By field that has texts which could not be embedded, how many these are and why the first of them."""
        return {
            field: f"{self._n_failed[field]} of its texts could not be embedded: {reason}"
            for field, reason in sorted(self._failed.items())
        }

    def embed(
        self,
        chunks: Sequence[pl.DataFrame],
        fields_of: Callable[[pl.DataFrame], pl.DataFrame],
        tell: Callable[[int], None],
    ) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
        """Yield of each chunk the texts that could be embedded, in their order, and their vectors, rows of unit length.

        chunks: `text_id`, `text`. fields_of: returns `field`, `text_id` of the fields that have texts, several for
        some. tell: told how many of all texts have a vector by now.
        """
        n_before = 0

        def here(texts: list[str]) -> np.ndarray | None:
            return vectors_of(self.model(), texts, lambda done: tell(n_before + done))

        texts = (chunk["text"].to_list() for chunk in chunks)
        for chunk, vectors in zip(chunks, self._fanout(self._in_worker or here, texts, here), strict=True):
            self.is_begun = True
            yield (chunk, vectors) if vectors is not None else self._field_by_field(chunk, fields_of)
            n_before += chunk.height
            tell(n_before)

    def _field_by_field(
        self, texts: pl.DataFrame, fields_of: Callable[[pl.DataFrame], pl.DataFrame]
    ) -> tuple[pl.DataFrame, np.ndarray]:
        """Return those of `texts` that can be embedded, and their vectors, though the model failed on all together."""
        fields, model = fields_of(texts), self.model()
        kept, found = [texts.head(0)], [np.zeros((0, model.n_dims), dtype=np.float32)]
        for field, part in by_first_field(texts, fields):
            of_part = self._halved(model, field, part["text"].to_list())
            reasons = {i: each for i, each in enumerate(of_part) if isinstance(each, str)}
            for name, n, first in _failed_texts(part, fields, reasons):
                self._n_failed[name] += n
                self._failed.setdefault(name, first)
            good = [i for i in range(part.height) if i not in reasons]
            kept.append(part[good])
            found.append(np.array([of_part[i] for i in good], dtype=np.float32).reshape(len(good), model.n_dims))
        there = pl.concat(kept).with_row_index("row").sort("text_id")
        return there.drop("row"), np.concatenate(found)[there["row"].to_numpy()]

    def _halved(self, model: Embedder, field: str, texts: list[str]) -> list[np.ndarray | str]:
        """Return for each of a field's texts its vector, or why it has none."""
        told: list[np.ndarray | str] = []
        parts = by_halves(len(texts), lambda part: embed_pooled(model, texts[part]), self._n_alone[field])
        for part, vectors in parts:
            if isinstance(vectors, FieldError):
                self._n_alone[field] += 1
                told += [str(vectors)] * len(texts[part])
            else:
                told += [row if sound else NO_DIRECTION for row, sound in zip(vectors, is_sound(vectors), strict=True)]
        return told


def vectors_of(model: Embedder, texts: list[str], tell: Callable[[int], None] | None = None) -> np.ndarray | None:
    """Return the vectors of all texts: float32 of shape (n_texts, n_dims); None where one of them has none."""
    try:
        with contained():
            vectors = embed_pooled(model, texts, tell)
    except FieldError:
        return None
    return vectors if is_sound(vectors).all() else None


def is_sound(vectors: np.ndarray) -> np.ndarray:
    """Return of each row whether it is finite and of unit length: bool of shape (n_texts,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        near: np.ndarray = np.abs(np.linalg.norm(vectors, axis=1) - 1) <= LENGTH_TOLERANCE
    return near


def by_first_field(texts: pl.DataFrame, fields: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the texts of each field, in order, each with the first of the fields that have it."""
    first = fields.group_by("text_id").agg(pl.col("field").min())
    of_field = texts.join(first, on="text_id", how="left", maintain_order="left").with_columns(
        pl.col("field").fill_null("")
    )
    parts = of_field.partition_by("field", as_dict=True, include_key=False)
    return [(str(field), parts[(field,)]) for (field,) in sorted(parts)]


def _failed_texts(part: pl.DataFrame, fields: pl.DataFrame, reasons: dict[int, str]) -> list[tuple[str, int, str]]:
    """Return each field that has texts of `part` which failed, how many, and the first reason. reasons: by row."""
    failed = part[list(reasons)].select("text_id", reason=pl.Series(list(reasons.values()), dtype=pl.String))
    of_fields = fields.join(failed, on="text_id", maintain_order="right")
    return list(of_fields.group_by("field", maintain_order=True).agg(pl.len(), pl.col("reason").first()).iter_rows())
