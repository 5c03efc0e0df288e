"""A note in a home that the lake on S3 which it names has been used from here: `lake.checked`.

A host that starts again while S3 is away takes events all the same: what was checked before need not be checked now.
Without the note a store that does not answer is as likely one that a person has mistyped, and is refused.
"""

from __future__ import annotations

from pathlib import Path

from turret_pipeline.lake import bucket, files
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

NAME = "lake.checked"


def note(settings: Settings) -> None:
    """After this call the home says that its lake could be used; of a local lake it says nothing."""
    lake = settings.open_lake()
    file = settings.home / NAME
    if not lake.is_local and _read(file) != _words(lake):
        settings.home.mkdir(parents=True, exist_ok=True)
        files.write(Lake(str(settings.home)), str(file), _words(lake))


def may_wait(settings: Settings, error: UnreachableError) -> bool:
    """Return whether the lake, which cannot be reached now, is one to wait for: it was used, and refuses nothing."""
    return not error.is_refusal and _read(settings.home / NAME) == _words(settings.open_lake())


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def _words(lake: Lake) -> bytes:
    return f"{lake.root} {bucket.endpoint()}\n".encode()
