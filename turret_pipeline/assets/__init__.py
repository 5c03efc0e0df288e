"""The Dagster assets: each a call into `analysis` between a read from the lake and a write to it."""
