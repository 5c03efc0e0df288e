"""Objects of a lake on S3, one request each; on a local lake nothing here is used.

pyarrow asks for an object's size before it reads it, writes even a small one in parts, and knows no conditions. obstore
does each in one request. It is the Python form of the library through which deltalake and polars speak S3, so it finds
endpoint and credentials where they do. It is imported where a lake is on S3 only.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import functools
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from turret_pipeline.lake.paths import Lake

if TYPE_CHECKING:
    from obstore.store import S3Store

RETRIES = 2
"""How often a request is made again at once. What goes on without S3 waits longer by itself, and a person is told."""
RETRY_S = 5
CONNECT_S = 3
"""Longest time in seconds for all tries of a request to begin, and for one connection."""
MOST_KEPT_BYTES = 64 << 20
"""Bytes of objects that never change which a process keeps, with their addresses; of a large one it keeps no more."""
MOST_BYTES_AT_ONCE = 64 << 20
"""Size up to which an object is written in one request. Of larger ones a killed writer may leave parts behind."""


_kept: OrderedDict[str, bytes] = OrderedDict()
_n_kept_bytes = 0
_lock = threading.Lock()


class UnreachableError(OSError):
    """The store that holds the lake does not answer, or refuses; the message says so in one line.

    is_refusal: whether that is its answer, which will be the same until a person changes something.
    """

    def __init__(self, words: str, is_refusal: bool = False) -> None:
        # With a number, or it would pass for an error of what was read (`sums.reading`).
        super().__init__(errno.EHOSTUNREACH, words)
        self.is_refusal = is_refusal

    def __str__(self) -> str:
        """Return the words alone."""
        return str(self.strerror)


@dataclass(frozen=True)
class Listed:
    """One object of a listing: its name below the folder, size in bytes, version (ETag) and when it was written."""

    name: str
    size_bytes: int
    tag: str
    written_at: dt.datetime


def read(lake: Lake, address: str) -> bytes | None:
    """Return what the object holds; None: there is none. Raise `UnreachableError`."""
    found = read_tagged(lake, address)
    return None if found is None else found[0]


def read_tagged(lake: Lake, address: str, at_most: int | None = None) -> tuple[bytes, str] | None:
    """Return what the object holds, with its version (ETag); None: there is none. Raise `UnreachableError`.

    at_most: bytes past which nothing is read, and what is returned is empty.
    """
    import obstore
    from obstore.exceptions import BaseError

    try:
        found = obstore.get(_store(lake.root), _key(lake, address))
        is_wanted = at_most is None or int(found.meta["size"]) <= at_most
        return bytes(found.bytes()) if is_wanted else b"", str(found.meta["e_tag"])
    except FileNotFoundError as error:
        if _is_bucket_missing(error):
            raise told(lake, error) from error
        return None
    except (BaseError, OSError, ValueError) as error:
        raise told(lake, error) from error


def read_kept(lake: Lake, address: str, at_most: int | None = None) -> bytes | None:
    """Return what an object holds that never changes, kept by the process from the last time, if that is not long ago.

    Return None where it holds more than `at_most` bytes. Raise `FileNotFoundError`, if there is none, or
    `UnreachableError`.
    """
    with _lock:
        if address in _kept:
            _kept.move_to_end(address)
            return _kept[address] or None
    found = read_tagged(lake, address, at_most)
    if found is None:
        raise FileNotFoundError(address)
    _keep(address, found[0])
    return found[0] or None


def _keep(address: str, content: bytes) -> None:
    """Keep what an object holds, and let go of what was not asked for longest, beyond `MOST_KEPT_BYTES`."""
    global _n_kept_bytes
    _forget(address)
    with _lock:
        _kept[address] = content
        _n_kept_bytes += _n_bytes(address, content)
        while len(_kept) > 1 and _n_kept_bytes > MOST_KEPT_BYTES:
            _n_kept_bytes -= _n_bytes(*_kept.popitem(last=False))


def _forget(address: str) -> None:
    global _n_kept_bytes
    with _lock:
        content = _kept.pop(address, None)
        if content is not None:
            _n_kept_bytes -= _n_bytes(address, content)


def _n_bytes(address: str, content: bytes) -> int:
    return len(address) + len(content)


def read_head(lake: Lake, address: str) -> None:
    """Return if the object is there; raise `FileNotFoundError` or `UnreachableError` otherwise."""
    import obstore
    from obstore.exceptions import BaseError

    try:
        obstore.head(_store(lake.root), _key(lake, address))
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as error:
        raise told(lake, error) from error


def write(lake: Lake, address: str, content: bytes | memoryview) -> str:
    """After this call the object holds `content`; return its version (ETag). Raise `UnreachableError`."""
    _forget(address)
    return _put(lake, address, content, {})


def write_new(lake: Lake, address: str, content: bytes) -> bool:
    """Make the object, if there is none; return whether it was made. Raise `UnreachableError`."""
    from obstore.exceptions import AlreadyExistsError

    try:
        _put(lake, address, content, {"mode": "create"})
    except UnreachableError as error:
        if isinstance(error.__cause__, AlreadyExistsError):
            return False
        raise
    return True


def listed(lake: Lake, folder: str, after: str = "") -> Iterator[Listed]:
    """Yield the objects below a folder, in order of their names; those past the name `after`. Raise `UnreachableError`.

    One request for each 1,000.
    """
    import obstore
    from obstore.exceptions import BaseError

    prefix = f"{_key(lake, folder)}/"
    try:
        for some in obstore.list(_store(lake.root), prefix, offset=f"{prefix}{after}" if after else None):
            for each in some:
                name = str(each["path"]).removeprefix(prefix)
                yield Listed(name, int(each["size"]), str(each["e_tag"]), each["last_modified"])
    except (BaseError, OSError, ValueError) as error:
        raise told(lake, error) from error


def names(lake: Lake, folder: str) -> list[str]:
    """Return the names of what is in a folder, folders among them; none if it is not there."""
    import obstore
    from obstore.exceptions import BaseError

    prefix = f"{_key(lake, folder)}/"
    try:
        found = obstore.list_with_delimiter(_store(lake.root), prefix)
    except (BaseError, OSError, ValueError) as error:
        raise told(lake, error) from error
    paths = [*found["common_prefixes"], *(str(each["path"]) for each in found["objects"])]
    there = (path.removeprefix(prefix).strip("/") for path in paths)
    return [name for name in there if name]  # an object may stand for the folder itself


def remove(lake: Lake, address: str) -> None:
    """After this call there is no object at the address. Raise `UnreachableError`."""
    import obstore
    from obstore.exceptions import BaseError

    _forget(address)
    try:
        obstore.delete(_store(lake.root), _key(lake, address))
    except FileNotFoundError as error:
        if _is_bucket_missing(error):
            raise told(lake, error) from error
    except (BaseError, OSError, ValueError) as error:
        raise told(lake, error) from error


def _put(lake: Lake, address: str, content: bytes | memoryview, how: dict[str, Any]) -> str:
    import obstore
    from obstore.exceptions import BaseError

    try:
        is_large = len(content) > MOST_BYTES_AT_ONCE
        done = obstore.put(_store(lake.root), _key(lake, address), bytes(content), use_multipart=is_large, **how)
        return str(done["e_tag"])
    except (BaseError, OSError, ValueError) as error:
        raise told(lake, error) from error


def _key(lake: Lake, address: str) -> str:
    return address.removeprefix(lake.root).strip("/")


@functools.lru_cache(maxsize=8)
def _store(root: str) -> S3Store:
    # Here, not at the top: a lake in a folder has no use for it.
    from obstore.store import S3Store

    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    seconds = dt.timedelta(seconds=RETRY_S)
    return S3Store(
        bucket,
        prefix=prefix or None,
        # Options that are given here make it overlook the variable.
        client_options={"connect_timeout": f"{CONNECT_S}s", "allow_http": _is_http_allowed()},
        retry_config={"max_retries": RETRIES, "retry_timeout": seconds},
    )


def _is_http_allowed() -> bool:
    return os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "on", "yes", "y")


_REFUSALS = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "AWS_ACCESS_KEY_ID is not known there",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is wrong",
    "ExpiredToken": "AWS_SESSION_TOKEN has expired",
    "AccessDenied": "the key may not do that",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION",
    "169.254.": "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "builder error": "its address begins with http://: set AWS_ALLOW_HTTP=true",
    "403 Forbidden": "the key may not do that",
}
"""What S3 and its clients say where a person has to do something, by a word of theirs, as a reason and what to do."""
_PASSING = {"SlowDown": "it asks for fewer requests"}


@contextlib.contextmanager
def explained(lake: Lake) -> Iterator[None]:
    """Raise `UnreachableError` for what fails in the block because the lake's store does not answer.

    deltalake and polars say so in many ways; whether it answers is asked once more.
    """
    try:
        yield
    except Exception:
        if not lake.is_local:
            next(listed(lake, lake.heads_folder), None)
        raise


def reason_of(error: BaseException) -> str:
    """Return in a few words why a request to S3 failed."""
    text = str(error)
    found = next((words for word, words in (_REFUSALS | _PASSING).items() if word in text), None)
    return found or f"it does not answer ({' '.join(text.splitlines()[:1])[:200]})"


def told(lake: Lake, error: BaseException) -> UnreachableError:
    """Return the error that says in one line why a request to the lake's store failed."""
    if isinstance(error, UnreachableError):
        return error
    is_refusal = any(word in str(error) for word in _REFUSALS)
    return UnreachableError(f"the lake {lake.root} cannot be reached: {reason_of(error)}", is_refusal)


def _is_bucket_missing(error: BaseException) -> bool:
    return "NoSuchBucket" in str(error)
