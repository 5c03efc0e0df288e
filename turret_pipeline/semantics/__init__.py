"""What both sides count by: visits, values, days of topics, trends, people's edits, vectors of 8 bits.

Pure functions over frames and arrays, used by the pipeline and the read API alike, so that a number means the same
wherever it is shown. Nothing here reads or writes the lake.
"""
