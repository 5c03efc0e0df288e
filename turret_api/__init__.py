"""What people and clients touch: the collector, the read API, the dashboard and the `turret` command.

Nothing here imports torch, bertopic or dagster; the pipeline is met in the lake's tables alone.
"""
