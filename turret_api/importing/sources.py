"""What a file is, by its name and its first bytes, and the stream of its bytes, unpacked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from turret_api.importing.rows import SourceError

FORMS = {
    ".ndjson": "NDJSON",
    ".jsonl": "NDJSON",
    ".json": "JSON",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".parquet": "Parquet",
}
_PACKED_SUFFIXES = (".gz", ".bz2", ".zst")
_PACKINGS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_NO_TEXTS = {
    b"PAR1": "Parquet; name it .parquet",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or save it as CSV UTF-8",
    b"\xff\xfe": "in UTF-16; save it as UTF-8, in Excel as CSV UTF-8",
    b"\xfe\xff": "in UTF-16; save it as UTF-8, in Excel as CSV UTF-8",
}
_HEAD_BYTES = 1024


class Source(NamedTuple):
    """A file that can be read.

    Args:
        file: where it is.
        form: one of the values of `FORMS`.
        packing: gzip, bz2 or zstd, whatever the file is called; None: not packed.
    """

    file: Path
    form: str
    packing: str | None


def find_source(file: Path) -> Source:
    """Return what `file` is; raise `SourceError` if it is nothing that can be imported."""
    name = file.name.lower()
    for suffix in _PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    form = FORMS.get(Path(name).suffix)
    if form is None:
        forms = ", ".join(f"*{suffix}" for suffix in FORMS)
        raise SourceError(f"{file.name} is not one of {forms}, all but Parquet also with {', '.join(_PACKED_SUFFIXES)}")
    if form == "Parquet":
        return Source(file, form, None)
    with file.open("rb") as stream:
        start = stream.read(4)
    packing = next((packing for magic, packing in _PACKINGS.items() if start.startswith(magic)), None)
    source = Source(file, form, packing)
    with opened(source) as (_, text):
        head = text.read(_HEAD_BYTES)
    what = next((what for magic, what in _NO_TEXTS.items() if head.startswith(magic)), None)
    if what is None and b"\0" in head:
        what = "in UTF-16, or no text at all: it holds NUL bytes; save it as UTF-8"
    if what is not None:
        raise SourceError(f"{file} is {what}")
    return source


@contextlib.contextmanager
def opened(source: Source) -> Iterator[tuple[pa.NativeFile, pa.NativeFile]]:
    """Open the file; of the two streams the first tells how far it is read, the second has its bytes, unpacked."""
    with pa.OSFile(str(source.file)) as raw:
        if source.packing is None:
            yield raw, raw
        else:
            with pa.CompressedInputStream(raw, source.packing) as text:
                yield raw, text
