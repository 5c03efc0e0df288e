"""The vectors of a project's texts, 8 bits a component, as questions compare them.

    in memory, while those of the project fit ──> compared with the query one by one: exact
    on disk, once they do not                 ──> a bit for each component in memory, which says which are worth a look

The vectors of a file are read from the lake once. Those of a project that take more than `keep_at_most` allows lie in
files without a name, which end with the process: the lake stays the truth, and nothing is left to keep in step or to
remove. They are read by `pread` and not mapped, for mapped pages would count as memory that the process holds.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from turret_api.errors import invalid
from turret_api.read.engine.cache import Cache
from turret_api.read.engine.library import Snapshot
from turret_pipeline.embedder.kept import read_model
from turret_pipeline.embedder.multilingual import SideBySide, open_encoder
from turret_pipeline.embedder.pooled import embed_query
from turret_pipeline.embedder.runtime import Encoder
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import EMBEDDINGS
from turret_pipeline.semantics.defined_topics import unit_rows
from turret_pipeline.semantics.vectors import unpack

log = logging.getLogger(__name__)

KEPT_BYTES = 1 << 30
"""Vectors kept, of all projects together: some 1.5 million texts of the default model's 640 dimensions."""

KEPT_SHARE = 1 / 3
"""Of the memory that the process may hold, where that is known: 5.9 million texts with 12 GiB."""

TEXT_BYTES = 720
"""What a text of the default model takes in memory; on disk it is 112, and 640 of the disk."""

FREE_SHARE = 0.1
"""Of the disk, that is left free: events come first."""

_vectors = Cache(KEPT_BYTES)
_lengths = Cache(1 << 24)
_encoders = Cache(1 << 30)
_folder: Path | None = None


def keep_at_most(n_bytes: int, folder: Path | None = None) -> None:
    """From now on keep vectors up to `KEPT_SHARE` of `n_bytes`, the memory that this process may hold.

    folder: on the disk that takes those of projects with more; None: where temporary files lie.
    """
    global _folder
    _vectors.limit_bytes = int(n_bytes * KEPT_SHARE)
    _folder = folder


@dataclass(frozen=True)
class InMemory:
    """The vectors of one model in one file.

    text_ids: the texts. quantized: int8 of shape (n_texts, n_dims).
    """

    model: str
    text_ids: pl.Series
    quantized: np.ndarray

    @property
    def n_dims(self) -> int:
        """Length of a vector."""
        return int(self.quantized.shape[1])

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        return self.quantized.nbytes + int(self.text_ids.estimated_size())

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Return the vectors at `places`: int8 of shape (len(places), n_dims)."""
        found: np.ndarray = self.quantized[places]
        return found


class NamelessFile:
    """A file that ends with this object, or with the process, however that ends."""

    def __init__(self, folder: Path, content: memoryview) -> None:
        """Raise `OSError` where that would leave less than `FREE_SHARE` of the disk free."""
        disk = shutil.disk_usage(folder)
        if disk.free - content.nbytes < FREE_SHARE * disk.total:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(content)
            file.flush()
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True)
class OnDisk:
    """The same, with a bit for each component in memory.

    signs: uint8 of shape (n_texts, n_dims / 8), whether a component is above 0. stored: the vectors, row by row.
    """

    model: str
    text_ids: pl.Series
    signs: np.ndarray
    n_dims: int
    stored: NamelessFile

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        return self.signs.nbytes + int(self.text_ids.estimated_size())

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Return the vectors at `places`: int8 of shape (len(places), n_dims)."""
        descriptor, n = self.stored.descriptor, self.n_dims
        read = b"".join([os.pread(descriptor, n, n * place) for place in places.tolist()])
        return np.frombuffer(read, dtype=np.int8).reshape(len(places), n)


