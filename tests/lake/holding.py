"""Which files of a folder hold a text, wherever in them it stands: plainly, or packed by Parquet or gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq


def holding(folder: Path | str, *texts: str) -> list[str]:
    """Return the names, below the folder, of the files that hold one of the texts, in order."""
    wanted = [text.encode() for text in texts]
    root = Path(folder)
    files = (each for each in sorted(root.rglob("*")) if each.is_file() and not each.is_symlink())
    return [str(each.relative_to(root)) for each in files if _holds(each, wanted)]


def _holds(file: Path, wanted: Iterable[bytes]) -> bool:
    return any(text in content for content in contents(file) for text in wanted)


def contents(file: Path) -> Iterator[bytes]:
    """Yield what the file holds: as it is, and unpacked."""
    return unpacked(file.read_bytes())


def unpacked(content: bytes) -> Iterator[bytes]:
    """Yield the content of a file as it is, and what is packed in it."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    if b"PAR1" in content:
        # The footer has statistics of columns that are packed nowhere; a second copy begins with a line of its own.
        begin = content.index(b"PAR1")
        table = pq.read_table(_buffer(content[begin:]))
        for column in table.columns:
            yield repr(column.to_pylist()).encode()


def _buffer(content: bytes) -> object:
    import pyarrow

    return pyarrow.BufferReader(content)
