"""The small lake, for the tests of this room."""

from __future__ import annotations

from tests.small_lake import before as before
from tests.small_lake import small_chunks as small_chunks