@dataclass(frozen=True)
class ModelVectors:
    """The vectors of the model that most texts have one of. files: all in memory, or all on disk."""

    snapshot: Snapshot
    model: str
    files: list[InMemory] | list[OnDisk]

    @property
    def n_dims(self) -> int:
        """Length of a vector."""
        return self.files[0].n_dims

    def encode(self, text: str) -> np.ndarray:
        """Return the vector of any text: float32 (n_dims,)."""
        return embed_query(_encoder(self.snapshot, self.model).encode, text)

    def blocks(self, text_ids: pl.Series, n_rows: int) -> Iterator[tuple[pl.Series, np.ndarray]]:
        """Yield those of the texts that have a vector, at most so many at a time, with float32 rows of unit length."""
        for each in self.files:
            rows = np.flatnonzero(each.text_ids.is_in(text_ids.implode()).to_numpy())
            for start in range(0, len(rows), n_rows):
                some = rows[start : start + n_rows]
                yield each.text_ids.gather(some), unit_rows(each.rows(some))


def model_vectors(snapshot: Snapshot) -> ModelVectors | None:
    """Return the vectors of the model that most texts have one of; None where there are none."""
    names = snapshot.files(EMBEDDINGS)
    n_texts = sum(_n_rows(snapshot, name) for name in names)
    if n_texts * TEXT_BYTES > _vectors.limit_bytes:
        try:
            return _of_most(snapshot, [each for name in names for each in _on_disk(snapshot, name)])
        except OSError as error:
            log.warning("vectors do not fit on the disk and are read for each question", extra={"reason": str(error)})
    return _of_most(snapshot, [each for name in names for each in _in_memory(snapshot, name)])


def _of_most(snapshot: Snapshot, files: list[InMemory] | list[OnDisk]) -> ModelVectors | None:
    counts = Counter[str]()
    for each in files:
        counts[each.model] += len(each.text_ids)
    if not counts:
        return None
    model = max(sorted(counts), key=lambda name: counts[name])
    return ModelVectors(snapshot, model, [each for each in files if each.model == model])  # type: ignore[arg-type]


def _n_rows(snapshot: Snapshot, name: str) -> int:
    """Return how many rows one file of `embeddings` has; from its last bytes alone."""

    def read() -> int:
        rows = store.scan_files(snapshot.library.lake, EMBEDDINGS, [name]).select(pl.len())
        return int(rows.collect().item())

    return _lengths.get(name, read, lambda _: 200)


def _in_memory(snapshot: Snapshot, name: str) -> list[InMemory]:
    """Return the vectors in one file of `embeddings`, by model; a file never changes."""
    return _vectors.get(name, lambda: _read(snapshot, name), _size_bytes)


def _on_disk(snapshot: Snapshot, name: str) -> list[OnDisk]:
    """Return the same, put on this process's own disk; raise `OSError` where there is no room."""
    return _vectors.get(("on disk", name), lambda: [put_on_disk(each) for each in _read(snapshot, name)], _size_bytes)


def _size_bytes(read: list[InMemory] | list[OnDisk]) -> int:
    return sum(each.size_bytes for each in read) + 1000


def _read(snapshot: Snapshot, name: str) -> list[InMemory]:
    frame = store.scan_files(snapshot.library.lake, EMBEDDINGS, [name])
    rows = frame.select("model", "text_id", "quantized").collect()
    return [
        InMemory(str(part["model"][0]), part["text_id"], unpack(part["quantized"]))
        for part in rows.partition_by("model")
    ]


def put_on_disk(read: InMemory) -> OnDisk:
    """Return the same, with the vectors in a file; raise `OSError` where there is no room."""
    stored = NamelessFile(_folder or Path(tempfile.gettempdir()), np.ascontiguousarray(read.quantized).data)
    text_ids = pl.concat([read.text_ids, read.text_ids.clear()], rechunk=True)
    return OnDisk(read.model, text_ids, np.packbits(read.quantized > 0, axis=1), read.n_dims, stored)


def _encoder(snapshot: Snapshot, model: str) -> Encoder | SideBySide:
    lake = snapshot.library.lake

    def read() -> Encoder | SideBySide:
        kept = read_model(lake, model)  # raises what the engine answers, where the file is damaged
        if kept is None:
            raise invalid(
                f"The model {model!r} runs in the pipeline alone, so q cannot be embedded; filter by topic_id instead.",
                field="q",
            )
        return open_encoder(kept, n_threads=1)

    return _encoders.get((lake.root, model), read, lambda _: 400 << 20)
