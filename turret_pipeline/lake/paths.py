"""Where everything in the lake lies. No other module builds a path or an address.

A client's words never become a path: only the server's own project ids do, and those match `PROJECT_ID`.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow.fs

PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")


class ProjectIdError(ValueError):
    """A project id is not one that this server could have made."""


def check_project_id(project_id: str) -> str:
    """Return `project_id` if it is safe in a path and in a predicate; raise `ProjectIdError` otherwise."""
    if not PROJECT_ID.fullmatch(project_id):
        raise ProjectIdError(f"{project_id!r} is not a project id: 3 to 63 of a-z, 0-9 and '-', not starting with '-'")
    return project_id


class OpenTables(Protocol):
    """The tables of a lake, open for many projects (`lake.batch.Batch`, which this module cannot name)."""

    def open(self, table: Any, project_id: str, method: int = 1) -> Any:
        """Return a project's share of a table, as a `ProjectTable`."""
        ...

    def read(self, table: Any, project_id: str, columns: Sequence[str] = ()) -> Any:
        """Return a project's rows, as a data frame with all columns or with `columns`."""
        ...

    def scan(self, table: Any, project_id: str) -> Any:
        """Return a project's rows, as a lazy frame."""
        ...

    def opened(self, table: Any) -> Any:
        """Return the Delta table, or None if it was never written."""
        ...


@dataclass(frozen=True)
class Look:
    """One look at what has changed in a lake on S3; see `lake.heads`.

    tags: versions (ETags) of the heads, by name. at: when it began, in seconds of the monotonic clock.
    """

    tags: Mapping[str, str]
    at: float

    def tag(self, head: str) -> str:
        """Return what is another text once the head has moved; for a name with `/` at its end, of which there are."""
        if head.endswith("/"):
            return " ".join(sorted(name for name in self.tags if name.startswith(head)))
        return self.tags.get(head, "")


@dataclass
class Versions:
    """Versions of tables on S3 that nobody but the holder of a project's lock moves on, as far as the project goes.

    of: by the table's address. tags: versions (ETags) of the tables' heads at which they are right, by address.
    """

    of: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def looked(self, address: str, version: int, tag: str) -> None:
        """A table has been looked at, after its head had this tag."""
        self.of[address], self.tags[address] = version, tag

    def committed(self, address: str, version: int | None, tag: str) -> None:
        """We have made the table's newest commit (None: of a number that is not known), and moved its head."""
        self.of.pop(address, None)
        if version is not None:
            self.looked(address, version, tag)

    def keep(self, tags: Mapping[str, str]) -> None:
        """After this call only those are known whose heads, by the table's name, have not moved since."""
        self.of = {
            address: version
            for address, version in self.of.items()
            if self.tags[address] == tags.get(f"tables/{address.rpartition('/')[2]}", "")
        }


@dataclass(frozen=True)
class Lake:
    """A lake by its root: an absolute local folder, or `s3://bucket/prefix`.

    Credentials and endpoint of S3 come from the usual `AWS_…` variables, which polars, pyarrow and deltalake all read.
    batch: what has its tables open for many projects, and holds what these commit; None: each commit is written.
    look: what had changed when it was last looked at, on S3, for readers that take it to be as it was then.
    versions: on S3, for the holder of a project's lock: which version of each table is the newest as far as that
        project goes, filled as tables are opened. None: each is looked at whenever it is opened.
    """

    root: str
    batch: OpenTables | None = field(default=None, compare=False, repr=False)
    look: Look | None = field(default=None, compare=False, repr=False)
    versions: Versions | None = field(default=None, compare=False, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return "://" not in self.root

    def table(self, name: str) -> str:
        """Address of one Delta table."""
        return f"{self.root}/tables/{name}"

    def model(self, name: str) -> str:
        """Address of the file of one converted embedding model; `name` is the server's own."""
        return f"{self.root}/models/{name}.zip"

    @property
    def layout_file(self) -> str:
        """Address of the file that says which layout the lake has; see `lake.layout`."""
        return f"{self.root}/layout.json"

    def project_folder(self, project_id: str) -> str:
        """Address of the folder that holds one project's raw events."""
        return f"{self.root}/events/project={check_project_id(project_id)}"

    def events_folder(self, project_id: str, received_date: dt.date) -> str:
        """Address of the folder that holds one project's raw parts of one UTC day of receipt."""
        return f"{self.project_folder(project_id)}/date={received_date.isoformat()}"

    def aside(self, address: str) -> str:
        """Address to which a damaged file, or what is in a folder, is moved when it is set aside."""
        return f"{self.root}/aside{address.removeprefix(self.root)}"

    @property
    def deleted_folder(self) -> str:
        """Address of the folder with a note for each project that was deleted."""
        return f"{self.root}/deleted"

    def erasing_folder(self, project_id: str) -> str:
        """Address of the folder with what erasures under way take out of a project."""
        return f"{self.root}/erasing/{check_project_id(project_id)}"

    @property
    def waiting_file(self) -> str:
        """Address of the file in which the pipeline leaves what waits to be built."""
        return f"{self.root}/waiting.json"

    @property
    def damaged_folder(self) -> str:
        """Address of the folder with a note for each damaged file that was found."""
        return f"{self.root}/damaged"

    @property
    def about_file(self) -> str:
        """Address of the file with the id of a lake on S3; see `lake.bucket`."""
        return f"{self.root}/lake.json"

    @property
    def current_file(self) -> str:
        """Address of the note that everything was up to date; see `lake.current`."""
        return f"{self.root}/current.json"

    @property
    def heads_folder(self) -> str:
        """Address of the folder with the heads of a lake on S3; see `lake.heads`."""
        return f"{self.root}/heads"

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return pyarrow's file system for this lake and the root as a path on it."""
        if self.is_local:
            return pyarrow.fs.LocalFileSystem(), self.root
        # The AWS_… variables name the endpoint for polars and deltalake; pyarrow's URI parser wants it spelled out.
        address = urllib.parse.urlsplit(self.root)
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
        parts = urllib.parse.urlsplit(endpoint)
        filesystem = pyarrow.fs.S3FileSystem(
            endpoint_override=parts.netloc or None,
            scheme=parts.scheme or None,
            region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        )
        return filesystem, f"{address.netloc}{address.path}".rstrip("/")

    def make(self) -> None:
        """After this call the root exists (nothing to do on S3)."""
        if self.is_local:
            Path(self.root).mkdir(parents=True, exist_ok=True)
