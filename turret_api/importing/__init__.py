"""Import of history: the events of a file go into the lake by the checks of `POST /track`, without a server or a quota.

    parquet ─┐
    csv ─────┼─ Row: number, cells by column ── mapping ── values ── document ── history ── event ── part of the lake
    ndjson ──┘                                                           │
                                                                         └ a row that is refused, by its number

`sources` tells what a file is and unpacks it. `parquet`, `csv` and `ndjson` read it row by row, a few thousand rows at
a time; `cells` turns Parquet's types into JSON values, `columns` the texts of CSV, and `quotation_marks` finds rows of
CSV that run into one. `mapping` makes a row the document that a client would have sent, with `paths` into nested keys;
`values` and `times` make its ids and times such as a client sends. `documents` is a file through all of this, and
refuses what `near_keys` finds. `history` checks the documents and writes them to the lake, none of them twice:
`identity` says which rows are the same event. `preview` shows what would come of it.

pyarrow reads Parquet and CSV. Turret needs it anyway, and on 17 odd CSV files (quotation marks in a cell, lines in a
cell, CR alone, a byte order mark, rows that are too short or too long) it gave the same rows as Python's `csv`, and
the number of each row with a wrong count of cells. polars stops at the first such row, or fills or cuts it; DuckDB
reports it, but gives no numbers for the good rows, refuses `"a"b`, and would add 69 MB.
"""
