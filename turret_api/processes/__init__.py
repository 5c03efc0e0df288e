"""Processes that run for others: kept, watched, and ended, however their parents end."""
