"""The dashboard's few files: our own scripts and styles, and the picture library that the `plotly` package ships.

Each is served under an address that names its contents' version, so a browser keeps it for good and never has an old
one; packed once, for plotly's 4.8 MB are 1.4 MB packed.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PLOTLY = "plotly.min.js"

_ALONE = ("sign_in.js", "theme.js")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class File:
    """One file as it goes over the wire."""

    content_type: str
    plain: bytes
    packed: bytes


@functools.cache
def version() -> str:
    """Return 12 hexadecimal digits that change when any of our files or plotly's does."""
    digest = hashlib.sha256()
    for path in sorted((HERE / "static").iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(str(_plotly().stat().st_size).encode())
    return digest.hexdigest()[:12]


@functools.cache
def modules() -> tuple[str, ...]:
    """Return the names of the dashboard's modules, so that a page can ask for all at once, not one behind another."""
    return tuple(sorted(path.name for path in (HERE / "static").glob("*.js") if path.name not in _ALONE))


@functools.cache
def load(name: str) -> File | None:
    """Return the file `name`, or None if there is none of that name."""
    path = _plotly() if name == PLOTLY else HERE / "static" / name
    if path.name != name or path.suffix not in _TYPES or not path.is_file():
        return None
    plain = path.read_bytes()
    return File(f"{_TYPES[path.suffix]}; charset=utf-8", plain, gzip.compress(plain, 6, mtime=0))


def _plotly() -> Path:
    """Return where the package keeps its script; the package itself is not imported, which would take a second."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None and spec.origin is not None, "the package plotly is not installed"
    return Path(spec.origin).parent / "package_data" / PLOTLY
