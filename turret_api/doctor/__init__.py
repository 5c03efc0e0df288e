"""What `turret doctor` looks at, and how it mends: a home's spools, lake, model and databases, running or not.

`checks` puts together what `turret_pipeline.lake.inspection`, `spools` and `databases` find; `mends` does the reverse.
"""
