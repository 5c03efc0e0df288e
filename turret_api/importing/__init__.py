"""Import of history: the events of a file go into the lake by the checks of `POST /track`, without a server or a quota.

    parquet ─┐
    csv ─────┼─ Row: number, cells by column ── mapping ── document ── history ── event ── part of the lake
    ndjson ──┘                                                │
                                                              └ a row that is refused, by its number

`parquet`, `csv` and `ndjson` read a file row by row, a few thousand rows at a time; `cells` turns Parquet's types into
JSON values; `mapping` makes a row the document that a client would have sent; `documents` picks the reader by the
file's suffix. `history` checks the documents and writes them to the lake, none of them twice.

pyarrow reads Parquet and CSV. Turret needs it anyway, and on 17 odd CSV files (quotation marks in a cell, lines in a
cell, CR alone, a byte order mark, rows that are too short or too long) it gave the same rows as Python's `csv`, and
the number of each row with a wrong count of cells. polars stops at the first such row, or fills or cuts it; DuckDB
reports it, but gives no numbers for the good rows, refuses `"a"b`, and would add 69 MB.
"""
