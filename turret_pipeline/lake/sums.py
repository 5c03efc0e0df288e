"""Checksums of the lake's files, and what they are good for: a file that changed after it was written is not read.

Each file that is written once (a raw part, a data file or a log entry of a table, a model) gets a small file of the
same name under `sums/`, right after it was written: its size and its XXH3 hash. A table's log, and the data files of
tables that no build makes again, also have a second copy there: they are small. A reader verifies a file before it
reads it, once in its process, and again when the file system says that the file has changed.

    no sum (an earlier version wrote it, or its writer was killed just then) ── is read unverified
    sum ── verify ──> sound, until size, time or inode change ── verify ──> …
              └────> DamageError

Not in Delta's `add` actions, because delta-rs writes the data files and their actions at once; not Parquet's page
checksums, because they leave out the footer, and neither delta-rs writes nor polars verifies them. A store such as S3
keeps checksums itself: there, nothing is done here.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import orjson
import xxhash

from turret_pipeline.lake import heads, objects
from turret_pipeline.lake.damage import Damage, DamageError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.schema import Table

_PIECE = 1 << 20
_MOST_KNOWN = 500_000
_Stamp = tuple[int, int, int, int]
_known: dict[str, tuple[_Stamp, str]] = {}
"""By path of the file: what the file system said of it when it was verified, and what was wrong (nothing: sound)."""

COMMIT = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


def sum_file(lake: Lake, address: str) -> Path:
    """Return where the checksum of a file of a local lake lies."""
    return Path(f"{lake.root}/sums{address.removeprefix(lake.root)}")


def seal(lake: Lake, address: str, keep_copy: bool = False) -> None:
    """After this call the file at `address` has a checksum, and a second copy if wanted."""
    if not lake.is_local:
        return
    if keep_copy:
        content = Path(address).read_bytes()
        size, digest = len(content), xxhash.xxh3_128_hexdigest(content)
    else:
        content = b""
        size, digest = _digest(address)
    words = f"{size} {digest}".encode()
    head = words + b" %s\n" % xxhash.xxh3_64_hexdigest(words).encode()
    file = sum_file(lake, address)
    try:
        file.write_bytes(head + content)
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(head + content)


def unseal(lake: Lake, address: str) -> None:
    """After this call the file has no checksum: it is about to be written anew, or is not there any more."""
    if lake.is_local:
        sum_file(lake, address).unlink(missing_ok=True)


def unseal_folder(lake: Lake, folder: str) -> None:
    """After this call no file in the folder, or below it, has a checksum."""
    if lake.is_local:
        shutil.rmtree(sum_file(lake, folder), ignore_errors=True)


def is_sealed(lake: Lake, address: str) -> bool:
    """Return whether the file, which need not be there any more, has a checksum that can be read."""
    return lake.is_local and _expected(sum_file(lake, address)) is not None


def second_copy(lake: Lake, address: str) -> bytes | None:
    """Return the second copy of the file, if there is one and it is sound."""
    file = sum_file(lake, address)
    expected = _expected(file) if lake.is_local else None
    if expected is None:
        return None
    content = file.read_bytes().partition(b"\n")[2]
    return content if (len(content), xxhash.xxh3_128_hexdigest(content)) == expected else None


def verify(lake: Lake, address: str) -> None:
    """Return if the file holds what was written, as far as that is known; raise `DamageError` if it does not.

    Raise `FileNotFoundError` if it is not there.
    """
    if not lake.is_local:
        return
    about = Path(address).stat()
    stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
    known = _known.get(address)
    if known is None or known[0] != stamp:
        expected = _expected(sum_file(lake, address))
        if expected is None:
            return
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = _known[address] = (stamp, _fault(address, about.st_size, expected))
    if known[1]:
        raise damaged(lake, address, known[1])


@contextlib.contextmanager
def reading(lake: Lake, address: str) -> Iterator[None]:
    """Verify the file at `address`, then read it in the block; what the reader cannot read is raised as `DamageError`.

    Raise `FileNotFoundError` if it is not there.
    """
    verify(lake, address)
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EIO):
            raise
        if not lake.is_local:
            objects.read_head(lake, address)  # raises what it is, where the store is away
        raise damaged(lake, address, f"cannot be read ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """Return what an error says, in at most 200 characters of one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(". ")


def damaged(lake: Lake, address: str, reason: str) -> DamageError:
    """Return the error that says what is wrong with the file at `address`."""
    return DamageError(Damage(urllib.parse.unquote(address.removeprefix(f"{lake.root}/")), reason))


