"""What a setting is: an environment variable with its words, and the error of a value that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class SettingError(ValueError):
    """A setting's value cannot be used; the message names the variable, what was found and what was expected."""


@dataclass(frozen=True)
class Setting:
    """One documented environment variable: its name, its default in words, and what it does."""

    variable: str
    default: str
    meaning: str


def integer(env: Mapping[str, str], variable: str, default: int, low: int, high: int) -> int:
    """Return the whole number that `variable` is; raise `SettingError` if it is none from `low` to `high`."""
    text = env.get(variable)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingError(f"{variable} is {text!r}; expected a whole number from {low} to {high}")
    return value
