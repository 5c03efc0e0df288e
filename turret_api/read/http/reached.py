"""What a route does while the database of projects and keys is away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from turret_api.errors import UnavailableError


@contextlib.contextmanager
def reached() -> Iterator[None]:
    """While the database is away, answer 503."""
    try:
        yield
    except SQLAlchemyError:
        raise UnavailableError("The database of projects and keys cannot be reached; try again.") from None
