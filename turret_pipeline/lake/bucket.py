"""Whether a bucket can hold a lake, and the id that the lake bears there: `lake.json`.

Two builders keep from overwriting each other's commits by conditional writes (`If-None-Match: *` on a put). A store
that takes no notice of the condition would lose commits without a word, so it is tried before anything is built: an
object is made twice, and the second try has to be refused. `lake.json`, itself made by such a write, says at which
endpoints that was tried, and gives the lake an id that is the same however its address is spelled.
"""

from __future__ import annotations

import os
import uuid

import msgspec

from turret_pipeline.lake import files, objects
from turret_pipeline.lake.paths import Lake

_ids: dict[str, str] = {}


class UnsuitableError(Exception):
    """The store cannot hold a lake; the message says why in one line."""


class _About(msgspec.Struct, frozen=True):
    """What `lake.json` says: the lake's id, and the endpoints at which conditional writes were tried ("": AWS)."""

    id: str
    tried_at: tuple[str, ...]


def check(lake: Lake) -> None:
    """Return if the store can hold the lake, which then has an id; of a local lake nothing is looked at.

    One request, where it was tried before.

    Raises:
        UnreachableError: it does not answer, or refuses.
        UnsuitableError: it knows no conditional writes.
    """
    if lake.is_local:
        return
    about = _read(lake)
    if about is not None and endpoint() in about.tried_at:
        return
    _try_conditions(lake)
    if about is not None:
        files.write(lake, lake.about_file, msgspec.json.encode(_About(about.id, (*about.tried_at, endpoint()))))
    else:
        # Of two processes that come at once one makes it; the id is that one's.
        objects.write_new(lake, lake.about_file, msgspec.json.encode(_About(uuid.uuid4().hex, (endpoint(),))))


def endpoint() -> str:
    """Return the address of the store that our environment names; "": AWS's own."""
    return os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""


def name_of(lake: Lake) -> str:
    """Return what names the lake, to whatever must be the same for all that use it: its id; its folder, if local.

    A lake on S3 that no command of this version has started on has no id yet: then it is its address.
    """
    if lake.is_local:
        return lake.root
    if lake.root not in _ids and (about := _read(lake)) is not None:
        _ids[lake.root] = about.id
    return _ids.get(lake.root, lake.root)


def _try_conditions(lake: Lake) -> None:
    address = f"{lake.root}/tries/{uuid.uuid4().hex}"
    try:
        was_made, was_made_again = objects.write_new(lake, address, b""), objects.write_new(lake, address, b"")
    finally:
        objects.remove(lake, address)
    if not was_made or was_made_again:
        raise UnsuitableError(
            f"the store of {lake.root} takes no notice of conditional writes (If-None-Match), without which two "
            "builders overwrite each other's work: use a store that does"
        )


def _read(lake: Lake) -> _About | None:
    try:
        return msgspec.json.decode(files.read(lake, lake.about_file), type=_About)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