def seal_commits(lake: Lake, table: Table, after: int, last: int) -> None:
    """After this call the commits of a table past the number `after`, to `last`, have checksums, with their files.

    Their table's head has moved: other processes see that there are commits. last: 0 if that is not known, on S3.
    """
    tag = heads.moved(lake, f"tables/{table.name}")
    if not lake.is_local:
        if lake.versions is not None:
            lake.versions.committed(lake.table(table.name), last if last > after else None, tag)
        return
    folder = lake.table(table.name)
    for number in range(after + 1, last + 1):
        commit = f"{folder}/_delta_log/{number:020d}.json"
        for line in Path(commit).read_bytes().splitlines():
            if line.startswith(b'{"add"'):
                path = urllib.parse.unquote(orjson.loads(line)["add"]["path"])
                with contextlib.suppress(FileNotFoundError):  # another project's, replaced and forgotten meanwhile
                    seal(lake, f"{folder}/{path}", keep_copy=table.is_kept)
        seal(lake, commit, keep_copy=True)
        checkpoint = f"{folder}/_delta_log/{number:020d}.checkpoint.parquet"
        if Path(checkpoint).exists():
            seal(lake, checkpoint, keep_copy=True)


def verify_log(lake: Lake, table: Table, until: int | None = None) -> None:
    """Return if what the table is opened from (at the version `until`, or the newest) is there and sound.

    That is its newest checkpoint and the commits behind it. Raise `DamageError` if it is not. A table that is gone as
    a whole is as one that was never written, unless its rows are of a kind that no build makes again.
    """
    if not lake.is_local:
        return
    folder = f"{lake.table(table.name)}/_delta_log"
    names = _names(folder)
    commits = {int(found[1]) for name in names if (found := COMMIT.fullmatch(name))}
    checkpoints = {int(found[1]) for name in names if (found := CHECKPOINT.fullmatch(name))}
    if not commits and not checkpoints:
        if table.is_kept and any(COMMIT.fullmatch(name) for name in _names(str(sum_file(lake, folder)))):
            raise damaged(lake, folder, "is gone")
        return
    start = max((each for each in checkpoints if until is None or each <= until), default=-1)
    last = max(commits | checkpoints) if until is None else until
    if until is None and is_sealed(lake, f"{folder}/{last + 1:020d}.json"):
        last += 1  # committed just now, or gone
    if start >= 0:
        verify(lake, f"{folder}/{start:020d}.checkpoint.parquet")
    for number in range(start + 1, last + 1):
        commit = f"{folder}/{number:020d}.json"
        try:
            verify(lake, commit)
        except FileNotFoundError:
            if until is not None and any(number <= each for each in checkpoints):
                return  # cleaned away behind a checkpoint: the version is no longer kept
            raise damaged(lake, commit, "is gone") from None
    hint = Path(folder) / "_last_checkpoint"
    if hint.exists() and _hinted(hint.read_bytes()) not in {*checkpoints, None}:
        raise damaged(lake, str(hint), "names a checkpoint that is not there")


def tidy(lake: Lake, table: str) -> None:
    """After this call no checksum is left of files of the table that were cleaned away."""
    sums, folder = sum_file(lake, lake.table(table)), lake.table(table)
    log = f"{folder}/_delta_log"
    newest = max((int(found[1]) for name in _names(log) if (found := CHECKPOINT.fullmatch(name))), default=-1)
    for file in sums.rglob("*") if lake.is_local else ():
        found = COMMIT.fullmatch(file.name)
        is_needed = found is not None and int(found[1]) > newest
        if file.is_file() and not is_needed and not (Path(folder) / file.relative_to(sums)).exists():
            file.unlink(missing_ok=True)


def _names(folder: str) -> list[str]:
    try:
        return [each.name for each in Path(folder).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _hinted(content: bytes) -> int | None:
    """Return which checkpoint a `_last_checkpoint` names; None: it says nothing, and readers look for themselves."""
    try:
        return int(orjson.loads(content)["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _fault(address: str, size: int, expected: tuple[int, str]) -> str:
    if size != expected[0]:
        return f"has {size:,} bytes instead of {expected[0]:,}"
    try:
        return "" if _digest(address) == expected else "holds other bytes than were written"
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return "cannot be read from the disk"


def _expected(file: Path) -> tuple[int, str] | None:
    """Return size and hash that a checksum tells; None where there is none, or it is damaged itself."""
    try:
        with file.open("rb") as stream:
            size, digest, check = stream.readline(200).decode("ascii").split()
            return (int(size), digest) if check == xxhash.xxh3_64_hexdigest(f"{size} {digest}".encode()) else None
    except (OSError, ValueError):
        return None


def _digest(address: str) -> tuple[int, str]:
    found, size, room = xxhash.xxh3_128(), 0, bytearray(_PIECE)
    with Path(address).open("rb", buffering=0) as stream:
        while n := stream.readinto(room):
            found.update(memoryview(room)[:n])
            size += n
    return size, found.hexdigest()
