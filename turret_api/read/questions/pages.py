"""Lists page by page: a cursor is an opaque word that says where the next page begins, and a made-up one is refused."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TypeVar

from turret_api.errors import invalid
from turret_api.read.engine.question import Question

Row = TypeVar("Row")


@dataclass(frozen=True)
class Listed(Question):
    """A question about the whole project that is answered by a list: up to `limit` rows, from row `offset` on."""

    limit: int = 1000
    offset: int = 0

    def page(self, rows: list[Row]) -> tuple[list[Row], str | None]:
        """Return those of `rows` that are asked for, and the cursor of the next page (None: there is none)."""
        return cut(rows, self.offset, self.limit)


def no_number(number: str | None) -> None:
    """Raise an `ApiError` if a number field is to be added up, which a viewer may not: few may have sent a number."""
    if number is not None:
        raise invalid("A viewer cannot add up a number field; leave out `number`.", field="number")


def encode(place: bytes) -> str:
    """Return the cursor that says `place`."""
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def decode(cursor: str) -> bytes:
    """Return what a cursor says; raise `ValueError` if it is none."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,2000}", cursor):
        raise ValueError("not base64")
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def offset_of(cursor: str | None) -> int:
    """Return the number of rows before the page; raise an `ApiError` if the cursor is not one of `cut`."""
    if cursor is None:
        return 0
    try:
        text = decode(cursor).decode("ascii")
    except ValueError:
        text = ""
    if not re.fullmatch(r"after:\d{1,9}", text, re.ASCII):
        raise invalid("The cursor is not one that this route gave; start again without it.", field="cursor")
    return int(text.removeprefix("after:"))


def cut(rows: list[Row], offset: int, limit: int) -> tuple[list[Row], str | None]:
    """Return the page of `rows` from `offset` on and the cursor of the next (None: there is none)."""
    end = offset + limit
    return rows[offset:end], after(end) if end < len(rows) else None


def after(n_rows: int) -> str:
    """Return the cursor of the page that begins behind so many rows."""
    return encode(f"after:{n_rows}".encode())
