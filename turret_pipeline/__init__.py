"""From raw events in the lake to labelled topics, field types and journeys.

`lake` holds the tables, `analysis` the methods as pure functions, and the modules beside them (`definitions`, `assets`,
`automation`, `build`) are the only ones that know Dagster. Imports point that way and never back.
"""
