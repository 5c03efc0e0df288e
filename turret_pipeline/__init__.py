"""From raw events in the lake to labelled topics, field types and journeys.

`lake` holds the tables, `analysis` the methods as pure functions, `stages` bring the tables up to date, and
`orchestration` runs the stages; it and `definitions` are the only ones that know Dagster. Imports point from the last
to the first and never back.
"""
