"""A home that nobody but its owner reads: it holds messages, keys' hashes, and what the databases know.

What a command makes is so from the start: `turret` sets the umask, and every process that it starts inherits that.
What an earlier version of Turret made is brought to it when a server starts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from turret_api.command import lake_seen

UMASK = 0o077
OURS = (
    "dagster",
    "dashboard.secret",
    "demo-keys.json",
    "imports",
    "lake",
    lake_seen.NAME,
    "logs",
    "postgres",
    "spool",
    "up.lock",
)
"""What lies in a home. Anything else in the folder is not Turret's, and is left alone."""
MOST_NAMED = 3


def make_private(home: Path) -> str | None:
    """After this call only its owner may read what is in the home; return in words what that could not be done for.

    The folder itself is left as it is, and named, where other things lie in it too.
    """
    failed = []
    with os.scandir(home) as entries:
        names = {entry.name for entry in entries}
    if strange := sorted(name for name in names - set(OURS) if not name.startswith(".")):
        failed.append(f"{home} itself ({strange[0]} in it is not Turret's)" if _mode(home) & UMASK else "")
    else:
        failed.append(_close(home))
    for name in sorted(names & set(OURS)):
        failed += [_close(path) for path in _all_in(home / name)]
    failed = [each for each in failed if each]
    if not failed:
        return None
    more = f", and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
    return f"others may still read {', '.join(failed[:MOST_NAMED])}{more}: take their rights with `chmod -R go-rwx`"


def _all_in(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                yield Path(folder) / name


def _close(path: Path) -> str:
    """Take all rights of others; return the path, with the reason, if that cannot be done."""
    try:
        mode = _mode(path)
        if mode & UMASK:
            path.chmod(mode & ~UMASK)
    except FileNotFoundError:
        return ""  # a server that runs may have just removed it
    except OSError as error:
        return f"{path} ({error.strerror})"
    return ""


def _mode(path: Path) -> int:
    """Return the rights on a path; none for a link, which has none of its own and may lead out of the home."""
    found = path.lstat().st_mode
    return 0 if stat.S_ISLNK(found) else stat.S_IMODE(found)
