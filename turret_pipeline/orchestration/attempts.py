"""What becomes of each partition of a run: one that fails keeps the others neither undone nor out of sight.

Dagster knows one result a step. So while nothing fails, what is known of each partition is attached to the step's
result. If some fail, the good ones are logged as materialized one by one, and the step then fails: in the UI, in a
backfill's table and for `run_retries` just the others count as failed.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

MOST_SHOWN = 5

Shown = dict[tuple[str, str], dict[str, Any]]
"""What is shown of partitions: metadata by asset and partition."""


class Attempts:
    """The partitions of one step, each tried for itself. Call `settle` when all were tried."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._keys = list(context.partition_keys)
        self._failed: dict[str, str] = {}
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}
        if not self._keys:
            # A range whose end is before its start has no keys, and would otherwise succeed.
            raise dg.Failure("the range of partitions is empty: is its start after its end?")

    @contextlib.contextmanager
    def at(self, *keys: str) -> Iterator[None]:
        """An error in the block is noted as that of `keys`, and goes no further unless they are all that there is."""
        try:
            yield
        except Exception as error:
            if len(self._keys) == len(keys):
                raise
            self._context.log.exception(f"{', '.join(keys[:MOST_SHOWN])} failed")
            self._failed |= dict.fromkeys(keys, f"{type(error).__name__}: {error}")

    def show(self, shown: Shown) -> None:
        """Attach what is `shown`, by asset and partition, to what is known of the partitions."""
        for place, metadata in shown.items():
            self._shown.setdefault(place, {}).update(metadata)

    def settle(self) -> None:
        """After this call every good partition is shown; raise `Failure` if there are others."""
        if not self._failed:
            for (asset, key), metadata in self._shown.items():
                self._context.add_asset_metadata(metadata, asset_key=asset, partition_key=key)
            return
        assets = [each.to_user_string() for each in self._context.selected_asset_keys]
        for asset in assets:
            for key in self._keys:
                if key not in self._failed:
                    shown = self._shown.get((asset, key), {})
                    self._context.log_event(dg.AssetMaterialization(asset, metadata=shown, partition=key))
        words = f"{len(self._failed)} of {len(self._keys)} partitions failed: {named(self._failed)}"
        raise dg.Failure(words, metadata=self._failed)


def named(failed: Mapping[str, str]) -> str:
    """Return which failed, by name and reason, in one sentence; of many the first few."""
    words = "; ".join(f"{name}: {reason}" for name, reason in itertools.islice(failed.items(), MOST_SHOWN))
    return f"{words}; and {len(failed) - MOST_SHOWN} more" if len(failed) > MOST_SHOWN else words
