"""All of Dagster: what people see in its UI, what starts runs by itself, and builds in the foreground.

An asset stands for each table of `stages`, with what its record says: by day of receipt and project (`day_assets`) or
by project (`project_assets`). A body is a call of the stage and a line about what it did. `definitions` assembles
everything, `sensor` starts runs, `build` runs in the foreground, `forget` takes a deleted project out. `workshop` is
what the assets share: whose lake, the lock, what is called as the work goes on.
"""
