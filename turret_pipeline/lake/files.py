"""Whole files in the lake: written so that no reader ever sees half of one, whatever is killed or loses power."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

import pyarrow
import pyarrow.fs

from turret_pipeline import failpoint
from turret_pipeline.lake import objects
from turret_pipeline.lake.paths import Lake


def write(lake: Lake, address: str, content: bytes | memoryview) -> None:
    """After this call the file at `address` (one of the lake's) holds `content`, whole and durable.

    On a local lake: a temporary file, fsync, rename, fsync of the folder; on S3 one put, which is atomic by itself.
    """
    if not lake.is_local:
        objects.write(lake, address, content)
        return
    target = Path(address)
    make_durable_folder(target.parent)
    # Two processes may write the same file at once: each its own temporary one, and the last to rename wins.
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            failpoint.reached("file.mid_file")
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_folder(target.parent)


def open_input(lake: Lake, address: str) -> pyarrow.NativeFile:
    """Return the file at `address`, to be read at any place; raise `FileNotFoundError` if there is none.

    On S3 all of it is read at once: each of a reader's small pieces would be a request.
    """
    if not lake.is_local:
        return pyarrow.BufferReader(read(lake, address))
    filesystem, root = lake.filesystem()
    return filesystem.open_input_file(f"{root}{address.removeprefix(lake.root)}")


def read(lake: Lake, address: str) -> bytes:
    """Return what the file at `address` holds; raise `FileNotFoundError` if there is none."""
    if lake.is_local:
        return Path(address).read_bytes()
    content = objects.read(lake, address)
    if content is None:
        raise FileNotFoundError(address)
    return content


def exists(lake: Lake, address: str) -> bool:
    """Return whether there is a file at `address`."""
    filesystem, root = lake.filesystem()
    (info,) = filesystem.get_file_info([f"{root}{address.removeprefix(lake.root)}"])
    return bool(info.is_file)


def names(lake: Lake, folder: str) -> list[str]:
    """Return the names of what is in a folder of the lake; none if it is not there."""
    if not lake.is_local:
        return objects.names(lake, folder)
    filesystem, root = lake.filesystem()
    selector = pyarrow.fs.FileSelector(f"{root}{folder.removeprefix(lake.root)}", allow_not_found=True)
    return [info.base_name for info in filesystem.get_file_info(selector)]


def remove(lake: Lake, address: str) -> None:
    """After this call there is no file at `address`."""
    if not lake.is_local:
        objects.remove(lake, address)
        return
    filesystem, root = lake.filesystem()
    with contextlib.suppress(FileNotFoundError):
        filesystem.delete_file(f"{root}{address.removeprefix(lake.root)}")


def make_durable_folder(folder: Path) -> None:
    """After this call the folder exists, and will after a loss of power."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        fsync_folder(each.parent)


def fsync_folder(folder: Path) -> None:
    """After this call the folder's names are on stable storage."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
