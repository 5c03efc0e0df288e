"""How often Dagster's daemon and web server look whether the code server is still the same. Imports nothing."""

WATCH_S = 5.0
"""Seconds between two looks; Dagster's is one, with a new channel each."""
