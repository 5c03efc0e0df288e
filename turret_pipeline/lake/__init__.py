"""The lake: everything durable that the pipeline and the API share.

`settings` reads the environment, `paths` knows where things lie, `parts` holds raw events as collectors append them,
`tables` declares every table that is built from them and `store` reads and writes those. This room imports nothing of
the rest of Turret, and neither Dagster nor FastAPI.
"""
