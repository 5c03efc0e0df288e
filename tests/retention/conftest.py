"""The small lake, for the tests of this room."""

from __future__ import annotations

from tests.small_lake import before as before
from tests.small_lake import lake as lake
from tests.small_lake import lake_before as lake_before
from tests.small_lake import small_chunks as small_chunks
from tests.small_lake import undisturbed as undisturbed
